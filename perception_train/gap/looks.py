"""How a picture looks, in numbers: as the network is fed, but that noise and JPEG's blocks are not enlarged."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from perception_infer.contract.geometry import Letterbox, Pixels

_BLOCK = 8
#: Luma beyond which a block may be clipped, and what is clipped has no noise.
_CLIPPED = (8.0, 247.0)
# The difference of two Laplacians: it is blind to edges and slopes (J. Immerkær, Computer Vision and Image
# Understanding 64, 1996); white noise of deviation 1 becomes one of deviation 6.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_MASK_GAIN = 6.0
#: What the tenth percentile of blocks of white noise tells of its deviation (simulated).
_TENTH = 0.798
#: Scales, in pixels of the network's input, on which edges are compared.
_SCALES = (1.0, 2.0)
#: Strong edges: this share of all pixels at most, with so large a part of the slope of the steepest of them.
_EDGES, _STEEPEST, _PART = 0.02, 0.001, 0.4
#: What is as steep as this part of its steepest neighbour is a crest: all along an edge, and not beside it.
_CREST = 0.97
#: Slopes below these grey levels are no edges, fewer crests than these are too few, more blur is not told apart.
_FAINTEST, _FEWEST_EDGES, _MOST_BLUR = 1.0, 8, 8.0
#: Pixels by which a picture is smoothed before its detail is measured (Marr and Hildreth 1980).
_SMOOTHED = 1.0
#: What white noise of variance 1 leaves in the smoothed picture, and in its Laplacian.
_NOISE_SMOOTHED, _NOISE_EDGES = 0.0797, 0.1118


def look_of(rgb: Pixels, network: tuple[int, int]) -> dict[str, float]:
    """The measures of the group `LOOK`; NaN where one cannot be known.

    Args:
        rgb: uint8 [H, W, 3].
        network: width and height of the network's input.
    """
    letterbox = Letterbox.fit((rgb.shape[1], rgb.shape[0]), network)
    width, height = letterbox.content
    fed = letterbox.image(rgb)[letterbox.top : letterbox.top + height, letterbox.left : letterbox.left + width]
    fed = np.ascontiguousarray(fed)
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    luma = cv2.cvtColor(fed, cv2.COLOR_RGB2GRAY).astype(np.float32)
    red, green, blue = (float(value) for value in fed.reshape(-1, 3).mean(axis=0, dtype=np.float64))
    strongest = float(fed.max(axis=2).mean(dtype=np.float64))
    weakest = float(fed.min(axis=2).mean(dtype=np.float64))
    mean, deviation = float(luma.mean(dtype=np.float64)), float(luma.std(dtype=np.float64))
    magenta = (red + blue) / 2
    return {
        "brightness": mean,
        "contrast": 100 * deviation / max(mean, 1.0),
        "saturation": 100 * (strongest - weakest) / max(strongest, 1.0),
        "warmth": 100 * (red - blue) / max(red + blue, 1.0),
        "tint": 100 * (green - magenta) / max(green + magenta, 1.0),
        "edge_blur": _edge_blur(luma),
        "detail": _detail(luma),
        "noise": _noise(grey.astype(np.float32) if luma.size > grey.size else luma),
        "blockiness": _blockiness(grey),
    }


def _edge_blur(luma: npt.NDArray[np.float32]) -> float:
    """Width of the strongest edges: deviation in pixels of the blur that makes them of steps; 0.7 is a sharp one.

    It is told by what a little more blur takes of their slope (S. Zhuo and T. Sim, "Defocus map estimation from a
    single image", Pattern Recognition 44, 2011): neither noise nor JPEG nor a lack of light counts for much there.
    """
    fine, coarse = (_slopes(np.asarray(cv2.GaussianBlur(luma, (0, 0), scale), np.float32)) for scale in _SCALES)
    # Of the coarse slopes, for the crests of the fine ones are where noise adds to them.
    crests = coarse >= _CREST * cv2.dilate(coarse, np.ones((3, 3), np.uint8))
    many, steepest = np.quantile(coarse, (1 - _EDGES, 1 - _STEEPEST))
    strong = crests & (coarse >= max(float(many), _PART * float(steepest), _FAINTEST))
    if np.count_nonzero(strong) < _FEWEST_EDGES:
        return float("nan")
    # Squared; the slope of an edge is inverse to the root of the sum of both blurs' variances.
    ratio = float(np.median((fine[strong] / coarse[strong]) ** 2))
    low, high = (scale**2 for scale in _SCALES)
    variance = (high - ratio * low) / max(ratio - 1, 1e-6)
    return float(np.sqrt(np.clip(variance, 0.0, _MOST_BLUR**2)))


def _slopes(luma: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    x, y = (cv2.Sobel(luma, cv2.CV_32F, *order, ksize=1) for order in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(x, y), np.float32)


def _detail(luma: npt.NDArray[np.float32]) -> float:
    """Deviation of the Laplacian of a smoothed picture over its own, either without what is noise."""
    smooth = cv2.GaussianBlur(luma, (0, 0), _SMOOTHED)
    noise = np.nan_to_num(_noise(luma)) ** 2
    edges = float(cv2.Laplacian(smooth, cv2.CV_32F).var(dtype=np.float64)) - _NOISE_EDGES * noise
    contrast = float(smooth.var(dtype=np.float64)) - _NOISE_SMOOTHED * noise
    # A picture of one colour has none.
    return float(np.sqrt(max(edges, 1e-4) / max(contrast, 1.0)))


def _noise(luma: npt.NDArray[np.float32]) -> float:
    """Standard deviation of the noise: Immerkær's estimate in blocks, of which the flattest tenth shows noise alone."""
    rows, columns = luma.shape[0] // _BLOCK, luma.shape[1] // _BLOCK
    if not rows or not columns:
        return float("nan")

    def blocks(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        cut = values[: rows * _BLOCK, : columns * _BLOCK].reshape(rows, _BLOCK, columns, _BLOCK)
        return np.asarray(cut.mean(axis=(1, 3), dtype=np.float64))

    level = blocks(luma)
    # The mean of a normal variable's absolute value is its deviation times the root of 2/pi.
    deviation = blocks(np.abs(cv2.filter2D(luma, cv2.CV_32F, _MASK))) * np.sqrt(np.pi / 2) / _MASK_GAIN
    usable = deviation[(level > _CLIPPED[0]) & (level < _CLIPPED[1])]
    return float(np.percentile(usable, 10)) / _TENTH if usable.size else float("nan")


def _blockiness(luma: npt.NDArray[np.uint8]) -> float:
    """By how much steps across the borders of JPEG's 8 px blocks exceed others, % (after Wang, Sheikh, Bovik 2002)."""
    if min(luma.shape) < 2 * _BLOCK:
        return float("nan")
    found = []
    for grey in (luma, luma.T):
        steps = cv2.absdiff(np.ascontiguousarray(grey[:, 1:]), np.ascontiguousarray(grey[:, :-1])).mean(
            axis=0, dtype=np.float64
        )
        border = np.arange(1, len(steps) + 1) % _BLOCK == 0
        inside = float(steps[~border].mean())
        found.append(float(steps[border].mean()) / inside if inside > 0 else 1.0)
    return 100 * (sum(found) / len(found) - 1)

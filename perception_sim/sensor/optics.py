"""What happens to light before the sensor counts it. Pictures here are linear light, float32 [H, W, 3], 1 = full scale.

Blurs act on linear light, as in a lens: a blurred highlight stays bright, which blurring encoded values would darken.
"""

from __future__ import annotations

import cv2
import numpy as np

# From 12 x 12 elements OpenCV filters float32 through a Fourier transform, which takes ten times as long.
_LONGEST_LINE = 9.0
_WIDEST_DISC = 3.5
_FINE = 8
_RESIZING_VARIANCE = 0.55


def vignette(linear: np.ndarray, loss: float) -> np.ndarray:
    """Light falls off from the middle as cos^4 of the angle to the axis does, to ``1 - loss`` in the corners."""
    height, width = linear.shape[:2]
    slope = (1.0 - loss) ** -0.5 - 1.0
    x = (np.arange(width, dtype=np.float32) + 0.5 - width / 2.0) ** 2
    y = (np.arange(height, dtype=np.float32) + 0.5 - height / 2.0) ** 2
    scale = np.float32(slope / ((width / 2.0) ** 2 + (height / 2.0) ** 2))
    # cos^4 = 1 / (1 + tan^2)^2
    fall = np.add.outer(1.0 + scale * y, scale * x)
    gain = cv2.divide(1.0, cv2.multiply(fall, fall))
    return cv2.multiply(linear, cv2.merge([gain, gain, gain]))


def aberration(linear: np.ndarray, shift: float) -> np.ndarray:
    """Lateral chromatic aberration: red is enlarged and blue reduced by ``shift`` pixels in the corners."""
    height, width = linear.shape[:2]
    corner = np.hypot(width, height) / 2.0
    red, green, blue = cv2.split(linear)
    return cv2.merge([_enlarge(red, 1.0 + shift / corner), green, _enlarge(blue, 1.0 - shift / corner)])


def defocus(linear: np.ndarray, radius: float) -> np.ndarray:
    """Every point becomes a disc of ``radius`` pixels; large discs are drawn on a reduced picture."""
    if radius > _WIDEST_DISC:
        height, width = linear.shape[:2]
        half = cv2.resize(linear, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        # Reducing and enlarging blur too: what they add to the variance (a disc's is a quarter of its radius squared)
        # is left out of the disc.
        smaller = np.sqrt(radius**2 - 4.0 * _RESIZING_VARIANCE) / 2.0
        return cv2.resize(defocus(half, smaller), (width, height), interpolation=cv2.INTER_LINEAR)
    reach = int(np.ceil(radius - 0.5))
    # Each element is the share of its pixel that the disc covers.
    fine = (np.arange((2 * reach + 1) * _FINE) + 0.5) / _FINE - 0.5 - reach
    inside = np.hypot(fine[:, None], fine) < max(radius, 0.5)
    disc = inside.reshape(2 * reach + 1, _FINE, 2 * reach + 1, _FINE).mean((1, 3))
    return cv2.filter2D(linear, -1, (disc / disc.sum()).astype(np.float32))


def motion(linear: np.ndarray, length: float, angle: float) -> np.ndarray:
    """Every point becomes a line of ``length`` pixels at ``angle`` radians, centred on the point."""
    height, width = linear.shape[:2]
    cuts = np.linspace(-length / 2.0, length / 2.0, int(np.ceil(length / _LONGEST_LINE)) + 1)
    reach = int(np.ceil(length / 2.0))
    padded = cv2.copyMakeBorder(linear, reach, reach, reach, reach, cv2.BORDER_REPLICATE)
    total = None
    for start, end in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        kernel, (dx, dy) = _line(start, end, angle)
        moved = padded[reach + dy : reach + dy + height, reach + dx : reach + dx + width]
        part = cv2.filter2D(moved, -1, kernel / (len(cuts) - 1))
        total = part if total is None else cv2.add(total, part, dst=total)
    return total


def blur(linear: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of ``sigma`` pixels."""
    side = 2 * int(np.ceil(3.0 * sigma)) + 1
    return cv2.GaussianBlur(linear, (side, side), sigma)


def _enlarge(channel: np.ndarray, factor: float) -> np.ndarray:
    height, width = channel.shape
    x, y = (width - 1) / 2.0, (height - 1) / 2.0
    back = np.array([[1.0 / factor, 0.0, x - x / factor], [0.0, 1.0 / factor, y - y / factor]])
    return cv2.warpAffine(
        channel, back, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )


def _line(start: float, end: float, angle: float) -> tuple[np.ndarray, tuple[int, int]]:
    """A piece of a line through the origin as a kernel, and the whole pixel (dx, dy) on which the kernel is centred.

    The kernel is float32 with odd sides and sum 1: many points, each shared among its four neighbours.
    """
    count = 8 * int(np.ceil(end - start))
    along = start + (end - start) * (np.arange(count) + 0.5) / count
    shares, centers = [], []
    for offset in (along * np.cos(angle), along * np.sin(angle)):
        center = round(float(offset[0] + offset[-1]) / 2.0)
        reach = int(np.ceil(np.abs(offset - center).max() - 1e-9))
        steps = np.arange(-reach, reach + 1)
        shares.append(np.clip(1.0 - np.abs(offset[:, None] - center - steps), 0.0, None))
        centers.append(center)
    kernel = shares[1].T @ shares[0]
    return (kernel / kernel.sum()).astype(np.float32), (centers[0], centers[1])

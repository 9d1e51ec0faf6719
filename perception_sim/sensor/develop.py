"""What the camera's image processor makes of the sensor's signal."""

from __future__ import annotations

import functools

import cv2
import numpy as np

FULL_SCALE = 65535
_LUMA = (0.2126, 0.7152, 0.0722)
_SHARPENING_SIGMA, _SHARPENING_SIDE = 1.0, 5


def to_linear(rgb: np.ndarray, gains: tuple[float, ...]) -> np.ndarray:
    """Linear light, float32 [H, W, 3], of an sRGB picture uint8 [H, W, 3], each channel times its gain.

    The curve is that of IEC 61966-2-1.
    """
    table = np.multiply.outer(_linear_levels(), gains).astype(np.float32)
    return cv2.LUT(rgb, table[None])


def quantise(signal: np.ndarray) -> np.ndarray:
    """The signal (1 = full scale) as the converter counts it, clipped: uint16, `FULL_SCALE` = 65535."""
    return cv2.addWeighted(signal, FULL_SCALE, signal, 0.0, 0.0, dtype=cv2.CV_16U)


def mosaic(linear: np.ndarray) -> np.ndarray:
    """What lies behind the colour filters RGGB: [H, W] from [H, W, 3]."""
    raw = linear[..., 1].copy()
    raw[0::2, 0::2] = linear[0::2, 0::2, 0]
    raw[1::2, 1::2] = linear[1::2, 1::2, 2]
    return raw


def demosaic(raw: np.ndarray) -> np.ndarray:
    """Colours uint16 [H, W, 3] from an RGGB mosaic uint16 [H, W], by OpenCV's bilinear interpolation."""
    # OpenCV's names tell the second row's second and third pixel: its BG is what others call RGGB.
    return cv2.cvtColor(raw, cv2.COLOR_BayerBG2RGB)


def saturate(pixels: np.ndarray, factor: float) -> np.ndarray:
    """Colours uint16 [H, W, 3] moved away from grey of the same luminance by ``factor`` (0: grey)."""
    matrix = factor * np.eye(3) + (1.0 - factor) * np.array([_LUMA] * 3)
    return cv2.transform(pixels, matrix.astype(np.float32))


def encode(pixels: np.ndarray, gamma: float, contrast: float) -> np.ndarray:
    """The picture uint8 of linear uint16: sRGB curve, then ``gamma``, then an S-curve of that ``contrast``."""
    return np.take(_tone_table(gamma, contrast), pixels)


def sharpen(rgb: np.ndarray, amount: float) -> np.ndarray:
    """Unsharp mask: what a blur of one pixel takes away is added ``amount`` times."""
    soft = cv2.GaussianBlur(rgb, (_SHARPENING_SIDE, _SHARPENING_SIDE), _SHARPENING_SIGMA)
    return cv2.addWeighted(rgb, 1.0 + amount, soft, -amount, 0.0)


def reduce(rgb: np.ndarray, factor: float) -> np.ndarray:
    """The picture as a sensor with ``factor`` times fewer pixels each way sees it, enlarged back."""
    height, width = rgb.shape[:2]
    small = max(1, round(width / factor)), max(1, round(height / factor))
    # Up to twice fewer, four neighbours hold all there is to average.
    method = cv2.INTER_LINEAR if factor <= 2.0 else cv2.INTER_AREA
    return cv2.resize(cv2.resize(rgb, small, interpolation=method), (width, height), interpolation=cv2.INTER_LINEAR)


def compress(rgb: np.ndarray, quality: int) -> np.ndarray:
    """The picture after a baseline JPEG of that quality (colours at half resolution, as cameras do)."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


@functools.lru_cache(maxsize=1)
def _linear_levels() -> np.ndarray:
    return _decode(np.arange(256) / 255.0)


def _decode(encoded: np.ndarray) -> np.ndarray:
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def _tone_table(gamma: float, contrast: float) -> np.ndarray:
    """The encoded value of every linear one, uint8 [65536], from the 255 linear values at which it changes.

    Going backwards costs 255 powers instead of 65,536.
    """
    edges = (np.arange(255) + 0.5) / 255.0
    high, low = edges ** (1.0 / contrast), (1.0 - edges) ** (1.0 / contrast)
    encoded = (high / (high + low)) ** (1.0 / gamma)
    steps = np.ceil(_decode(encoded) * FULL_SCALE).astype(np.intp)
    return np.repeat(np.arange(256, dtype=np.uint8), np.diff(steps, prepend=0, append=FULL_SCALE + 1))

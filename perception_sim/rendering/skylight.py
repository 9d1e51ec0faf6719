"""Light from the sky: a cube map of what a scene's surroundings shine, filtered for physically based shading.

Radiance depends on the elevation alone: bands of equal solid angle, from straight down to straight up, hold
the mean of the sky's colours there, and below the horizon what the ground sends back of it. It is filtered once
for each roughness (Karis, "Real Shading in Unreal Engine 4", 2013) and, for diffuse surfaces, as
spherical harmonics (Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment
Maps", 2001), and packed as a KTX 1 file (Khronos), which is what Filament reads. All colours are linear RGB.
"""

from __future__ import annotations

import functools
import struct

import numpy as np

_BANDS = 64
_FACE_PX = 32
_LEVELS = 5
_KTX_START = b"\xabKTX 11\xbb\r\n\x1a\n"
_GL_RGB, _GL_R11F_G11F_B10F = 0x1907, 0x8C3A
_FACES = 6


def sky_bands(cube: np.ndarray) -> np.ndarray:
    """The mean colour at every elevation, float64 [bands, 3], of a sky box [6, N, N, 3] in OpenGL's order (y is up)."""
    u, v = _face_grid(cube.shape[1])
    solid_angle = (1.0 + u**2 + v**2) ** -1.5
    total, weight = np.zeros((_BANDS, 3)), np.zeros(_BANDS)
    for face, height in zip(cube, _face_heights(cube.shape[1]), strict=True):
        band = _band(height).ravel()
        weight += np.bincount(band, solid_angle.ravel(), _BANDS)
        for channel in range(3):
            total[:, channel] += np.bincount(band, (solid_angle * face[..., channel]).ravel(), _BANDS)
    seen = weight > 0.0
    centers = _centers()
    means = total[seen] / weight[seen, None]
    return np.stack([np.interp(centers, centers[seen], means[:, channel]) for channel in range(3)], axis=1)


def with_ground(bands: np.ndarray, albedo: np.ndarray) -> np.ndarray:
    """``bands`` with everything below the horizon replaced by a matt ground of that ``albedo`` [3], lit by the sky."""
    up = _centers() > 0.0
    lit = (2.0 * bands[up] * _centers()[up, None]).mean(0)
    return np.where(up[:, None], bands, albedo * lit)


def irradiance(bands: np.ndarray) -> np.ndarray:
    """What a white matt surface sends back, float64 [bands, 3], by the elevation of its normal; the last looks up."""
    return _lobe(1.0) @ bands


def ktx(bands: np.ndarray) -> bytes:
    """A KTX 1 cube map of ``bands``, one level for each roughness, and its spherical harmonics."""
    text = "\n".join(" ".join(f"{value:.6g}" for value in row) for row in _harmonics(bands))
    pair = b"sh\0" + text.encode() + b"\0"
    entries = struct.pack("<I", len(pair)) + pair + b"\0" * (-len(pair) % 4)
    header = struct.pack(
        "<13I", 0x04030201, _GL_R11F_G11F_B10F, 1, _GL_RGB, _GL_R11F_G11F_B10F, _GL_R11F_G11F_B10F,
        _FACE_PX, _FACE_PX, 0, 0, _FACES, _LEVELS, len(entries),
    )  # fmt: skip
    levels = []
    for level in range(_LEVELS):
        size = _FACE_PX >> level
        # Filament looks up the level (levels - 1) r (2 - r) for a roughness of r.
        rough = 1.0 - np.sqrt(1.0 - level / (_LEVELS - 1))
        colors = bands if level == 0 else _lobe(_exponent(rough)) @ bands
        faces = [_packed(colors[_band(height)]).tobytes() for height in _face_heights(size)]
        levels.append(struct.pack("<I", len(faces[0])) + b"".join(faces))
    return _KTX_START + header + entries + b"".join(levels)


def _centers() -> np.ndarray:
    """The vertical component of each band's direction, rising."""
    return (np.arange(_BANDS) + 0.5) / _BANDS * 2.0 - 1.0


def _band(height: np.ndarray) -> np.ndarray:
    return np.clip(((height + 1.0) / 2.0 * _BANDS).astype(int), 0, _BANDS - 1)


def _face_grid(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a cube's face are, right and down, each float64 [size, size] in -1..1."""
    along = (np.arange(size) + 0.5) / size * 2.0 - 1.0
    return np.meshgrid(along, along)


def _face_heights(size: int) -> list[np.ndarray]:
    """The vertical component of each pixel's direction, for the six faces in OpenGL's order."""
    u, v = _face_grid(size)
    length = np.sqrt(1.0 + u**2 + v**2)
    side = -v / length
    return [side, side, 1.0 / length, -1.0 / length, side, side]


def _exponent(rough: float) -> float:
    """The exponent of the cosine lobe that is about as wide as GGX of that perceptual roughness (0..1]."""
    return max(2.0 / rough**4 - 2.0, 1.0)


@functools.lru_cache(maxsize=16)
def _lobe(exponent: float) -> np.ndarray:
    """The share of each band in what a lobe around each elevation gathers, float64 [bands, bands]; rows sum to 1."""
    y = _centers()
    level = np.sqrt(1.0 - y**2)
    around = np.cos((np.arange(64) + 0.5) / 64.0 * np.pi)
    cosine = y[:, None, None] * y[:, None] + level[:, None, None] * level[:, None] * around
    shares = (np.maximum(cosine, 0.0) ** exponent).mean(-1)
    return np.asarray(shares / shares.sum(1, keepdims=True))


def _harmonics(bands: np.ndarray) -> np.ndarray:
    """The nine coefficients [9, 3] of `irradiance`, scaled as Filament's shader evaluates them.

    Its functions of the normal are 1, y, z, x, xy, yz, 3 zz - 1, zx and xx - yy. What depends on y alone
    is a + b y + c yy, and yy = 1/3 - (3 zz - 1) / 6 - (xx - yy) / 2.
    """
    constant, linear, square = np.polynomial.polynomial.polyfit(_centers(), irradiance(bands), 2)
    found = np.zeros((9, 3))
    found[0], found[1], found[6], found[8] = constant + square / 3.0, linear, -square / 6.0, -square / 2.0
    return found


def _packed(colors: np.ndarray) -> np.ndarray:
    """Colours [..., 3] >= 0 as R11F_G11F_B10F, uint32: half floats without sign and with fewer digits."""
    half = colors.astype(np.float16).view(np.uint16).astype(np.uint32)
    return (half[..., 0] >> 4) | (half[..., 1] >> 4) << 11 | (half[..., 2] >> 5) << 22

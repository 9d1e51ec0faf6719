"""Noise of the sensor, in linear light.

The number of electrons is Poisson distributed, and reading them adds Gaussian noise. Both together are
approximated by Gaussian noise of variance a * signal + b (Foi et al., "Practical Poissonian-Gaussian noise
modeling and fitting for single-image raw-data", IEEE Trans. Image Processing 17(10), 2008).
"""

from __future__ import annotations

import functools

import cv2
import numpy as np

_BANK = 1 << 18
_PIECE = 4096


def add_noise(signal: np.ndarray, shot: float, read: float, rng: np.random.Generator) -> np.ndarray:
    """``signal`` (float32 of any shape, at least 0, 1 = full scale) with noise as `SensorSettings` describes it."""
    grain = unit_normals(signal.shape, rng)
    deviation = cv2.addWeighted(signal, shot * shot, signal, 0.0, read * read)
    cv2.sqrt(deviation, dst=deviation)
    cv2.multiply(grain, deviation, dst=grain)
    return cv2.add(signal, grain, dst=grain)


def unit_normals(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Standard normal numbers, float32 of that shape: pieces cut at random places from a bank of them.

    Drawing them anew would cost seventy times as much, more than all other steps of the sensor together. Pieces
    begin anywhere, so no pattern comes back at the same place of two pictures, or twice in one.
    """
    count = int(np.prod(shape))
    pieces = np.lib.stride_tricks.sliding_window_view(_bank(), _PIECE)
    starts = rng.integers(0, len(pieces), -(-count // _PIECE))
    return pieces[starts].reshape(-1)[:count].reshape(shape)


@functools.lru_cache(maxsize=1)
def _bank() -> np.ndarray:
    numbers = np.random.default_rng(0x5E4502).standard_normal(_BANK, np.float32)
    numbers.flags.writeable = False
    return numbers

"""Distances between samples: of numbers, of classes, of feature vectors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
#: Random halves of the synthetic set, and permutations of pictures: so many are drawn, always the same.
DRAWS = 200
#: A real picture is outside where its nearest neighbour is farther than that of this share of synthetic ones.
COVERED = 0.95
_ONE_IN_THOUSAND = 0.001
_ROUNDING = 1e-12


class FeatureDistance(NamedTuple):
    """How far the feature vectors of a source lie from the synthetic ones.

    Attributes:
        mmd2: the squared maximum mean discrepancy, unbiased: 0 on average for equal distributions.
        halves: the root mean square of the same between random halves of the synthetic set.
        times: ``mmd2`` in ``halves``; not below 0.
        outside: share of the vectors that lie farther from the nearest synthetic one than 95 % of the synthetic ones
            from theirs.
    """

    mmd2: float
    halves: float
    times: float
    outside: float


def wasserstein(first: Floats, second: Floats) -> float:
    """The first Wasserstein distance of two samples of numbers: the mean way that values would have to move."""
    points = np.sort(np.concatenate([first, second]))
    steps = np.diff(points)
    shares = [np.searchsorted(np.sort(values), points[:-1], side="right") / len(values) for values in (first, second)]
    return float((np.abs(shares[0] - shares[1]) * steps).sum())


def least_by_chance(first: int, second: int) -> float:
    """What a Kolmogorov-Smirnov distance of samples of these sizes exceeds once in a thousand times by chance.

    Smirnov's asymptotic formula; it may exceed 1, for samples so small that nothing could be told from them.
    """
    if not first or not second:
        return float("inf")
    return float(np.sqrt(-np.log(_ONE_IN_THOUSAND / 2) / 2 * (1 / first + 1 / second)))


def total_variation(first: Floats, second: Floats) -> float:
    """The share of objects that would have to change class, of counts [C] of either; 0 without objects."""
    if not first.sum() or not second.sum():
        return 0.0
    return float(np.abs(first / first.sum() - second / second.sum()).sum() / 2)


def mixes_differ(first: Floats, second: Floats) -> bool:
    """Whether counts of classes per picture, [N, C] and [M, C], differ more than those of random pictures of either."""
    both, count = np.concatenate([first, second]), len(first)
    found = total_variation(first.sum(0), second.sum(0))
    rng = np.random.default_rng(0)
    for _ in range(DRAWS):
        order = rng.permutation(len(both))
        if total_variation(both[order[:count]].sum(0), both[order[count:]].sum(0)) >= found:
            return False
    return found > 0


def squared_distances(rows: npt.NDArray[np.floating], others: npt.NDArray[np.floating]) -> Floats:
    """float64 [N, M] between vectors [N, D] and [M, D]."""
    a, b = rows.astype(np.float64), others.astype(np.float64)
    lengths = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :]
    away = lengths - 2 * a @ b.T
    # What rounding leaves of equal vectors is no distance.
    return np.where(away > _ROUNDING * lengths, away, 0.0)


def feature_distance(synthetic: npt.NDArray[np.floating], source: npt.NDArray[np.floating]) -> FeatureDistance | None:
    """The distance of vectors [N, D] and [M, D]; None where there are too few to halve.

    The discrepancy is that of A. Gretton et al., "A Kernel Two-Sample Test", JMLR 13, 2012, equation 3, with a Gaussian
    kernel as wide as the median distance of the synthetic vectors: distances of several sources compare. Halves are as
    large as the smaller of half of the synthetic set and the source.
    """
    count, other = len(synthetic), len(source)
    size = min(count // 2, other)
    if size < 2:
        return None
    within, across = squared_distances(synthetic, synthetic), squared_distances(synthetic, source)
    width = float(np.median(within[np.triu_indices(count, 1)])) or 1.0
    kernel, crossed = np.exp(-within / (2 * width)), np.exp(-across / (2 * width))
    own = np.exp(-squared_distances(source, source) / (2 * width))
    found = _mmd2(kernel, own, crossed)
    rng, halves = np.random.default_rng(0), []
    for _ in range(DRAWS):
        order = rng.permutation(count)
        one, two = order[:size], order[size : 2 * size]
        halves.append(_mmd2(kernel[np.ix_(one, one)], kernel[np.ix_(two, two)], kernel[np.ix_(one, two)]))
    usual = float(np.sqrt(np.mean(np.square(halves))))
    # A vector is its own nearest.
    nearest = np.sqrt(np.partition(within, 1, axis=1)[:, 1])
    limit = float(np.quantile(nearest, COVERED))
    outside = float((np.sqrt(across.min(axis=0)) > limit).mean())
    return FeatureDistance(found, usual, max(0.0, found / max(usual, 1e-12)), outside)


def _mmd2(first: Floats, second: Floats, across: Floats) -> float:
    """Of kernel values within either, [N, N] and [M, M], and across, [N, M]."""
    parts = [(kernel.sum() - np.trace(kernel)) / (len(kernel) * (len(kernel) - 1)) for kernel in (first, second)]
    return float(sum(parts) - 2 * across.mean())

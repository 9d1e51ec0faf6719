"""Which image comes when: shares of datasets, balance of classes, images without objects.

Everything is a pure function of (seed, position), so that a resumed run sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.params import param

from .mixture import Mixture

_ORDER_STREAM = 1
_LONGEST_PATTERN = 10_000
_EPOCHS_KEPT = 2
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SamplingParams:
    """How often each image is seen."""

    balance: float = param(
        0.0,
        "how much more often images with rare classes are seen: 0 as all others, 1 by the root of how much rarer the "
        "class is than the most frequent one (repeat-factor sampling)",
        minimum=0.0,
        maximum=1.0,
    )
    negatives: float = param(
        -1.0, "share of images without objects (-1: as the datasets have them)", minimum=-1.0, maximum=0.9
    )


class Order:
    """The order of a mixture's samples, and random draws with the same frequencies.

    The samples are divided into pools (a dataset, or its images with and without objects when ``negatives`` says how
    many of either). A fixed, evenly interleaved pattern says which pool's turn it is, so that shares are exact over
    each period of the pattern and off by one or two images at any time. Each pool has epochs of its own: shuffled,
    every image once, or as often as balance wants.

    Raises:
        UserError: images without objects are asked for, and there are none.
    """

    def __init__(self, mixture: Mixture, seed: int, params: SamplingParams | None = None) -> None:
        params = params or SamplingParams()
        factors = repeat_factors(mixture, params.balance)
        pools, weights = _pools(mixture, factors, params.negatives)
        self._pools = [_Pool(members, factors[members], seed, number) for number, members in enumerate(pools)]
        counts = _whole(weights)
        self._pattern, self._ranks = _interleaved(counts)
        self._counts = counts

    def index(self, position: int) -> int:
        """The sample at a position of the endless order."""
        period, place = divmod(position, len(self._pattern))
        pool = int(self._pattern[place])
        return self._pools[pool].at(period * int(self._counts[pool]) + int(self._ranks[place]))

    def draw(self, rng: np.random.Generator) -> int:
        """A random sample, as frequent as in the order."""
        return self._pools[int(self._pattern[rng.integers(len(self._pattern))])].draw(rng)


class _Pool:
    """Samples with repeat factors, in shuffled epochs."""

    def __init__(self, members: Ints, factors: Floats, seed: int, number: int) -> None:
        self._members, self._seed, self._number = members, seed, number
        # Scaled so that an epoch is a whole number of draws: every epoch has the same length.
        self._length = max(1, round(float(factors.sum())))
        self._factors = factors * (self._length / factors.sum())
        self._plain = bool((factors == 1).all())
        self._ends = np.cumsum(self._factors)
        self._epoch = lru_cache(_EPOCHS_KEPT)(self._shuffled)

    def at(self, position: int) -> int:
        epoch, place = divmod(position, self._length)
        return int(self._epoch(epoch)[place])

    def draw(self, rng: np.random.Generator) -> int:
        place = np.searchsorted(self._ends, rng.random() * self._length, side="right")
        return int(self._members[min(int(place), len(self._members) - 1)])

    def _shuffled(self, epoch: int) -> Ints:
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, _ORDER_STREAM, epoch, self._number]))
        order = rng.permutation(len(self._members))
        if not self._plain:
            # Systematic sampling: each comes as often as its factor, rounded down or up with the right probability.
            ends = np.cumsum(self._factors[order])
            ends[-1] = self._length
            times = np.diff(np.floor(ends + rng.random()), prepend=0.0).astype(np.int64)
            order = rng.permutation(np.repeat(order, times))
        return self._members[order]


def repeat_factors(mixture: Mixture, balance: float) -> Floats:
    """How often each sample is to be seen, at least 1.

    The largest of (f_max / f_c) ** (balance / 2) over its classes c, f being the share of images that show a class:
    repeat-factor sampling (Gupta, Dollár and Girshick 2019, LVIS), with the most frequent class as threshold so that it
    acts on datasets of a few classes too.
    """
    factors = np.ones(len(mixture.samples))
    if balance == 0:
        return factors
    shown = np.zeros((len(mixture.samples), len(mixture.classes)), np.bool_)
    for row, sample in zip(shown, mixture.samples, strict=True):
        row[sample.labels] = True
    sizes = np.diff(mixture.starts)
    weight = np.repeat(np.asarray(mixture.shares or sizes, np.float64) / sizes, sizes)
    frequency = weight @ shown
    rare = (frequency.max() / np.maximum(frequency, 1e-12)) ** (balance / 2)
    return np.asarray(np.maximum(factors, np.where(shown, rare, 1.0).max(1)), np.float64)


def _pools(mixture: Mixture, factors: Floats, negatives: float) -> tuple[list[Ints], Floats]:
    """Indices of each pool's samples, and the pools' weights."""
    parts = [np.arange(start, end) for start, end in zip(mixture.starts[:-1], mixture.starts[1:], strict=True)]
    if negatives < 0:
        weights = mixture.shares or [factors[part].sum() for part in parts]
        return parts, np.asarray(weights, np.float64)
    empty = np.array([len(sample.labels) == 0 for sample in mixture.samples])
    if negatives > 0 and not empty.any():
        raise UserError(
            f"negatives is {negatives:g}, but no image is without objects", fix="set it to -1, or add such images"
        )
    if empty.all():
        raise UserError("no image has objects", fix="set negatives to -1, or add images with objects")
    pools, weights = [], []
    for number, part in enumerate(parts):
        for without, share in ((False, 1 - negatives), (True, negatives)):
            members = part[empty[part] == without]
            if len(members) == 0 or share == 0:
                continue
            if not mixture.shares:
                share *= factors[members].sum() / factors[empty == without].sum()
            elif len(members) == len(part):
                # With objects only, or without: the dataset's share is what it was told.
                share = mixture.shares[number]
            else:
                share *= mixture.shares[number]
            pools.append(members)
            weights.append(share)
    return pools, np.asarray(weights, np.float64)


def _whole(weights: Floats) -> Ints:
    """The smallest whole numbers in proportion to the weights; where there are none, the nearest of a long period."""
    if (weights == np.rint(weights)).all():
        whole = weights.astype(np.int64)
        return np.asarray(whole // np.gcd.reduce(whole), np.int64)
    counts = np.arange(1, _LONGEST_PATTERN + 1)[:, None] * (weights / weights.sum())
    exact = (np.abs(counts - np.rint(counts)).max(1) < 1e-6) & (counts.min(1) > 0.5)
    chosen = counts[np.argmax(exact) if exact.any() else -1]
    return np.asarray(np.maximum(1, np.rint(chosen)), np.int64)


def _interleaved(counts: Sequence[int] | Ints) -> tuple[Ints, Ints]:
    """Whose turn it is at each place of a period, as evenly as can be; and how many turns that one had before."""
    due = np.concatenate([(np.arange(count) + 0.5) / count for count in counts])
    owner = np.repeat(np.arange(len(counts)), counts)
    rank = np.concatenate([np.arange(count) for count in counts])
    order = np.argsort(due, kind="stable")
    return owner[order], rank[order]

"""A source beside the synthetic one: every measure, the classes, the features, each with a distance and a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from perception_sim.view.comparison import ks_distance
from perception_sim.view.features import IMAGES, OBJECTS

from .distances import FeatureDistance, feature_distance, least_by_chance, mixes_differ, total_variation, wasserstein
from .looking import Looked, Seen
from .measures import CONTENT, LOOK, MEASURES, Measure, Values

TRUTH, FOUND = "truth", "found"
LESS, MORE, VARIED, UNIFORM = "less", "more", "varied", "uniform"
CLASSES = "classes"
#: Distances, in spreads of the synthetic values, from which on sources are a little, clearly and far apart.
LITTLE, CLEAR, FAR = 0.25, 0.5, 1.0
# What lies between these percentiles of the synthetic values is covered by them.
_COVERED = (2.5, 97.5)
# The standard deviation of what half of all objects are: class mixes are told in the same unit as numbers.
_HALF = 0.5
# Of classes, so small a share more or less is no change of the mix.
_FEW = 0.03


@dataclass(frozen=True)
class Difference:
    """How one measure differs between the synthetic source and another.

    Attributes:
        key, title, unit, group, of: of the measure.
        basis: what objects are: `TRUTH` or `FOUND`; empty where there are none.
        pictures: pictures with a value, of either.
        medians: of either; None for classes.
        distance: Wasserstein's, in spreads of the synthetic values; None where one has no values.
        ks: the Kolmogorov-Smirnov distance; for classes the total variation.
        certain: whether chance does not explain it.
        side: `LESS`, `MORE`, `VARIED` or `UNIFORM`.
        below, above: shares of the source's values that lie below, and above, the middle 95 % of the synthetic ones.
        verdict: in words.
    """

    key: str
    title: str
    unit: str
    group: str
    of: str
    basis: str
    pictures: tuple[int, int]
    medians: tuple[float, float] | None
    distance: float | None
    ks: float
    certain: bool
    side: str
    below: float
    above: float
    verdict: str

    @property
    def known(self) -> float:
        """The distance; 0 where it may be chance."""
        return (self.distance or 0.0) if self.certain else 0.0

    @property
    def uncovered(self) -> float:
        """The share of the source that the synthetic values do not reach, on the side on which it lies."""
        return {LESS: self.below, MORE: self.above, VARIED: self.below + self.above}.get(self.side, 0.0)


@dataclass(frozen=True)
class Mix:
    """Shares of classes of either source, by name, those that differ most first; ``basis`` as of `Difference`."""

    basis: str
    names: tuple[str, ...]
    counts: tuple[tuple[int, ...], tuple[int, ...]]

    def shares(self) -> tuple[Values, Values]:
        """float64 [C] each; 0 without objects."""
        first, second = (np.array(counts, float) / max(1, sum(counts)) for counts in self.counts)
        return first, second

    def more(self, place: int) -> list[str]:
        """Names of the classes of which one (0: the synthetic one) has a greater share, at least the first of them."""
        shares = self.shares()
        gain = shares[place] - shares[1 - place]
        order = np.argsort(-gain, kind="stable")
        return [self.names[index] for index in order if gain[index] > _FEW or index == order[0]]


@dataclass(frozen=True, eq=False)
class Compared:
    """A source beside the synthetic one; ``differences`` with the greatest first, what may be chance last."""

    source: Looked
    basis: str
    differences: tuple[Difference, ...]
    mix: Mix
    features: FeatureDistance | None
    values: tuple[Mapping[str, Values], Mapping[str, Values]]


def compare(synthetic: Looked, source: Looked, names: Sequence[str]) -> Compared:
    """Compare two sources; true objects where both know them, else those that the model finds in either.

    Args:
        synthetic: what the other is compared with.
        source: the other.
        names: class names by label.
    """
    basis = TRUTH if synthetic.labelled and source.labelled else FOUND
    both = (values_of(synthetic, basis), values_of(source, basis))
    found = [_difference(measure, basis, synthetic, source, *(v[measure.key] for v in both)) for measure in MEASURES]
    mix, classes = _mix(synthetic, source, basis, names)
    ordered = sorted([*found, classes], key=lambda row: (-row.known, -(row.distance or 0.0)))
    features = feature_distance(synthetic.vectors, source.vectors)
    return Compared(source, basis, tuple(ordered), mix, features, both)


def values_of(looked: Looked, basis: str) -> dict[str, Values]:
    """The finite values of every measure, by its key, float64 [pictures or objects]."""
    counted = _counted(looked, basis)
    regions = [_regions(one, basis) for one in counted]
    boxes = np.concatenate([part.boxes for part in regions]) if regions else np.zeros((0, 4))
    size = 100 * np.sqrt(np.maximum((boxes[:, 2:] - boxes[:, :2]).prod(axis=1), 1e-12))
    middle = 50 * (boxes[:, :2] + boxes[:, 2:])
    scores = [one.found.scores for one in looked.seen]
    values = {key: np.array([one.look[key] for one in looked.seen]) for key in looked.seen[0].look}
    values |= {
        "objects_per_image": np.array([len(part.labels) for part in regions], float),
        "size_relative": size,
        "center_x": middle[:, 0],
        "center_y": middle[:, 1],
        "confidence": np.concatenate(scores),
        "best": np.array([one.best for one in looked.seen]),
    }
    return {key: np.asarray(array[np.isfinite(array)], np.float64) for key, array in values.items()}


def _difference(
    measure: Measure, basis: str, synthetic: Looked, source: Looked, first: Values, second: Values
) -> Difference:
    content = measure.group == CONTENT
    pictures = (_pictures(synthetic, measure, basis), _pictures(source, measure, basis))
    told: dict[str, Any] = dict(
        key=measure.key,
        title=measure.feature.title,
        unit=measure.feature.unit,
        group=measure.group,
        of=measure.feature.of,
        basis=basis if content else "",
        pictures=pictures,
    )
    if not len(first) or not len(second):
        return Difference(
            **told,
            medians=None,
            distance=None,
            ks=0.0,
            certain=False,
            side=UNIFORM,
            below=0.0,
            above=0.0,
            verdict="not known",
        )
    one, two = measure.scaled(first), measure.scaled(second)
    spread = max(float(one.std()), measure.least)
    moved = wasserstein(one, two)
    shift = float(two.mean() - one.mean())
    moves = abs(shift) >= moved / 2
    lower = shift < 0 if moves else two.std() < one.std()
    side = (LESS if lower else MORE) if moves else (UNIFORM if lower else VARIED)
    low, high = np.percentile(one, _COVERED)
    ks = ks_distance(first, second)
    # Objects of a picture are no independent draws: its pictures say how much is known of a source.
    certain = ks > least_by_chance(*pictures)
    words = {LESS: measure.less, MORE: measure.more, VARIED: "more varied", UNIFORM: "less varied"}[side]
    return Difference(
        **told,
        medians=(float(np.median(first)), float(np.median(second))),
        distance=moved / spread,
        ks=ks,
        certain=certain,
        side=side,
        below=float((two < low).mean()),
        above=float((two > high).mean()),
        verdict=_verdict(moved / spread, certain, words),
    )


def _mix(synthetic: Looked, source: Looked, basis: str, names: Sequence[str]) -> tuple[Mix, Difference]:
    tables = [_table(looked, basis, len(names)) for looked in (synthetic, source)]
    counts = [table.sum(axis=0) for table in tables]
    moved, certain = total_variation(*counts), mixes_differ(*tables)
    known = all(count.sum() for count in counts)
    shares = [count / max(1.0, float(count.sum())) for count in counts]
    order = [i for i in np.argsort(-np.abs(shares[1] - shares[0]), kind="stable") if counts[0][i] + counts[1][i]]
    mix = Mix(
        basis,
        tuple(names[index] for index in order),
        (tuple(int(counts[0][i]) for i in order), tuple(int(counts[1][i]) for i in order)),
    )
    pictures = (int((tables[0].sum(1) > 0).sum()), int((tables[1].sum(1) > 0).sum()))
    missing = sum(float(shares[1][index]) for index in order if not counts[0][index])
    distance = moved / _HALF if known else None
    return mix, Difference(
        key=CLASSES,
        title="Class mix",
        unit="share of the objects that would have to change class",
        group=CONTENT,
        of=OBJECTS,
        basis=basis,
        pictures=pictures,
        medians=None,
        distance=distance,
        ks=moved,
        certain=known and certain,
        side=MORE,
        below=0.0,
        above=missing,
        verdict="not known" if distance is None else _verdict(distance, certain, "another mix"),
    )


def _verdict(distance: float, certain: bool, words: str) -> str:
    if distance < LITTLE:
        return "alike"
    if not certain:
        return f"{words}, or chance"
    return f"{'a little' if distance < CLEAR else 'clearly' if distance < FAR else 'far'} {words}"


def _pictures(looked: Looked, measure: Measure, basis: str) -> int:
    """How many pictures have a value of it."""
    if measure.group == LOOK:
        return sum(bool(np.isfinite(one.look[measure.key])) for one in looked.seen)
    if measure.group == CONTENT:
        regions = [_regions(one, basis) for one in _counted(looked, basis)]
    else:
        regions = [one.found for one in looked.seen]
    return len(regions) if measure.feature.of == IMAGES else sum(len(part.labels) > 0 for part in regions)


def _counted(looked: Looked, basis: str) -> list[Seen]:
    return [one for one in looked.seen if basis == FOUND or one.true is not None]


def _regions(one: Seen, basis: str) -> Any:
    return one.found if basis == FOUND else one.true


def _table(looked: Looked, basis: str, classes: int) -> Values:
    """Objects of each class in each picture, float64 [N, C]."""
    rows = [np.bincount(_regions(one, basis).labels, minlength=classes) for one in _counted(looked, basis)]
    return np.array(rows, np.float64).reshape(-1, classes)

"""Which pictures of a source the page shows: those that went worst, the usual ones, and those unlike all synthetic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .distances import squared_distances
from .looking import Looked, Seen

# A picture as near to one that is shown already as this share of its distance from the synthetic ones is left out.
_ALIKE = 0.5


class Shot(NamedTuple):
    """A picture and what the page says of it."""

    seen: Seen
    note: str


class Pair(NamedTuple):
    """A real picture far from all synthetic ones, and the nearest of these."""

    real: Shot
    synthetic: Shot


def worst(looked: Looked, most: int) -> list[Shot]:
    """Where it is known what is true those with the most errors, else those that the model is least sure of."""
    judged = [one for one in looked.seen if one.errors]
    if judged:
        return [Shot(one, one.note) for one in sorted(judged, key=lambda one: -(one.errors or 0.0))[:most]]
    if looked.labelled:
        return []
    unsure = sorted(looked.seen, key=lambda one: one.best)
    return [Shot(one, f"confidence {one.best:.2f}") for one in unsure[:most]]


def typical(looked: Looked, most: int) -> list[Shot]:
    """Those whose features have the least sum of distances from all others of the source."""
    away = np.sqrt(squared_distances(looked.vectors, looked.vectors)).sum(axis=1)
    order = np.argsort(away, kind="stable")[:most]
    return [Shot(looked.seen[index], looked.seen[index].note) for index in order.tolist()]


def far(synthetic: Looked, source: Looked, most: int) -> list[Pair]:
    """Those farthest from their nearest synthetic neighbour, with it; no two that are much alike."""
    away, own, within = (
        np.sqrt(squared_distances(one.vectors, two.vectors))
        for one, two in ((source, synthetic), (source, source), (synthetic, synthetic))
    )
    nearest, distance = away.argmin(axis=1), away.min(axis=1)
    chosen: list[int] = []
    for index in np.argsort(-distance, kind="stable").tolist():
        if len(chosen) == most:
            break
        if distance[index] > 0 and not (own[index, chosen] < _ALIKE * distance[index]).any():
            chosen.append(index)
    # A vector is its own nearest.
    usual = float(np.median(np.partition(within, 1, axis=1)[:, 1])) or 1.0
    return [
        Pair(
            Shot(source.seen[index], f"{distance[index] / usual:.1f} times as far as synthetic ones from each other"),
            Shot(synthetic.seen[int(nearest[index])], "the nearest synthetic picture"),
        )
        for index in chosen
    ]

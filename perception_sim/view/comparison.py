"""How far apart two datasets are, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .features import FEATURES, Values


def compare_features(first: Values, second: Values) -> list[dict[str, Any]]:
    """Per feature that both have: the medians and the Kolmogorov-Smirnov distance, the farthest apart first."""
    rows = [
        {
            "feature": feature.key,
            "title": feature.title,
            "unit": feature.unit,
            "medians": [float(f"{np.median(values[feature.key]):.6g}") for values in (first, second)],
            "distance": round(ks_distance(first[feature.key], second[feature.key]), 4),
        }
        for feature in FEATURES
        if len(first[feature.key]) and len(second[feature.key])
    ]
    return sorted(rows, key=lambda row: -row["distance"])


def ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """The two-sample Kolmogorov-Smirnov statistic: the greatest difference of the distribution functions, 0 to 1.

    Both must hold something. Source: N. Smirnov, "Table for estimating the goodness of fit of empirical
    distributions", Ann. Math. Statist. 19, 1948.
    """
    points = np.concatenate([first, second])
    shares = [np.searchsorted(np.sort(values), points, side="right") / len(values) for values in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


def compare_classes(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Which classes (of two `describe`) only one of them has objects of, and the distance of the class shares.

    ``distance`` is the total variation distance: the share of objects that would have to change class; None where
    one has no objects.
    """
    counts = [{row["name"]: row["labelled"] for row in one["classes"] if row["labelled"]} for one in (first, second)]
    totals = [sum(count.values()) for count in counts]
    distance = None
    if all(totals):
        names = sorted({*counts[0], *counts[1]})
        distance = sum(abs(counts[0].get(n, 0) / totals[0] - counts[1].get(n, 0) / totals[1]) for n in names) / 2
    return {
        "only_in_first": sorted(counts[0].keys() - counts[1].keys()),
        "only_in_second": sorted(counts[1].keys() - counts[0].keys()),
        "distance": None if distance is None else round(distance, 4),
    }

"""What a live evaluation found, as plain data for JSON: versions, windows, swaps, gaps, latency."""

from __future__ import annotations

from typing import Any

import numpy as np

from .live import LiveEvaluation
from .metrics import Scores, finite

#: Score from which on a detection counts in the stated precision and recall.
OPERATING_SCORE = 0.5
_MS = 1e-6  # milliseconds per nanosecond
_S = 1e-9  # seconds per nanosecond


def summarise(live: LiveEvaluation, swap_window_s: float = 2.0) -> dict[str, Any]:
    """The state of a live evaluation as JSON-ready data; figures without data are None.

    Times ending in ``_s`` are seconds since ``start_unix_s``. The latency is how old an image is, by its
    stamp, when its detections arrive; the response what lies between the arrivals of both, where images are
    looked at. A gap is the time between the arrivals of two consecutive outputs. A swap is a change from one
    serving version to another (the first model to serve is none), and its gap the largest of those that reach
    into ``swap_window_s`` seconds before or after it.
    """
    start = min((x for x in (_first_stamp(live), _first_output(live)) if x is not None), default=0)
    period = camera_period_ms(live)
    swaps = _swaps(live, start, swap_window_s, period)
    timed = [output for output in live.outputs if output.arrival]
    gaps = np.diff([output.arrival for output in timed]) * _MS
    latency = [(output.arrival - output.stamp) * _MS for output in timed]
    around = [swap["gap_ms"] for swap in swaps if swap["gap_ms"] is not None]
    worst = max(around, default=None)
    return {
        "start_unix_s": start * _S,
        "frames": {
            "truth": live.truth_count,
            "outputs": len(live.outputs),
            "scored": len(live.scored),
            "without_detections": live.unanswered + live.waiting(),
            "without_truth": live.without_truth,
            "duplicates": live.duplicates,
        },
        "classes": sorted(live.truth_names),
        "classes_without_truth": sorted(set(live.names) - live.truth_names),
        "camera_period_ms": period,
        "camera_hz": camera_hz(live),
        "serving_version": live.serving[-1].version if live.serving else None,
        "first_model_s": (live.serving[0].stamp - start) * _S if live.serving and live.serving[0].stamp else None,
        "recent_map50": finite(live.recent().map50),
        "versions": _versions(live),
        "windows": [
            {
                "version": window.version,
                "start_s": (window.first_stamp - start) * _S,
                "end_s": (window.last_stamp - start) * _S,
                "frames": window.scores.images,
                "map50": finite(window.scores.map50),
            }
            for window in live.windows()
        ],
        "swaps": swaps,
        "latency_ms": percentiles(latency),
        "response_ms": percentiles([value * _MS for value in live.responses]),
        "max_gap_ms": float(gaps.max()) if len(gaps) else None,
        "max_gap_around_swaps_ms": worst,
        "max_gap_around_swaps_periods": worst / period if worst is not None and period else None,
        "outputs": {
            "at_s": [round((output.arrival - start) * _S, 4) for output in timed],
            "latency_ms": [round(value, 2) for value in latency],
            "version": [live.version_of(output.stamp) for output in timed],
        },
    }


def camera_period_ms(live: LiveEvaluation) -> float | None:
    """The median time between the stamps of consecutive true frames, in milliseconds."""
    steps = np.diff(list(live.truth_stamps))
    return float(np.median(steps)) * _MS if len(steps) else None


def camera_hz(live: LiveEvaluation) -> float | None:
    """True frames per second between the first and the last of them; a recording that begins anew is no step."""
    steps = np.diff(list(live.truth_stamps))
    steps = steps[steps > 0]
    return len(steps) / (float(steps.sum()) * _S) if len(steps) else None


def percentiles(values: list[float]) -> dict[str, float | int | None]:
    """Median, 99th percentile and maximum, and how many values there are."""
    if not values:
        return {"p50": None, "p99": None, "max": None, "count": 0}
    p50, p99 = np.percentile(values, (50, 99))
    return {"p50": float(p50), "p99": float(p99), "max": float(max(values)), "count": len(values)}


def _versions(live: LiveEvaluation) -> list[dict[str, Any]]:
    result = []
    for version, metrics in live.versions().items():
        scores: Scores = metrics.compute()
        precision, recall = metrics.precision_recall(OPERATING_SCORE)
        result.append(
            {
                "version": version,
                "frames": scores.images,
                "objects": scores.objects,
                "map": finite(scores.map),
                "map50": finite(scores.map50),
                "map75": finite(scores.map75),
                "ap50": {live.names[label]: value for label, value in sorted(scores.ap50.items())},
                "precision_at_0.5": finite(precision),
                "recall_at_0.5": finite(recall),
            }
        )
    return result


def _swaps(live: LiveEvaluation, start: int, window_s: float, period_ms: float | None) -> list[dict[str, Any]]:
    arrivals = np.array([output.arrival for output in live.outputs if output.arrival], np.int64)
    result = []
    for before, after in zip(live.serving, live.serving[1:], strict=False):
        reach = int(window_s / _S)
        near = (arrivals[1:] >= after.arrival - reach) & (arrivals[:-1] <= after.arrival + reach)
        gaps = (np.diff(arrivals) * _MS)[near]
        gap = float(gaps.max()) if len(gaps) else None
        result.append(
            {
                "from": before.version,
                "to": after.version,
                "at_s": (after.arrival - start) * _S,
                "gap_ms": gap,
                "gap_periods": gap / period_ms if gap is not None and period_ms else None,
            }
        )
    return result


def _first_stamp(live: LiveEvaluation) -> int | None:
    return live.truth_stamps[0] if live.truth_stamps else None


def _first_output(live: LiveEvaluation) -> int | None:
    return live.outputs[0].stamp if live.outputs else None

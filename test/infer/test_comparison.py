"""Comparisons of replays whose differences are known."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from perception_common.errors import UserError
from perception_infer.evaluation.metrics import DetectionMetrics, ImageMatches
from perception_infer.replay.comparison import SCHEMA, Scored, compare, intervals_of
from perception_infer.replay.comparison_table import table
from perception_infer.replay.report.comparison import build_comparison

THRESHOLD = 0.5


def images_of(found: np.ndarray, classes: int = 2) -> list[ImageMatches]:
    """Frames with one object of each class: bool [F, classes], which are found; each frame has a false alarm as well.

    Scores of what is right lie above those of the false alarms, which are of class 0.
    """
    images = []
    for index, row in enumerate(found):
        hits = np.flatnonzero(row)
        labels = np.append(hits, 0)
        matched = np.zeros((10, len(labels)), bool)
        matched[:, : len(hits)] = True
        scores = np.append(np.full(len(hits), 0.9), 0.6 if index % 2 else 0.3)
        images.append(ImageMatches(scores, labels, matched, np.zeros_like(matched), np.arange(classes)))
    return images


def summary(classes: list[str], figures: dict[str, Any] | None, title: str, task: str) -> dict[str, Any]:
    return {
        "model": {"title": title, "task": task, "classes": classes},
        "running": {"backend": "onnxruntime", "precision": "fp32"},
        "bag": {
            "topic": "/image",
            "start_ns": 5,
            "end_ns": 60,
            "messages": 80,
            "duration_s": 8.0,
            "camera_hz": 10.0,
            "frames": 80,
            "skipped": [],
        },
        "truth": {"objects": 160},
        "classes": classes,
        "figures": figures,
        "stability": None,
        "timing": {
            "frames_per_second": 30.0 if title == "a:1" else 20.0,
            "realtime_factor": None,
            "latency_ms": {"total": {"p50": 20.0, "p99": 40.0, "max": 80.0}},
        },
    }


def detector(found: np.ndarray, title: str = "a:1", names: tuple[str, ...] = ("cone", "ball")) -> Scored:
    """A replay whose replay.json says what the metrics say."""
    images = images_of(found)
    order = [("cone", "ball").index(name) for name in names]
    place = np.argsort(order)
    images = [replace(image, labels=place[image.labels], truth=place[image.truth]) for image in images]
    metrics = DetectionMetrics(images)
    scores = metrics.compute()
    precision, recall = metrics.precision_recall(THRESHOLD)
    rows = []
    for label, name in enumerate(names):
        of_class = dict(zip(("precision", "recall"), metrics.precision_recall(THRESHOLD, label), strict=True))
        row = {"name": name, "ap": scores.ap[label], "ap50": scores.ap50[label], "threshold": THRESHOLD}
        rows.append(row | of_class)
    figures = {"map": scores.map, "map50": scores.map50, "map75": scores.map75, "classes": rows}
    figures |= {"precision": precision, "recall": recall, "f1": 2 * precision * recall / (precision + recall)}
    return Scored(summary(list(names), figures, title, "detection"), range(80), images)


def found(share: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((80, 2)) < share


def rows_of(comparison: dict[str, Any], pair: int = 0) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in comparison["pairs"][pair]["figures"]}


def test_a_replay_beside_itself() -> None:
    comparison = compare([detector(found(0.8)), detector(found(0.8))], resamples=60)
    assert comparison["schema"] == SCHEMA and comparison["frames"] == 80 and comparison["notes"] == []
    assert comparison["resampling"] == {"block": 8, "resamples": 60, "level": 0.95, "seed": 0}
    assert all(row["difference"] == 0 for row in rows_of(comparison).values())
    assert all(row["low"] == row["high"] == row["worse"] == 0 for row in rows_of(comparison).values() if row["of"])
    assert comparison["pairs"][0]["frames"] == []
    assert json.loads(json.dumps(comparison, allow_nan=False)) == comparison


def test_a_candidate_that_sees_less_is_worse() -> None:
    first, other = detector(found(0.9)), detector(found(0.9) & found(0.6, seed=1), "b:2")
    comparison = compare([first, other], resamples=100)
    rows = rows_of(comparison)
    for name in ("map", "map50", "recall", "f1", "ap50[cone]", "recall[ball]"):
        row = rows[name]
        assert row["high"] < 0 and row["worse"] == 1, name
        assert row["difference"] == pytest.approx(row["other"] - row["first"])
    assert rows["precision"]["worse"] > 0.5
    assert rows["fps"] == {
        "name": "fps",
        "figure": "fps",
        "of": None,
        "more_is_better": True,
        "first": 30.0,
        "other": 20.0,
        "difference": -10.0,
        "low": None,
        "high": None,
        "worse": None,
    }
    assert "miou" not in rows and "flicker" not in rows, "what nobody knows is left out"
    assert intervals_of(comparison)["map50"].is_worse
    assert intervals_of(compare([other, first], resamples=100))["map50"].is_worse is False


def test_the_table_agrees_with_the_pairs() -> None:
    comparison = compare([detector(found(0.9)), detector(found(0.7), "b:2")], resamples=20)
    rows = rows_of(comparison)
    for row in comparison["table"]:
        pair = rows[row["name"]]
        assert row["values"] == pytest.approx([pair["first"], pair["other"]], abs=1e-12), row["name"]


def test_classes_are_told_by_name_not_by_number() -> None:
    found_by_both = found(0.8)
    comparison = compare([detector(found_by_both), detector(found_by_both, "b:2", ("ball", "cone"))], resamples=30)
    for name, row in rows_of(comparison).items():
        assert name == "fps" or row["difference"] == pytest.approx(0, abs=1e-12), name
    assert comparison["pairs"][0]["frames"] == []


def test_a_class_that_one_model_does_not_know() -> None:
    first, other = detector(found(0.8)), detector(found(0.8) & [True, False], "b:2")
    other.summary["model"]["classes"] = ["cone"]
    other.summary["figures"]["classes"][1]["threshold"] = None
    comparison = compare([first, other], resamples=30)
    assert comparison["notes"] == ["b:2 (onnxruntime, fp32) does not know ball"]
    assert rows_of(comparison)["recall[ball]"]["other"] == 0
    assert rows_of(comparison)["recall[cone]"]["difference"] == 0


def test_frames_of_disagreement_are_the_greatest_and_apart() -> None:
    first, other = np.ones((80, 2), bool), np.ones((80, 2), bool)
    other[20:24] = False
    other[60, 0] = False
    replays = [replace(detector(which), keys=range(100, 180)) for which in (first, other)]
    frames = compare(replays, resamples=20)["pairs"][0]["frames"]
    # Frame 20 stands for its neighbours; its false alarm is below the threshold.
    assert frames == [
        {"index": 120, "disagreement": 2.0, "errors": [0.0, 2.0]},
        {"index": 160, "disagreement": 1.0, "errors": [0.0, 1.0]},
    ]


def segmenter(right: np.ndarray, title: str = "a:1") -> Scored:
    """Frames of 100 pixels, half of them of the class; int [F], how many of either are right."""
    pixels = [np.array([[r, 50 - r], [50 - r, r]]) for r in right]
    total = np.sum(pixels, axis=0)
    iou = np.diag(total) / (total.sum(0) + total.sum(1) - np.diag(total))
    accuracy = float(np.trace(total) / total.sum())
    listed = [
        {"name": name, "iou": float(value), "precision": accuracy, "recall": accuracy}
        for name, value in zip(("background", "cone"), iou, strict=True)
    ]
    figures = {"miou": float(iou[1]), "pixel_accuracy": accuracy, "classes": listed}
    return Scored(summary(["cone"], figures, title, "segmentation"), range(80), pixels=pixels)


def test_segmenters() -> None:
    right = np.random.default_rng(0).integers(40, 50, 80)
    worse = right - 3
    worse[30] -= 20
    comparison = compare([segmenter(right), segmenter(worse, "b:2")], resamples=60)
    rows = rows_of(comparison)
    for name in ("miou", "pixel_accuracy", "iou[cone]", "iou[background]"):
        assert rows[name]["high"] < 0, name
    best = comparison["pairs"][0]["frames"][0]
    assert best["index"] == 30 and best["errors"] == pytest.approx([(50 - x[30]) / 50 for x in (right, worse)])
    assert best["disagreement"] == pytest.approx(0.46)
    assert [row["name"] for row in comparison["table"]][:2] == ["miou", "pixel_accuracy"]


def test_without_truth_what_is_known_is_still_compared() -> None:
    replays = [Scored(summary(["cone"], None, title, "detection"), ()) for title in ("a:1", "b:2")]
    comparison = compare(replays)
    assert comparison["notes"] == ["no frame has a truth: nothing tells which model is right"]
    assert rows_of(comparison)["fps"]["difference"] == -10
    assert set(rows_of(comparison)) == {"p50_ms", "p99_ms", "max_ms", "fps", "frames", "skipped", "objects"}
    assert "−" in table(comparison)


def changed(scored: Scored, part: str, **values: object) -> Scored:
    return replace(scored, summary={**scored.summary, part: {**scored.summary[part], **values}})


def test_replays_of_other_frames_are_refused() -> None:
    one = detector(found(0.8))
    other = detector(found(0.8), "b:2")
    twice = replace(other.images[7], truth=np.array([0, 1, 1]))
    cases = [
        ([one], "1 replays to compare"),
        ([one, changed(other, "bag", start_ns=6)], "the bag's start_ns is 6, not 5"),
        ([one, changed(other, "bag", topic="/left")], "the bag's topic is /left, not /image"),
        ([one, replace(other, keys=range(79), images=other.images[:79])], "frame 79 only in one of them"),
        ([one, other, replace(other, images=[*other.images[:7], twice, *other.images[8:]])], "1 of 80 frames differ"),
        ([one, segmenter(np.full(80, 45))], "is for segmentation"),
    ]
    for replays, message in cases:
        with pytest.raises(UserError) as caught:
            compare(replays, resamples=10)
        assert message in str(caught.value)
    with pytest.raises(ValueError, match="79 frames were scored"):
        compare([one, replace(other, images=other.images[:79])])


def test_few_frames_say_so() -> None:
    few = replace(detector(found(0.8)), keys=range(6), images=detector(found(0.8)).images[:6])
    comparison = compare([few, few])
    assert comparison["notes"] == ["no intervals: 6 frames are fewer than 5 blocks of 2"]
    assert intervals_of(comparison)["map50"].is_worse is None


def test_the_table_of_two() -> None:
    first, other = detector(found(0.9)), detector(found(0.9) & found(0.6, seed=1), "b:2")
    lines = table(compare([first, other], resamples=50)).splitlines()
    assert lines[:3] == [
        "A  a:1 (onnxruntime, fp32)",
        "B  b:2 (onnxruntime, fp32)",
        "80 frames with truth; 95% intervals of 50 resamples, blocks of 8 frames",
    ]
    head = next(line for line in lines if "P(worse)" in line)
    assert head.split() == ["A", "B", "B", "−", "A", "95%", "interval", "P(worse)"]
    (line,) = (line for line in lines if line.startswith("map50 "))
    assert line.endswith("100.0%  worse") and " … " in line
    (line,) = (line for line in lines if line.startswith("fps "))
    assert line.split() == ["fps", "30.00", "20.00", "-10.00"]
    # Columns end where their heads end.
    end = head.index("A") + 1
    assert all(line[end - 1] != " " and line[end] == " " for line in lines[lines.index(head) + 1 :])


def test_the_table_of_many_models_and_classes_fits() -> None:
    names = tuple(f"class number {index} with a long name" for index in range(30))
    rng = np.random.default_rng(0)
    replays = []
    for title in ("a:1", *(f"{letter * 150}:1" for letter in "bcdefghi")):
        images = images_of(rng.random((80, 30)) < 0.8, classes=30)
        rows = [{"name": name, "ap50": 0.5, "threshold": THRESHOLD} for name in names]
        replays.append(Scored(summary(list(names), {"classes": rows}, title, "detection"), range(80), images))
    text = table(compare(replays, resamples=10))
    assert max(len(line) for line in text.splitlines()) <= 120
    assert "\n10 more classes, which differ less, are not shown" in text
    assert all(f"{letter} − A" in text for letter in "BCDEFGHI")


def test_the_page_of_several_models_links_their_reports_and_lets_no_markup_in() -> None:
    hostile = "<script>alert(1)</script>"
    replays = [detector(found(share), title) for share, title in ((0.9, "a:1"), (0.5, hostile), (0.8, "c:3"))]
    page = build_comparison(compare(replays, resamples=30), ["0-a/report.html", "", "2-c d/report.html"], hostile)
    assert hostile not in page
    assert "&lt;script&gt;" in page
    assert 'href="2-c%20d/report.html"' in page
    assert re.search(r'href="0-a/report.html#frame=\d+"', page)
    assert page.count("<h2>") == 3, "two pairs, and all figures"

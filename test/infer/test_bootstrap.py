"""Weighted figures against DetectionMetrics over repeated frames, and intervals against what is known of them."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from perception_infer.evaluation.metrics import IOU_THRESHOLDS, DetectionMetrics, ImageMatches
from perception_infer.replay.bootstrap import (
    DetectionCounts,
    Interval,
    PixelCounts,
    Resampling,
    block_length,
    compared,
)

Ints = np.ndarray


def random_images(
    rng: np.random.Generator, frames: int, classes: int, detections: float, levels: int = 0, ignored: float = 0.05
) -> list[ImageMatches]:
    """Frames whose better detections are right more often; few score ``levels`` give equal scores, 0 none."""
    images = []
    for _ in range(frames):
        count = rng.poisson(detections)
        scores = np.sort(rng.integers(1, levels + 1, count) / levels if levels else rng.random(count))[::-1]
        labels = rng.integers(0, classes, count)
        quality = 0.5 * scores + 0.5 * rng.random(count)
        matched = quality > 0.9 * IOU_THRESHOLDS[:, None]
        passed_over = (rng.random(matched.shape) < ignored) & ~matched
        hits = np.bincount(labels[matched[0]], minlength=classes)
        truth = np.repeat(np.arange(classes), hits + rng.integers(0, 2, classes))
        images.append(ImageMatches(scores, labels, matched, passed_over, truth))
    return images


def ranked(images: list[ImageMatches]) -> list[ImageMatches]:
    """The same with every score replaced by its place in the order of the metrics, so that none are equal."""
    scores = np.concatenate([image.scores for image in images])
    order = np.argsort(-scores, kind="stable")
    place = np.empty(len(order))
    place[order] = 1 - np.arange(len(order)) / max(len(order), 1)
    parts = np.split(place, np.cumsum([len(image.scores) for image in images])[:-1])
    return [replace(image, scores=part) for image, part in zip(images, parts, strict=True)]


def expected(images: list[ImageMatches], weights: Ints, classes: int, threshold: float) -> dict[str, float]:
    metrics = DetectionMetrics(images[index] for index in np.repeat(np.arange(len(images)), weights))
    scores = metrics.compute()
    figures = {"map": scores.map, "map50": scores.map50, "map75": scores.map75}
    figures["precision"], figures["recall"] = metrics.precision_recall(threshold)
    for label in range(classes):
        figures[f"ap[{label}]"] = scores.ap.get(label, np.nan)
        figures[f"ap50[{label}]"] = scores.ap50.get(label, np.nan)
        figures[f"precision[{label}]"], figures[f"recall[{label}]"] = metrics.precision_recall(threshold, label)
    return figures


def counts_of(images: list[ImageMatches], classes: int, threshold: float = 0.3) -> DetectionCounts:
    return DetectionCounts(images, [str(label) for label in range(classes)], [threshold] * classes)


def figures(counts: DetectionCounts | PixelCounts, weights: Ints) -> dict[str, float]:
    return dict(zip(counts.names, counts.figures(weights[None])[0].tolist(), strict=True))


def assert_equal(found: dict[str, float], wanted: dict[str, float], tolerance: float = 1e-12) -> None:
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("seed", range(40))
def test_equal_to_the_metrics_of_repeated_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames, classes = int(rng.integers(1, 30)), int(rng.integers(1, 6))
    images = random_images(rng, frames, classes, float(rng.integers(0, 9)), ignored=0.1 * (seed % 2))
    counts = counts_of(images, classes)
    drawn = [np.ones(frames, int), *rng.multinomial(frames, np.full(frames, 1 / frames), 3)]
    for weights in drawn:
        assert_equal(figures(counts, weights), expected(images, weights, classes, 0.3))


@pytest.mark.parametrize("seed", range(20))
def test_equal_scores_keep_the_order_of_frames(seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = random_images(rng, 25, 3, 8, levels=5)
    counts = counts_of(images, 3)
    assert_equal(figures(counts, np.ones(25, int)), expected(images, np.ones(25, int), 3, 0.3))
    weights = rng.multinomial(25, np.full(25, 1 / 25))
    found = figures(counts, weights)
    # Copies of a detection stand together: exact where the metrics are told so …
    exact = expected(ranked(images), weights, 3, 0.3)
    assert_equal(found, {name: value for name, value in exact.items() if name.startswith(("map", "ap"))})
    # … and near where they let copies of whole frames alternate, though a fifth of all scores are equal here.
    assert_equal(found, expected(images, weights, 3, 0.3), tolerance=0.02)


def test_without_detections_truth_or_frames() -> None:
    nothing = ImageMatches(np.zeros(0), np.zeros(0, int), *(np.zeros((10, 0), bool),) * 2, np.zeros(0, int))
    missed = replace(nothing, truth=np.array([1]))
    assert_equal(
        figures(counts_of([nothing, missed], 2), np.ones(2, int)),
        {"map": 0, "recall": 0, "precision": np.nan, "f1": np.nan, "ap50[0]": np.nan, "ap50[1]": 0},
    )
    assert all(np.isnan(value) for value in figures(counts_of([nothing], 2), np.ones(1, int)).values())
    none = compared([counts_of([], 2), counts_of([], 2)], Resampling(1))[0]
    assert none["map"] == Interval(None, None, None, None, None, None)


def test_identical_replays_do_not_differ() -> None:
    images = random_images(np.random.default_rng(0), 60, 3, 5)
    counts = counts_of(images, 3)
    for name, interval in compared([counts, counts], Resampling(5, 50))[0].items():
        assert interval[2:] == (0, 0, 0, 0), name
        assert interval.is_worse is False


def blinded(images: list[ImageMatches], rng: np.random.Generator, share: float) -> list[ImageMatches]:
    """The same with so many detections lost."""
    kept = [rng.random(len(image.scores)) >= share for image in images]
    return [
        replace(i, scores=i.scores[k], labels=i.labels[k], matched=i.matched[:, k], ignored=i.ignored[:, k])
        for i, k in zip(images, kept, strict=True)
    ]


def test_who_sees_less_is_worse_and_the_other_is_not() -> None:
    rng = np.random.default_rng(0)
    images = random_images(rng, 200, 3, 5)
    good, bad = counts_of(images, 3), counts_of(blinded(images, rng, 0.3), 3)
    worse, better = (compared(pair, Resampling(6, 200))[0]["map50"] for pair in ([good, bad], [bad, good]))
    assert worse.is_worse and worse.worse == 1 and worse.difference is not None and worse.difference < -0.1
    assert better.is_worse is False and better.worse == 0
    assert (better.low, better.high) == pytest.approx((-worse.high, -worse.low))


def test_the_seed_decides_and_more_models_change_nothing() -> None:
    rng = np.random.default_rng(1)
    images = random_images(rng, 80, 2, 5)
    models = [counts_of(images, 2), *(counts_of(blinded(images, rng, share), 2) for share in (0.1, 0.2))]
    once, again, other = (compared(models[:2], Resampling(4, 120, seed=seed)) for seed in (3, 3, 4))
    assert once == again and once != other
    assert compared(models, Resampling(4, 120, seed=3))[0] == once[0]


def test_too_few_blocks_have_no_interval() -> None:
    counts = counts_of(random_images(np.random.default_rng(0), 49, 2, 5), 2)
    told = compared([counts, counts], Resampling(10, 50))[0]["map"]
    assert told.difference == 0 and told.is_worse is None and told[3:] == (None, None, None)


def pixels(rng: np.random.Generator, frames: int) -> list[Ints]:
    return [rng.integers(0, 50, (3, 3)) for _ in range(frames)]


def test_pixels_against_their_summed_confusion() -> None:
    rng = np.random.default_rng(0)
    frames = pixels(rng, 12)
    weights = rng.multinomial(12, np.full(12, 1 / 12))
    total = sum(weight * frame for weight, frame in zip(weights, frames, strict=True))
    right, either = np.diag(total), total.sum(0) + total.sum(1) - np.diag(total)
    found = figures(PixelCounts(frames, ["a", "b"]), weights)
    assert_equal(found, {"miou": (right / either)[1:].mean(), "pixel_accuracy": right.sum() / total.sum()})
    assert_equal(found, {"iou[background]": right[0] / either[0], "recall[b]": right[2] / total[2].sum()})


def lasting(rng: np.random.Generator, frames: int, runs: int) -> list[Ints]:
    """Two classes of 1000 pixels a frame; how many are right wanders slowly around 800."""
    steps = rng.normal(0, 1, frames + runs)
    drift = np.convolve(steps, np.ones(runs) / np.sqrt(runs), "valid")[:frames]
    right = np.clip(np.round(800 + 60 * drift), 0, 1000).astype(int)
    return [np.array([[r, 1000 - r], [1000 - r, r]]) for r in right]


def covered(block: int) -> float:
    """How often 95 % intervals of equally good models hold the true difference, zero."""
    hits, worlds = 0, 100
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        pair = [PixelCounts(lasting(rng, 400, 15), ["a"]) for _ in range(2)]
        told = compared(pair, Resampling(block, 200, seed=seed))[0]["pixel_accuracy"]
        assert told.low is not None and told.high is not None
        hits += told.low <= 0 <= told.high
    return hits / worlds


def test_blocks_cover_the_truth_where_single_frames_do_not() -> None:
    # Deterministic. Frames that depend on 15 neighbours: single ones claim four times the evidence that there is.
    assert covered(block=40) >= 0.85
    assert covered(block=1) <= 0.6


@pytest.mark.parametrize("block", [1, 8, 20])
def test_intervals_of_independent_frames_are_as_wide_as_theory_says(block: int) -> None:
    pair = [PixelCounts(lasting(np.random.default_rng(seed), 2000, 1), ["a"]) for seed in (1, 2)]
    told = compared(pair, Resampling(block, 500))[0]["pixel_accuracy"]
    assert told.low is not None and told.high is not None
    # Of 1000 pixels, the right ones of a frame have a standard deviation of 60; 95 % of a normal distribution.
    assert told.high - told.low == pytest.approx(2 * 1.96 * 0.06 * np.sqrt(2 / 2000), rel=0.2)


@pytest.mark.parametrize(
    ("frames", "rate", "length"), [(0, None, 1), (1, 30, 1), (60, 30, 6), (3000, 30, 30), (1000, None, 10), (300, 1, 7)]
)
def test_a_block_is_a_second_where_the_recording_is_long(frames: int, rate: float | None, length: int) -> None:
    assert block_length(frames, rate) == length


def test_ten_thousand_frames_take_seconds() -> None:
    images = random_images(np.random.default_rng(0), 10_000, 6, 10)
    counts = counts_of(images, 6)
    began = time.perf_counter()
    compared([counts, counts], Resampling(30, 50))
    # Two cores, both busy, take 0.6 s for these 50 resamples: a thousand are seconds, and far from minutes.
    assert time.perf_counter() - began < 10

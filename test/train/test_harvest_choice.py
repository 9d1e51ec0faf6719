"""Which frames a harvest picks: worth a label, unlike each other and what is known, and some by lot."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import safetensors.torch
import torch
from bundles import write_detector

from perception_infer.models import open_bundle
from perception_train.harvest.choice import Candidates, balanced, novelty, pick, standing_out, usual_of, values_of
from perception_train.harvest.embedding import PictureEmbedding, choose_embedding, thumbnail
from perception_train.models import build_model


def candidates(count: int, **changes: Any) -> Candidates:
    rng = np.random.default_rng(1)
    told = dict(
        bags=np.zeros(count, np.intp),
        times=np.arange(count, dtype=np.int64) * 100,
        values=np.full(count, 0.5),
        usable=np.ones(count, bool),
        embeddings=rng.standard_normal((count, 4)).astype(np.float32),
        thumbnails=rng.integers(0, 256, (count, 16), np.uint8),
    )
    return Candidates(**{**told, **changes})


def test_picks_are_worth_it_and_unlike_each_other() -> None:
    vectors = np.array([[0], [0.1], [5], [5.1], [10]], np.float32)
    values = np.array([0.2, 0.9, 0.9, 0.8, 0.1])
    told = candidates(5, embeddings=vectors, values=values)
    assert [entry.row for entry in pick(told, 3, 0.0, 0, 0.0, 0)] == [1, 2, 4]
    unusable = dataclasses.replace(told, usable=np.arange(5) != 1)
    assert [entry.row for entry in pick(unusable, 5, 0.0, 0, 0.0, 0)] == [2, 0, 4, 3]
    # Worth alone would have taken the fourth.
    assert [entry.distance for entry in pick(told, 3, 0.0, 0, 0.0, 0)] == [None, pytest.approx(4.9), pytest.approx(5)]


def test_picks_lie_apart_and_no_two_look_alike() -> None:
    rows = [entry.row for entry in pick(candidates(20), 20, 0.0, 250, 0.0, 0)]
    assert len(rows) >= 5
    assert min(np.diff(sorted(rows))) >= 3
    # Another recording was somewhere else at the same time.
    assert len(pick(candidates(20, bags=np.arange(20)), 20, 0.0, 250, 0.0, 0)) == 20
    thumbnails = np.random.default_rng(2).integers(0, 200, (20, 16), np.uint8)
    thumbnails[5:12] = thumbnails[5]
    # In other light, and with a little noise.
    thumbnails[6] += 30
    thumbnails[7, 3] += 9
    alike = {entry.row for entry in pick(candidates(20, thumbnails=thumbnails), 20, 0.0, 0, 10.0, 0)}
    assert len(alike) == 14
    known = pick(candidates(20, thumbnails=thumbnails), 20, 0.0, 0, 10.0, 0, known=thumbnails[5:6])
    assert {entry.row for entry in known} == set(range(20)) - set(range(5, 12))


def test_some_are_drawn_by_lot_and_mixed_with_the_others() -> None:
    told = candidates(200, values=np.linspace(0, 1, 200))
    picks = pick(told, 20, 0.25, 0, 0.0, 3)
    assert [entry.by_lot for entry in picks] == ([False] * 3 + [True]) * 5
    assert picks == pick(told, 20, 0.25, 0, 0.0, 3)
    assert picks != pick(told, 20, 0.25, 0, 0.0, 4)
    few = pick(told, 150, 0.1, 2000, 0.0, 0)
    assert len(few) < 12
    assert sum(entry.by_lot for entry in few) == 1
    lots = [entry.row for seed in range(40) for entry in pick(told, 5, 1.0, 0, 0.0, seed)]
    assert np.mean(lots) == pytest.approx(100, abs=12)


def test_worth_is_that_one_reason_holds() -> None:
    scores = {name: np.array([0.0, 1.0]) for name in ("uncertainty", "disagreement", "inconsistency")}
    scores["novelty"] = np.array([0.5, 1.0])
    weights = dict(uncertainty=0.5, disagreement=0.5, inconsistency=0.0, novelty=1.0)
    assert values_of(scores, np.array([1.0, 0.5]), weights).tolist() == [0.5, 0.5]


def test_what_all_frames_have_counts_nothing() -> None:
    scores = {"uncertainty": np.array([0.6, 0.6, 0.6, 0.8, 1.0]), "novelty": np.array([0, 0, 0, 0, 0.5])}
    counted = standing_out(scores, usual_of(scores))
    assert counted["uncertainty"] == pytest.approx([0, 0, 0, 0.5, 1])
    assert counted["novelty"].tolist() == scores["novelty"].tolist()
    assert standing_out({"a": np.ones(3)}, {"a": 1.0})["a"].tolist() == [0, 0, 0]


def test_novelty_is_measured_by_what_is_usual() -> None:
    rng = np.random.default_rng(0)
    known = rng.standard_normal((50, 3)).astype(np.float32)
    scores, times = novelty(np.concatenate([known[:2], [[30.0, 0, 0]]]).astype(np.float32), known)
    assert scores[:2].tolist() == [0, 0]
    assert times[2] > 20
    assert scores[2] == pytest.approx(1 - 1 / times[2])
    frames = np.concatenate([rng.normal(0, 0.1, (60, 3)), [[3.0, 0, 0]]]).astype(np.float32)
    scores, _ = novelty(frames, None)
    assert int(np.argmax(scores)) == 60
    assert scores[60] > 0.8
    assert np.median(scores) == 0
    # All the same: nothing is novel.
    assert novelty(np.ones((5, 3), np.float32), None)[0].tolist() == [0] * 5
    # Numbers a thousand times as large count no more.
    parts = np.concatenate([frames, 1000 * frames], 1)
    even, _ = balanced(parts, None, (3, 3))
    assert np.allclose(even[:, :3], even[:, 3:], rtol=1e-4)


def test_the_model_s_own_features_are_part_of_the_embedding(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = safetensors.torch.save(build_model("yolo_n", 3).state_dict())
    bundle = open_bundle(write_detector(tmp_path, "net", size=(96, 64), architecture="yolo_n", weights=weights))
    embedding, missing = choose_embedding("auto", bundle)
    assert missing == ""
    assert embedding.parts == (176, 256)
    rgb = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    one, other = embedding.of(rgb), embedding.of(cv2.blur(rgb, (9, 9)))
    assert np.array_equal(one[:176], PictureEmbedding().of(rgb))
    for part in (slice(0, 176), slice(176, None)):
        assert np.linalg.norm(one[part] - other[part]) > 0.05
    assert np.array_equal(one, embedding.of(rgb))
    assert choose_embedding("picture", bundle)[0].parts == (176,)
    unknown, missing = choose_embedding("auto", open_bundle(write_detector(tmp_path)))
    assert (unknown.parts, missing) == ((176,), "unknown architecture 'rectangles'")


def test_thumbnails_average_noise_away() -> None:
    rng = np.random.default_rng(0)
    rgb = cv2.resize(rng.integers(0, 256, (12, 16, 3), np.uint8), (640, 480))
    noisy = np.clip(rgb + rng.normal(0, 8, rgb.shape), 0, 255).astype(np.uint8)
    away = np.abs(thumbnail(rgb).astype(int) - thumbnail(noisy))
    assert away.max() <= 3

"""A new model that answers live frames beside the one that serves, before it may take over."""

from __future__ import annotations

import numpy as np
import pytest
from servers import PICTURE, Bench, at_rest, version

from perception_infer.contract.detections import Detections, Segmentation
from perception_infer.evaluation.agreement import agreement
from perception_infer.predictor import NotFinite, Predictor
from perception_infer.serving import ModelServer


def frame(server: ModelServer, agreed: float | Exception | None = 1.0) -> int:
    """A frame as the node takes it: answered, then tried on the candidate; the version that answered."""
    tried: list[int] = []

    def compare(candidate: Predictor) -> float | None:
        tried.append(candidate.bundle.manifest.version)
        candidate.predict(PICTURE)
        if isinstance(agreed, Exception):
            raise agreed
        return agreed

    answered = version(server)
    server.audition(compare)
    assert answered not in tried
    return answered


def candidate(bench: Bench, **rules: object) -> ModelServer:
    bench.write(2)
    return bench.succeeding(**rules)


def test_it_takes_over_after_its_frames(bench: Bench) -> None:
    server = candidate(bench, canary_frames=3, canary_agreement=0.6)
    assert server.replacing
    assert [frame(server, agreed) for agreed in (0.2, 0.9, 0.7)] == [1, 1, 1]
    assert server.status().canary == pytest.approx(0.6)
    assert [frame(server) for _ in range(2)] == [2, 2]
    assert (server.status().swaps, bench.loader.closed) == (1, [1])


def test_one_that_disagrees_is_refused(bench: Bench) -> None:
    server = candidate(bench, canary_frames=2, canary_agreement=0.6)
    assert [frame(server, 0.5) for _ in range(4)] == [1] * 4
    assert "agrees by 0.50 with the model that serves, over 2 frames" in server.status().last_error
    assert (bench.loader.closed, server.status().swaps, server.replacing) == ([2], 0, False)
    server.announce(bench.announcement(2))
    at_rest(server, loads=3)
    assert [frame(server) for _ in range(3)] == [1, 1, 2], "announced again it begins anew"


@pytest.mark.parametrize(
    "error", [NotFinite("answers with numbers that are not finite"), RuntimeError("out of memory")]
)
def test_one_that_fails_is_refused_at_once(bench: Bench, error: Exception) -> None:
    server = candidate(bench, canary_frames=5)
    assert [frame(server, error), frame(server)] == [1, 1]
    assert "frame 1 beside the model that serves failed" in server.status().last_error
    assert bench.loader.closed == [2]


def test_what_cannot_be_compared_takes_over(bench: Bench) -> None:
    server = candidate(bench, canary_frames=5, canary_agreement=1.0)
    assert [frame(server, None), frame(server)] == [1, 2]


def test_a_newer_candidate_takes_the_place(bench: Bench) -> None:
    server = candidate(bench, canary_frames=3)
    assert frame(server, 0.0) == 1
    bench.write()
    server.announce(bench.announcement(3))
    at_rest(server, loads=3)
    assert bench.loader.closed == [2]
    assert [frame(server) for _ in range(4)] == [1, 1, 1, 3]
    assert server.status().canary == 1.0


def test_a_newer_candidate_that_comes_during_the_comparison(bench: Bench) -> None:
    server = candidate(bench, canary_frames=1)
    bench.write()

    def compare(predictor: Predictor) -> float:
        server.announce(bench.announcement(3))
        at_rest(server, loads=3)
        predictor.predict(PICTURE)
        return 1.0

    assert version(server) == 1
    server.audition(compare)
    assert bench.loader.closed == [2]
    assert [frame(server) for _ in range(2)] == [1, 3]


def test_the_first_model_of_all_needs_no_canary(bench: Bench) -> None:
    bench.write()
    server = bench.server(canary_frames=5)
    server.load_first()
    assert frame(server) == 1


def found(*rows: tuple[float, float, int]) -> Detections:
    """Boxes of 10 pixels at those corners, with a label each."""
    corners = np.array([row[:2] for row in rows], np.float32).reshape(-1, 2)
    labels = np.array([row[2] for row in rows], np.int32)
    return Detections(np.hstack([corners, corners + 10]), np.ones(len(rows), np.float32), labels)


def test_agreement_of_detections() -> None:
    classes, turned = ("cat", "dog"), ("dog", "cat")
    one = found((0, 0, 0), (50, 50, 1))
    assert agreement(one, one, classes, classes) == 1.0
    assert agreement(one, found((0, 0, 1), (51, 50, 0)), classes, turned) == 1.0, "classes are compared by name"
    assert agreement(one, found((0, 0, 1), (50, 50, 0)), classes, classes) == 0.0
    assert agreement(one, found((0, 0, 0)), classes, classes) == pytest.approx(2 / 3)
    assert agreement(one, found((8, 8, 0), (50, 50, 1)), classes, classes) == 0.5
    assert agreement(found(), found(), classes, classes) == 1.0
    assert agreement(one, found(), classes, classes) == 0.0


def test_agreement_of_masks() -> None:
    mask = np.zeros((4, 4), np.uint8)
    other = mask.copy()
    other[0] = 1
    sure = np.full((4, 4), 255, np.uint8)
    assert agreement(Segmentation(mask, sure), Segmentation(other, sure), ("floor",), ("floor",)) == 0.75
    assert agreement(Segmentation(mask, sure), Segmentation(other, sure), ("floor",), ("wall",)) is None
    assert agreement(Segmentation(mask, sure), found(), ("floor",), ("floor",)) is None

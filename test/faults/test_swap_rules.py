"""Faults of swaps that the rules of serving meet, with the real loader in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import write_detector
from hostility import accepted, relist, served
from matrix import Fault, zero
from servers import PICTURE, Bench, at_rest, version
from swapping import SWAPS, regraph, startled, startling
from waiting import until

from perception_infer.contract.detections import Detections
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.evaluation.agreement import agreement
from perception_infer.predictor import Predictor
from perception_infer.serving import Answer, ModelServer


@pytest.mark.fault(
    SWAPS,
    "a newer announcement while one is loaded",
    "versions 3 and 4 announced while 2 is being loaded",
    "2 is given up, 3 is never begun, only 4 serves",
)
def test_superseded(fault: Fault, bench: Bench) -> None:
    bench.write(4)
    server = bench.serving(1)
    bench.hold(server, 2)
    server.announce(bench.announcement(3))
    server.announce(bench.announcement(4))
    bench.loader.gate.set()
    until(lambda: version(server) == 4)
    assert (bench.loader.asked, server.status().refused) == ([1, 2, 4], 0)
    fault.observe("superseded versions that served", server.status().swaps - 1, zero)
    other = bench.serving(1)
    for number in (2, 3, 4):
        other.announce(bench.announcement(number))
        until(lambda number=number: version(other) == number)
    fault.plant("each announcement served to its end", other.status().swaps - 1)


@pytest.mark.fault(
    SWAPS,
    "a manifest that is not its graph's",
    "another input size, fewer slots, a batch of 2; one class more without its threshold, two classes for a graph of 3",
    "0 accepted, one clear line each",
)
def test_wrong_manifests(fault: Fault, tmp_path: Path) -> None:
    def shaped(told: dict[str, Any], width: int, batch: int, slots: int) -> dict[str, Any]:
        told["input"] |= {"width": width, "batch": batch}
        told["suppression"]["slots"] = slots
        for variant in told["variants"].values():
            for tensor in (*variant["inputs"], *variant["outputs"]):
                tensor["shape"][0] = batch
                tensor["shape"][1:2] = [slots] if tensor["name"] != "image" else tensor["shape"][1:2]
                tensor["shape"][2:3] = [width] if tensor["name"] == "image" else tensor["shape"][2:3]
        return told

    def changed(number: int, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[], None]:
        bundle = write_detector(tmp_path / str(number))
        relist(bundle, **change(json.loads((bundle / MANIFEST_NAME).read_text())))
        return served(bundle)

    wrong: list[Callable[[dict[str, Any]], dict[str, Any]]] = [
        lambda told: shaped(told, 640, 1, 8),
        lambda told: shaped(told, 320, 2, 8),
        lambda told: shaped(told, 320, 1, 4),
        lambda told: told | {"classes": ["red", "green", "blue", "grey"]},
        lambda told: told | {"classes": ["red", "green"]},
        lambda told: told | {"classes": ["red", "green"], "thresholds": [0.5, 0.5]},
    ]
    attempts = [changed(number, change) for number, change in enumerate(wrong)]
    fault.observe(f"accepted of {len(wrong)}", accepted(*attempts), zero)
    fault.plant("the graph's own shapes", accepted(changed(len(wrong), lambda told: shaped(told, 320, 1, 8))))


@pytest.mark.fault(
    SWAPS,
    "the classes change",
    "a newer version with other class names, on_class_change at its default",
    "refused, 0 of its answers published",
)
def test_class_change(fault: Fault, bench: Bench) -> None:
    bench.write()
    bench.write(classes=("cone", "barrel", "box"))
    strict, lax = bench.serving(1), bench.server(accept_class_change=True)
    strict.announce(bench.announcement(2))
    at_rest(strict, refused=1)
    assert "the classes change" in strict.status().last_error and version(strict) == 1
    fault.observe("loaded", strict.status().loads - 1, zero)
    lax.load_first(1)
    lax.announce(bench.announcement(2))
    at_rest(lax, loads=2)
    fault.plant("on_class_change accept", lax.status().loads - 1)


def candidate(bench: Bench, value: float, **rules: Any) -> ModelServer:
    """A server of version 1 with a version 2 at hand that has other scores where there is white."""
    bench.write(2)
    regraph(bench.root / "rectangles" / "2", lambda graph: startled(graph, "scores", value))
    return bench.succeeding(**rules)


@pytest.mark.fault(
    SWAPS,
    "the new model fails on its third frame",
    "a graph that answers NaN where a pixel is white, and a third frame with a white corner",
    "the old one answers that frame and serves again, 0 frames without an answer",
)
def test_roll_back(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    def unanswered(server: ModelServer) -> int:
        count = 0
        for picture in (PICTURE, PICTURE, startling(), PICTURE):
            try:
                count += server.answer(lambda predictor, picture=picture: predictor.predict(picture)) is None
            except Exception:  # as the node's worker does
                count += 1
        return count

    server = candidate(bench, np.nan, watch_frames=30)
    missing = unanswered(server)
    status = server.status()
    assert (status.version, status.swaps, status.rolled_back, status.refused) == (1, 1, 1, 1)
    assert "frame 3 that it served failed" in status.last_error
    fault.observe("frames without an answer", missing, zero)
    other = Bench(tmp_path / "others")
    fault.plant("the old model freed at once (watch_frames 0)", unanswered(candidate(other, np.nan, watch_frames=0)))
    other.close()


@pytest.mark.fault(
    SWAPS,
    "a canary that disagrees",
    "a graph that passes its reference images and finds nothing in live frames, canary_frames 3",
    "refused after 3 frames, 0 frames answered by it",
)
def test_canary(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    def agreed(answer: Answer[Detections], other: Predictor) -> float | None:
        return agreement(answer.value, other.predict(startling()), answer.predictor.classes, other.classes)

    def answered(server: ModelServer) -> int:
        count = 0
        for _ in range(6):
            answer = server.answer(lambda predictor: predictor.predict(startling()))
            assert answer is not None
            count += answer.predictor.bundle.manifest.version == 2
            server.audition(partial(agreed, answer))
        return count

    server = candidate(bench, 0.0, canary_frames=3, canary_agreement=0.5)
    count = answered(server)
    assert "agrees by 0.00 with the model that serves, over 3 frames" in server.status().last_error
    fault.observe("frames answered by it of 6", count, zero)
    other = Bench(tmp_path / "others")
    fault.plant("no canary", answered(candidate(other, 0.0)))
    other.close()

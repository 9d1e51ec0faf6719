"""Scoring of live detections: matching by stamp, versions, windows, gaps, sample pictures."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from perception_infer.evaluation.live import Boxes, LiveEvaluation, ScoredFrame
from perception_infer.evaluation.reports import Reports
from perception_infer.evaluation.samples import SampleStore
from perception_infer.evaluation.summary import summarise

SECOND = 1_000_000_000
START = 1_000 * SECOND
PERIOD = SECOND // 10
CUP = np.array([[10.0, 10, 50, 60]])


def truth(name: str = "cup") -> Boxes:
    return Boxes(CUP, [name])


def found(score: float = 0.9, name: str = "cup") -> Boxes:
    return Boxes(CUP, [name], np.array([score]))


def nothing() -> Boxes:
    return Boxes(np.zeros((0, 4)), [], np.zeros(0))


def play(
    live: LiveEvaluation, frames: int, first: int = 0, delay: int = PERIOD // 2, boxes: Boxes | None = None
) -> None:
    for index in range(first, first + frames):
        stamp = START + index * PERIOD
        live.add_truth(stamp, truth())
        live.add_detections(stamp, stamp + delay, boxes or found())


def test_truth_and_detections_meet_in_any_order() -> None:
    live = LiveEvaluation()
    assert live.add_detections(START, START + 5, found()) is None
    frame = live.add_truth(START, truth())
    assert isinstance(frame, ScoredFrame) and frame.matches.matched.all()
    assert live.add_truth(START + 1, truth()) is None
    assert live.add_detections(START + 1, START + 9, nothing()) is not None
    assert live.recent().map50 == pytest.approx(0.5, abs=0.01)  # one of two objects: recall 0.5


def test_duplicates_are_counted_and_not_scored_twice() -> None:
    live = LiveEvaluation()
    play(live, 3)
    play(live, 3)
    assert live.duplicates == 6 and len(live.scored) == len(live.outputs) == live.truth_count == 3


def test_unanswered_frames_are_counted_from_the_first_output_on() -> None:
    live = LiveEvaluation(pending=4)
    for index in range(10):  # before any model: not the detector's fault
        live.add_truth(START + index * PERIOD, truth())
    play(live, 1, first=10)
    for index in range(11, 15):
        live.add_truth(START + index * PERIOD, truth())
    play(live, 1, first=15)
    assert summarise(live)["frames"]["without_detections"] == 4
    for index in range(16, 26):  # these push the four out of memory; they stay counted
        live.add_truth(START + index * PERIOD, truth())
    play(live, 1, first=26)
    assert summarise(live)["frames"]["without_detections"] == 14


def test_pending_frames_are_bounded() -> None:
    live = LiveEvaluation(pending=8)
    for index in range(1000):
        live.add_truth(START + index, truth())
        live.add_detections(START - index - 1, START, found())
    assert live.without_truth == 1000 - 8 and len(live.scored) == 0


def test_the_version_follows_from_the_stamp_whatever_arrives_first() -> None:
    live = LiveEvaluation(window=5)
    play(live, 10)
    play(live, 10, first=10, boxes=nothing())
    # Both announcements are late: the second model served from image 10 on.
    assert live.add_serving(1, START, START + 30 * PERIOD)
    assert live.add_serving(2, START + 10 * PERIOD, START + 30 * PERIOD)
    assert not live.add_serving(2, START + 12 * PERIOD, START + 31 * PERIOD)
    result = summarise(live)
    assert [(v["version"], v["frames"], v["map50"]) for v in result["versions"]] == [
        (1, 10, pytest.approx(1)),
        (2, 10, 0.0),
    ]
    assert [(w["version"], w["frames"]) for w in result["windows"]] == [(1, 5), (1, 5), (2, 5), (2, 5)]
    assert result["recent_map50"] == 0.0 and result["serving_version"] == 2


def test_gaps_and_latency() -> None:
    live = LiveEvaluation()
    live.add_serving(1, START, START)
    play(live, 100)
    live.add_serving(2, START + 103 * PERIOD, START + 103 * PERIOD)
    play(live, 100, first=103)  # three frames are missing at the swap
    live.add_serving(3, START + 203 * PERIOD, START + 203 * PERIOD)
    play(live, 100, first=203, delay=PERIOD)
    result = summarise(live, swap_window_s=2.0)
    assert [(s["from"], s["to"]) for s in result["swaps"]] == [(1, 2), (2, 3)]
    assert [s["gap_ms"] for s in result["swaps"]] == [pytest.approx(400), pytest.approx(150)]
    assert result["camera_period_ms"] == pytest.approx(100)
    assert result["max_gap_around_swaps_periods"] == pytest.approx(4)
    assert result["max_gap_ms"] == pytest.approx(400)
    assert result["latency_ms"]["p50"] == pytest.approx(50) and result["latency_ms"]["max"] == pytest.approx(100)
    assert result["swaps"][0]["at_s"] == pytest.approx(10.3)
    assert result["camera_hz"] == pytest.approx(299 / 30.2)


def test_a_far_gap_is_not_blamed_on_a_swap() -> None:
    live = LiveEvaluation()
    live.add_serving(1, START, START)
    play(live, 50)
    play(live, 100, first=80)  # three seconds without outputs
    live.add_serving(2, START + 150 * PERIOD, START + 150 * PERIOD)
    play(live, 50, first=180 - 30)
    result = summarise(live, swap_window_s=2.0)
    assert result["max_gap_ms"] == pytest.approx(3100)
    assert result["max_gap_around_swaps_ms"] == pytest.approx(100)


def test_an_empty_evaluation_is_plain_json() -> None:
    result = json.loads(json.dumps(summarise(LiveEvaluation()), allow_nan=False))
    assert result["versions"] == result["swaps"] == [] and result["latency_ms"]["p50"] is None


def test_names_that_never_occur_in_the_truth_are_told() -> None:
    live = LiveEvaluation()
    live.add_truth(START, truth("cup"))
    live.add_detections(START, START + 1, found(name="0"))
    result = summarise(live)
    assert result["classes"] == ["cup"] and result["classes_without_truth"] == ["0"]


def test_memory_is_bounded() -> None:
    live = LiveEvaluation(keep=50)
    play(live, 200)
    assert len(live.scored) == len(live.outputs) == 50 and live.truth_count == 200


def scored_frame(stamp: int) -> ScoredFrame:
    live = LiveEvaluation()
    live.add_truth(stamp, truth())
    frame = live.add_detections(stamp, stamp, Boxes(np.repeat(CUP, 2, axis=0), ["cup", "cup"], np.array([0.9, 0.01])))
    assert frame is not None
    return frame


def test_samples_keep_the_first_and_the_newest_of_each_version(tmp_path: Path) -> None:
    store = SampleStore(tmp_path / "pictures", per_version=3, period_s=1.0)
    red = np.zeros((48, 64, 3), np.uint8)
    red[:, :, 0] = 200
    for index in range(100):
        stamp = START + index * PERIOD
        store.offer(stamp, lambda: red)
        store.take(scored_frame(stamp), version=1)
    listing = store.listing(lambda stamp: 1)
    assert [(row["stamp"] - START) // SECOND for row in listing] == [0, 1, 9]
    assert sorted(path.name for path in store.directory.iterdir()) == sorted(row["file"] for row in listing)
    assert [entry["score"] for entry in listing[0]["found"]] == [0.9]
    picture = cv2.imread(str(store.directory / listing[0]["file"]))
    assert picture.shape == (48, 64, 3) and abs(int(picture[20, 20, 2]) - 200) < 10 and picture[20, 20, 0] < 20


def test_images_that_are_not_due_are_not_converted(tmp_path: Path) -> None:
    store = SampleStore(tmp_path, per_version=3, period_s=1.0)
    store.offer(START, lambda: np.zeros((8, 8, 3), np.uint8))
    assert store.take(scored_frame(START), 1) is not None

    def fail() -> np.ndarray:
        raise AssertionError("converted")

    store.offer(START + PERIOD, fail)
    assert store.take(scored_frame(START + PERIOD), 1) is None


def test_before_simulated_time_begins_nothing_is_known_of_an_arrival() -> None:
    live = LiveEvaluation()
    live.add_detections(START, 0, found())
    play(live, 3, first=1)
    result = summarise(live)
    assert result["frames"]["outputs"] == 4
    assert result["latency_ms"]["count"] == len(result["outputs"]["at_s"]) == 3
    assert result["latency_ms"]["max"] == pytest.approx(50)
    assert result["max_gap_ms"] == pytest.approx(100)


def test_responses_are_told_by_a_clock_of_their_own() -> None:
    live = LiveEvaluation(pending=2)
    for index in range(4):
        live.add_image(START + index * PERIOD, 5_000 + index)
    for index in range(4):
        stamp = START + index * PERIOD
        # Two images were given up, and of one answer it is not known when it came.
        live.add_detections(stamp, stamp, found(), received=0 if index == 2 else 2_005_003)
    assert list(live.responses) == [2_000_000]
    assert summarise(live)["response_ms"] == {"p50": 2.0, "p99": 2.0, "max": 2.0, "count": 1}


def test_a_recording_that_begins_anew_is_no_step() -> None:
    live = LiveEvaluation(pending=2)
    play(live, 10)
    play(live, 10)
    assert summarise(live)["camera_hz"] == pytest.approx(10)


COUNTERS = {
    "frames_received": "100",
    "frames_processed": "80",
    "frames_unprocessed": "15",
    "frames_without_model": "4",
    "frames_invalid": "3",
    "frames_stale": "2",
    "frames_unwatched": "0",
    "frames_failed": "0",
    "frames_lost_in_transport": "7",
}


def test_what_a_node_dropped_and_what_was_lost_on_the_way() -> None:
    reports = Reports()
    reports.add("/infer_node", "loading", START, {"frames_received": "1"})
    reports.add("/infer_node", "serving", START, COUNTERS)
    reports.add("/other/infer_node", "serving", START, {"frames_received": "5"})
    drops = reports.drops({"/infer_node", "/rosbag2_player"}, 1)
    assert drops == {
        "node": "/infer_node",
        "received": 100,
        "processed": 80,
        "dropped_by_node": {
            "replaced_by_newer": 11, "without_model": 4, "invalid": 3, "stale": 2, "unwatched": 0, "failed": 0
        },
        "images_lost_in_transport": 7,
        "detections_lost_in_transport": 1,
    }  # fmt: skip
    assert drops["received"] == drops["processed"] + sum(drops["dropped_by_node"].values())


@pytest.mark.parametrize("publishers", [set(), {"/nobody"}, {"/camera_driver"}, {"/infer_node", "/other/infer_node"}])
def test_of_whom_nothing_is_known_nothing_is_told(publishers: set[str]) -> None:
    reports = Reports()
    for name in ("/infer_node", "/other/infer_node"):
        reports.add(name, "serving", START, COUNTERS)
    reports.add("/camera_driver", "streaming", START, {"rate": "30"})
    assert set(reports.drops(publishers, -1).values()) == {None}


def test_a_counter_that_a_node_does_not_know() -> None:
    reports = Reports()
    reports.add("/infer_node", "serving", START, COUNTERS | {"frames_lost_in_transport": "-1", "frames_stale": "many"})
    drops = reports.drops({"/infer_node"}, 0)
    assert drops["images_lost_in_transport"] is drops["dropped_by_node"]["stale"] is None
    assert drops["detections_lost_in_transport"] == 0

"""What the page of a replay knows of each frame: its errors, who found what, and which frames are worth a picture."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from replay_samples import detection, segmentation

from perception_infer.replay.report import choose_pictures
from perception_infer.replay.report.frames import read_areas, read_boxes


def bare(rows: list[list[float]], truth: list[list[float | None]] | None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "stamp": 0, "time": index, "width": 100, "height": 100, "name": None, "found": rows} | {
        "truth": truth
    }


def test_the_errors_of_the_frames_are_those_of_the_figures() -> None:
    replay = detection(200)
    boxes = read_boxes(replay.frames, replay.summary["model"]["thresholds"])
    rows = replay.summary["figures"]["classes"]
    for label, row in enumerate(rows):
        assert (boxes.false & (boxes.labels == label)).sum() == row["false_alarms"]
        assert (boxes.missed & (boxes.true_labels == label)).sum() == row["missed"]
    assert sum(row["missed"] for row in rows) > 20


def test_each_object_knows_who_found_it() -> None:
    truth = [[10, 10, 30, 30, 0, 0, 2.5], [60, 60, 90, 90, 0, 1, None], [40, 40, 50, 50, 2, 0, None]]
    found = [
        [10, 10, 30, 31, 0.9, 0],
        [11, 10, 30, 30, 0.8, 0],  # too late
        [62, 62, 88, 88, 0.7, 0],  # an object that does not count
        [40, 40, 50, 50, 0.4, 1],  # another class's
        [1, 1, 9, 9, 0.04, 1],
        [1, 1, 9, 9, 0.02, 1],  # below half of its threshold
    ]
    boxes = read_boxes([bare([], None), bare(found, truth, 1), bare(found, None, 2)], [0.5, 0.06])
    one = slice(0, 5)
    assert boxes.right[one].tolist() == [True, False, False, False, False]
    assert boxes.false[one].tolist() == [False, True, False, True, False]
    assert boxes.neutral[one].tolist() == [False, False, True, False, False]
    assert boxes.finder.tolist() == [0, -1, -1] and boxes.missed.tolist() == [False, False, True]
    assert boxes.neutral[5:].all() and len(boxes.frame) == 10
    # The same pairs hold at any threshold: found, but below it, is missed.
    strict = read_boxes([bare(found, truth)], [0.95, 0.06])
    assert strict.finder.tolist() == boxes.finder.tolist() and strict.missed.tolist() == [True, False, True]


def test_pictures_are_of_the_worst_the_best_and_of_all_over_the_bag() -> None:
    replay = detection(300)
    chosen = choose_pictures(replay.summary, replay.frames, 40)
    assert chosen == choose_pictures(replay.summary, copy.deepcopy(replay.frames), 40)
    assert len(chosen) == 40 and list(chosen) == sorted(chosen)
    assert set(chosen.values()) == {"worst", "false alarm", "miss", "best", "sample"}
    boxes = read_boxes(replay.frames, replay.summary["model"]["thresholds"])
    errors = np.bincount(boxes.frame[boxes.false], minlength=300)
    errors += np.bincount(boxes.true_frame[boxes.missed], minlength=300)
    by_role = {role: [i for i, other in chosen.items() if other == role] for role in set(chosen.values())}
    assert errors[by_role["best"]].sum() == 0
    assert errors[by_role["worst"]].mean() > 2 * errors.mean()
    # Neighbours look alike.
    assert np.diff(by_role["worst"]).min() > 1
    # The samples leave no large part of the bag unseen.
    assert np.diff([0, *by_role["sample"], 299]).max() < 50
    assert choose_pictures(replay.summary, replay.frames, 0) == {}
    assert len(choose_pictures(replay.summary, replay.frames, 1000)) == 300


def test_without_truth_pictures_are_of_what_the_model_doubts() -> None:
    frames = [bare([[1, 1, 9, 9, 0.95, 0]] if i != 7 else [[1, 1, 9, 9, 0.51, 0]], None, 3 * i) for i in range(50)]
    summary = detection(5, truth=False).summary
    chosen = choose_pictures(summary | {"model": summary["model"] | {"thresholds": [0.5]}}, frames, 5)
    # Known by the index that the frame has, not by its place.
    assert chosen[21] == "uncertain" and list(chosen.values()).count("sample") == 4
    areas = segmentation(50)
    roles = choose_pictures(areas.summary, areas.frames, 10)
    worst = [index for index, role in roles.items() if role == "worst"]
    assert worst and all(20 < index < 30 for index in worst)
    assert set(choose_pictures(areas.summary, segmentation(50, truth=False).frames, 10).values()) == {"sample"}


def test_a_segmenters_frames_have_an_iou_each() -> None:
    frame = bare([], None) | {
        "found": {"shares": [0.5, 0.5, 0]},
        "truth": {"confusion": [[0, 0, 4], [0, 1, 2], [1, 1, 3], [1, 0, 1]]},
    }
    unknown = frame | {"truth": None, "index": 1}
    areas = read_areas([frame, unknown], 2)
    assert areas.iou[0, :2].tolist() == [4 / 7, 3 / 6] and np.isnan(areas.iou[0, 2])
    assert areas.true[0].tolist() == [0.6, 0.4, 0.0]
    # Without the background, and what the frame does not have.
    assert areas.mean_iou[0] == 3 / 6 and np.isnan(areas.mean_iou[1])

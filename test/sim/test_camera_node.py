"""sim_camera_node over real DDS, as a process of its own."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cameras import (
    CLASSES,
    FRAMES,
    HEIGHT,
    NAMESPACE,
    RATE,
    TOPICS,
    WIDTH,
    Heard,
    by_stamp,
    check_clock,
    corners,
    listen,
    matrix,
    nanoseconds,
    values_of,
)

from perception_common.ros.images import depth_from_msg, image_from_msg
from perception_common.ros.vision import detections_from_msg


@pytest.fixture(scope="module")
def both() -> list[Heard]:
    """A camera without a name in real time; two cameras in simulated time that their own node takes too."""
    real = (f"rate:={RATE}", f"max_frames:={FRAMES}", "frame_id:=optics", "seed:=9", "depth:=16UC1")
    simulated = (
        "rate:=5.0", "max_frames:=25", "cameras:=[left, right]", "seed:=9", "depth:=32FC1", "publish_clock:=true",
        "clock_rate:=20.0", "clock_start:=7.5", "use_sim_time:=true", "world_frame:=hall", "frame_prefix:=r1/",
        "encoding:=rgb8",
    )  # fmt: skip
    return listen((NAMESPACE, [""], real), (NAMESPACE + "_pair", ["left", "right"], simulated), patient=True)


@pytest.fixture(scope="module")
def heard(both: list[Heard]) -> Heard:
    return both[0]


@pytest.fixture(scope="module")
def pair(both: list[Heard]) -> Heard:
    return both[1]


def test_it_ends_by_itself_after_its_frames(heard: Heard, pair: Heard) -> None:
    for got, images, frames in ((heard, "image", FRAMES), (pair, "left/image", 25)):
        status, told = got["ending"]
        assert status == 0, told
        assert "Traceback" not in told
        # The first ones may be sent before the listener is discovered.
        assert frames // 2 <= len(got[images]) <= frames
        assert len(got[images.replace("image", "ground_truth")]) >= len(got[images]) - 1


def test_all_of_a_frame_carries_the_images_stamp(heard: Heard, pair: Heard) -> None:
    for got, prefix, frame_id in ((heard, "", "optics"), (pair, "left/", "r1/left_optical_frame")):
        images = by_stamp(got[prefix + "image"])
        for topic in TOPICS:
            if topic == "ground_truth/label_info":
                continue
            messages = by_stamp(got[prefix + topic])
            wanted = {"hall" if prefix else "world"} if topic == "camera_pose" else {frame_id}
            assert {message.header.frame_id for message in messages.values()} == wanted
            assert len(set(images) & set(messages)) >= len(images) - 3


def test_boxes_lie_around_the_mask_and_the_instances(heard: Heard) -> None:
    (labels,) = heard["ground_truth/label_info"]
    assert [entry.class_name for entry in labels.class_map] == ["background", *CLASSES]
    masks, instances = by_stamp(heard["ground_truth/mask"]), by_stamp(heard["ground_truth/instances"])
    checked = 0
    for message in heard["ground_truth"]:
        boxes, scores, names = detections_from_msg(message)
        assert (scores == 1.0).all()
        stamp = nanoseconds(message)
        if stamp not in masks or stamp not in instances:
            continue
        mask = np.frombuffer(masks[stamp].data, np.uint8).reshape(HEIGHT, WIDTH)
        assert (instances[stamp].encoding, instances[stamp].step) == ("16UC1", 2 * WIDTH)
        numbers = np.frombuffer(instances[stamp].data, np.uint16).reshape(HEIGHT, WIDTH)
        for number, ((x0, y0, x1, y1), name) in enumerate(zip(boxes.astype(int), names, strict=True), 1):
            assert (mask[numbers == number] == CLASSES.index(name) + 1).all()
            inside = numbers[y0:y1, x0:x1] == number
            assert np.count_nonzero(inside) == np.count_nonzero(numbers == number)
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
            checked += 1
    assert checked > 0


def test_boxes_in_space_agree_with_picture_and_depth(heard: Heard, pair: Heard) -> None:
    for got, prefix in ((heard, ""), (pair, "left/"), (pair, "right/")):
        flat, infos, depths, numbers = (
            by_stamp(got[prefix + topic])
            for topic in ("ground_truth", "camera_info", "depth/image", "ground_truth/instances")
        )
        checked = 0
        for stamp, message in by_stamp(got[prefix + "ground_truth_3d"]).items():
            if any(stamp not in messages for messages in (flat, infos, depths, numbers)):
                continue
            depth = depth_from_msg(depths[stamp])
            instances = np.frombuffer(numbers[stamp].data, np.uint16).reshape(HEIGHT, WIDTH)
            boxes, _, names = detections_from_msg(flat[stamp])
            assert [found.results[0].hypothesis.class_id for found in message.detections] == names
            assert [found.id for found in message.detections] == [found.id for found in flat[stamp].detections]
            k, d = infos[stamp].k.reshape(3, 3), np.array(infos[stamp].d)
            for number, (found, (x0, y0, x1, y1)) in enumerate(zip(message.detections, boxes, strict=True), 1):
                points = corners(found.bbox)
                around = np.vstack([points, points.mean(0)])
                uv = cv2.projectPoints(around, np.zeros(3), np.zeros(3), k, d)[0].reshape(-1, 2) + 0.5
                (left, top), (right, bottom) = uv.min(0), uv.max(0)
                assert left < x0 + 1.0 and top < y0 + 1.0 and right > x1 - 1.0 and bottom > y1 - 1.0
                assert found.results[0].pose.pose == found.bbox.center
                distance = depth[instances == number]
                # A millimetre for what 16UC1 rounds.
                assert points[:, 2].min() - 1e-3 < distance.min() <= distance.max() < points[:, 2].max() + 1e-3
                checked += 1
        assert checked > 0


def test_two_cameras_see_one_world_at_the_same_times(pair: Heard) -> None:
    left, right = by_stamp(pair["left/ground_truth"]), by_stamp(pair["right/ground_truth"])
    assert len(set(left) ^ set(right)) <= 1
    assert len({message.data.tobytes() for topic in ("left/image", "right/image") for message in pair[topic]}) > 30
    poses = [by_stamp(pair[f"{name}/camera_pose"]) for name in ("left", "right")]
    places = [by_stamp(pair[f"{name}/ground_truth_3d"]) for name in ("left", "right")]
    checked = 0
    for stamp in set.intersection(*map(set, [*poses, *places])):
        both = []
        for pose, place in zip(poses, places, strict=True):
            to_world = matrix(pose[stamp].pose)
            both.append({found.id: to_world @ matrix(found.bbox.center) for found in place[stamp].detections})
        for name in set(both[0]) & set(both[1]):
            assert both[0][name] == pytest.approx(both[1][name], abs=1e-6)
            checked += 1
    assert checked > 0


def test_the_clock_runs_with_the_frames(pair: Heard) -> None:
    # 7.5 s and 25 frames of 0.2 s, four ticks each.
    times = check_clock(pair, 50_000_000, 12_500_000_000)
    assert len(times) > 40
    assert times[0] >= 7_700_000_000
    stamps = set(by_stamp(pair["left/image"]))
    assert all((stamp - 7_500_000_000) % 200_000_000 == 0 for stamp in stamps)
    assert {stamp for stamp in stamps if stamp >= times[0]} <= set(times)
    assert float(values_of(pair, NAMESPACE + "_pair")["real_time_factor"]) > 0.3


def test_pictures_and_calibration(heard: Heard, pair: Heard) -> None:
    message, info = heard["image"][0], heard["camera_info"][0]
    assert message.encoding == "bgr8"
    assert pair["left/image"][0].encoding == "rgb8"
    assert image_from_msg(message).shape == (HEIGHT, WIDTH, 3)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert (info.k[2], info.k[5]) == (79.5, 59.5)
    assert info.k[0] == info.k[4] == info.p[0] > 50.0
    depth = heard["depth/image"][0]
    assert (depth.encoding, depth.step, len(depth.data)) == ("16UC1", 2 * WIDTH, 2 * WIDTH * HEIGHT)
    depth = pair["left/depth/image"][0]
    assert (depth.encoding, depth.step, len(depth.data)) == ("32FC1", 4 * WIDTH, 4 * WIDTH * HEIGHT)


def test_it_keeps_a_low_rate_and_tells(heard: Heard) -> None:
    # How well depends on what else runs here.
    assert heard["rate"][-1].data == pytest.approx(RATE, rel=0.3)
    values = values_of(heard, NAMESPACE)
    assert values["frames_published"] == str(FRAMES)
    assert values["final"] == "True"
    assert float(values["rate"]) == pytest.approx(RATE, rel=0.3)
    assert all(float(values[f"{stage}_ms"]) > 0.0 for stage in ("render", "annotate", "sensor", "publish"))

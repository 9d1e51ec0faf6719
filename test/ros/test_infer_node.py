"""infer_node in a process of its own, over real DDS."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundles import scene, write_detector
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import RECTANGLES, Client, Stamp, Start, World, boxes
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from perception_common.ros.images import image_to_msg
from perception_infer.models import open_bundle


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    write_detector(root, score=0.9)
    return root


@pytest.fixture(scope="module")
def main(world: World, start: Start, models: Path) -> Client:
    """The node that most tests share; it begins with version 1."""
    client = world.client("/main")
    start("/main", model_root=models, model="rectangles")
    client.answer(scene((320, 240), RECTANGLES))
    return client


@pytest.mark.parametrize("size", [(640, 480), (320, 240)])
@pytest.mark.parametrize("encoding", ["rgb8", "bgr8", "rgba8", "rgb16"])
def test_headers_are_copied_and_boxes_are_in_pixels_of_the_image(
    main: Client, size: tuple[int, int], encoding: str
) -> None:
    picture = scene(size, RECTANGLES)
    if encoding == "bgr8":
        picture = picture[:, :, ::-1]
    if encoding == "rgb16":
        picture = picture.astype(np.uint16) * 257
    if encoding == "rgba8":
        picture = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
    answer = main.answer(picture, encoding)
    frame = answer.header.stamp.nanosec
    assert (answer.header.stamp.sec, answer.header.frame_id) == (1000 + frame, f"camera_{frame}")
    assert boxes(answer) == [list(box) for box in RECTANGLES.values()]
    assert [d.results[0].hypothesis.class_id for d in answer.detections] == ["red", "blue"]
    assert [d.results[0].hypothesis.score for d in answer.detections] == pytest.approx([0.9, 0.88], abs=1e-6)
    assert all(d.header == answer.header for d in answer.detections)


def test_an_empty_array_is_published_when_nothing_is_found(main: Client) -> None:
    answer = main.answer(scene((640, 480), {}))
    assert len(answer.detections) == 0
    assert answer.header.frame_id == f"camera_{answer.header.stamp.nanosec}"


def test_labels_and_status_resolve_what_is_published(main: Client, models: Path) -> None:
    until(lambda: bool(main.statuses and main.labels))
    label_info, status = main.labels[0].message, main.statuses[0].message
    assert [(c.class_id, c.class_name) for c in label_info.class_map] == [(0, "red"), (1, "green"), (2, "blue")]
    assert label_info.threshold == pytest.approx(0.5)
    assert (status.method, status.database_version) == ("rectangles", 1)
    assert status.database_location == open_bundle(models / "rectangles" / "1").uri


def test_diagnostics_have_every_value(main: Client) -> None:
    values = main.diagnostics()
    assert (values["serving_name"], values["serving_version"], values["backend"]) == (
        "rectangles",
        "1",
        "onnxruntime fp32",
    )
    assert int(values["frames_received"]) >= int(values["frames_processed"]) > 0
    for key in (
        "frames_unprocessed",
        "frames_lost_in_transport",
        "frames_lost_in_swaps",
        "frames_invalid",
        "frames_stale",
        "frames_unwatched",
        "swaps",
        "refused",
        "ignored",
    ):
        assert int(values[key]) >= 0
    for key in ("inference_ms_p50", "node_ms_p50", "rate_hz"):
        assert float(values[key]) > 0
    assert (values["loads"], values["swaps"], values["last_error"]) == ("1", "0", "")


def test_bad_images_are_survived_and_counted(main: Client) -> None:
    before = int(main.diagnostics()["frames_invalid"])
    good = image_to_msg(scene((320, 240), {}), "rgb8", main.header())

    def bad(**fields: object) -> Image:
        message = Image(
            header=main.header(), height=good.height, width=good.width, encoding="rgb8", step=good.step, data=good.data
        )
        for name, value in fields.items():
            setattr(message, name, value)
        return message

    worst = (1 << 32) - 1
    broken = [
        bad(width=0, height=0, step=0, data=[]),
        bad(width=worst, height=worst, step=worst),
        bad(data=good.data[:1000]),
        bad(encoding="yuv_of_some_kind"),
        bad(step=10),
    ]
    for message in broken:
        main.image.publish(message)
        time.sleep(0.15)
    assert (
        int(main.diagnostics(lambda v: int(v["frames_invalid"]) > before)["frames_invalid"]) - before >= len(broken) - 1
    )
    assert len(main.answer(scene((320, 240), RECTANGLES)).detections) == 2


def test_stale_frames_are_left_out_and_counted(main: Client) -> None:
    before = int(main.diagnostics()["frames_stale"])
    # The client stamps as if it were 1970.
    assert main.set_parameter("max_age_ms", 60_000.0) == (True, "")
    stale = {main.send(scene((320, 240), RECTANGLES)) for _ in range(5)}
    main.diagnostics(lambda values: int(values["frames_stale"]) > before)
    assert not stale & {received.stamp for received in main.detections}

    def without_stamp() -> Stamp:
        main.image.publish(image_to_msg(scene((320, 240), RECTANGLES), "rgb8", Header()))
        return (0, 0)

    def just_now() -> Stamp:
        header = Header(stamp=main.node.get_clock().now().to_msg())
        main.image.publish(image_to_msg(scene((320, 240), RECTANGLES), "rgb8", header))
        return header.stamp.sec, header.stamp.nanosec

    for send in (without_stamp, just_now):
        assert len(main.answer_to(send).detections) == 2
    assert main.set_parameter("max_age_ms", 0.0) == (True, "")
    assert len(main.answer(scene((320, 240), RECTANGLES)).detections) == 2


def test_nothing_is_computed_for_nobody_where_that_is_asked_for(main: Client) -> None:
    before = main.diagnostics()
    assert main.set_parameter("only_when_watched", True) == (True, "")
    main.look_away()

    def unwatched() -> bool:
        main.send(scene((320, 240), RECTANGLES))
        return int(main.diagnostics()["frames_unwatched"]) > int(before["frames_unwatched"])

    until(unwatched)
    main.look()
    assert len(main.answer(scene((320, 240), RECTANGLES)).detections) == 2
    assert main.set_parameter("only_when_watched", False) == (True, "")


def test_classes_thresholds_and_region_are_live(main: Client) -> None:
    def found() -> list[str]:
        return [d.results[0].hypothesis.class_id for d in main.answer(scene((320, 240), RECTANGLES)).detections]

    for name, value, wanted in (
        ("classes", ["blue"], ["blue"]),
        ("class_thresholds", ["red=0.95"], ["blue"]),
        ("region", [0.0, 0.0, 0.5, 1.0], ["red"]),
    ):
        assert main.set_parameter(name, value) == (True, "")
        assert found() == wanted
        assert main.set_parameter(name, []) == (True, "")
    assert found() == ["red", "blue"]
    for name, wrong in (("class_thresholds", ["red"]), ("region", [0.5, 0.0, 0.7, 1.0])):
        accepted, reason = main.set_parameter(name, wrong)
        assert not accepted
        assert "is no" in reason
    assert found() == ["red", "blue"]


def test_the_threshold_is_live_and_other_parameters_are_not(main: Client) -> None:
    assert main.set_parameter("score_threshold", 0.89) == (True, "")
    assert len(main.answer(scene((320, 240), RECTANGLES)).detections) == 1
    accepted, reason = main.set_parameter("score_threshold", 3.0)
    assert not accepted
    accepted, reason = main.set_parameter("model", "others")
    assert not accepted
    assert "cannot change while the node is configured" in reason
    assert main.set_parameter("score_threshold", -1.0) == (True, "")
    assert len(main.answer(scene((320, 240), RECTANGLES)).detections) == 2


def test_the_overlay_is_drawn_for_viewers(main: Client) -> None:
    main.watch_overlay()
    until(lambda: main.node.count_publishers("overlay") > 0)
    picture = scene((640, 480), RECTANGLES)
    limit = time.monotonic() + 10
    while not main.overlays and time.monotonic() < limit:
        main.answer(picture)
        time.sleep(0.1)
    overlay = main.overlays[-1].message
    assert (overlay.width, overlay.height, overlay.encoding) == (640, 480, "rgb8")
    drawn = np.frombuffer(overlay.data, np.uint8).reshape(480, 640, 3)
    changed = (drawn != picture).any(axis=2)
    assert changed[60, 38:44].any(), "the edge of a box"
    assert not changed[300:].any()


def test_a_damaged_bundle_is_refused_and_the_old_model_keeps_serving(main: Client, models: Path) -> None:
    before = main.diagnostics()
    damaged = write_detector(models, score=0.8)
    (damaged / "model.onnx").write_bytes(b"damaged")
    main.announce(damaged)
    values = main.diagnostics(lambda v: int(v["refused"]) == int(before["refused"]) + 1)
    assert f"rectangles v{damaged.name} refused" in values["last_error"]
    assert "model.onnx" in values["last_error"]
    assert values["serving_version"] == before["serving_version"]
    assert score(main.answer(scene((320, 240), RECTANGLES))) != pytest.approx(0.8)


def test_a_swap_is_announced_before_its_first_detections_and_loses_no_frame(main: Client, models: Path) -> None:
    picture = scene((320, 240), RECTANGLES)
    # Each version answers with a score of its own.
    old_score = score(main.answer(picture))
    new_score = round(old_score - 0.01, 2)
    newer = write_detector(models, score=new_score)
    before = main.diagnostics()
    begin, statuses, sent = len(main.detections), len(main.statuses), []
    for index in range(60):
        sent.append(main.send(picture))
        if index == 10:
            main.announce(newer)
        time.sleep(0.05)
    values = main.diagnostics(lambda v: v["serving_version"] == newer.name)
    assert int(values["swaps"]) == int(before["swaps"]) + 1
    assert values["frames_lost_in_swaps"] == "0"
    stream = main.detections[begin:]
    lost = int(values["frames_lost_in_transport"]) - int(before["frames_lost_in_transport"])
    assert len(stream) >= len(sent) - lost
    scores = [score(received.message) for received in stream]
    first = scores.index(new_score)
    assert scores == [old_score] * first + [new_score] * (len(scores) - first), "one model, then the other"
    assert first > 5
    status = main.statuses[statuses]
    assert status.message.database_version == int(newer.name)
    assert status.stamp == stream[first].stamp, "the stamp of the first image that the new model serves"
    assert status.sent_ns < stream[first].sent_ns
    assert main.labels[-1].stamp == status.stamp


def test_a_version_is_chosen_and_pinned_with_parameters(main: Client, models: Path) -> None:
    picture = scene((320, 240), RECTANGLES)
    newest = main.diagnostics()["serving_version"]
    accepted, reason = main.set_parameter("version", 999)
    assert not accepted
    assert "has no version 999" in reason
    assert main.set_parameter("version", 1) == (True, "")
    assert main.set_parameter("pin", True) == (True, "")

    def serves(wanted: str) -> None:
        """A new model takes over with a frame."""
        for _ in range(100):
            main.answer(picture)
            if main.diagnostics()["serving_version"] == wanted:
                return
        raise AssertionError(f"version {wanted} does not come")

    serves("1")
    main.announce(models / "rectangles" / newest)
    values = main.diagnostics(lambda v: v["pinned"] == "True" and int(v["ignored"]) > 0)
    assert values["serving_version"] == "1"
    assert main.set_parameter("pin", False) == (True, "")
    serves(newest)


def test_announcements_that_do_not_concern_the_node_are_ignored(main: Client, models: Path) -> None:
    before = int(main.diagnostics()["ignored"])
    others = write_detector(models, name="others")
    main.announce(others)
    assert main.diagnostics(lambda v: int(v["ignored"]) == before + 1)["serving_name"] == "rectangles"


def score(message: Any) -> float:
    """The best score, rounded."""
    return round(message.detections[0].results[0].hypothesis.score, 3)

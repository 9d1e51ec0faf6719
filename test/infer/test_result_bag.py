"""Results as a bag: what is in it, that every reader can read it, and that it is there whole or not at all."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from bundles import scene, write_detector, write_segmenter
from recorded import CAMERA, PERIOD, START, Film, write_bag
from rosbags.interfaces import Qos, QosDurability, QosHistory, QosReliability
from rosbags.rosbag2 import Reader

from perception_common.errors import UserError
from perception_common.stamps import stamp_of
from perception_infer.commands.replay import replay_command
from perception_infer.contract.detections import Detections, Result, Segmentation
from perception_infer.models import Bundle, open_bundle
from perception_infer.recordings import messages
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.frames import beside
from perception_infer.recordings.types import COMPRESSED_IMAGE, DETECTIONS, IMAGE, LABEL_INFO, VISION_INFO, ros2_types
from perception_infer.recordings.writer import result_bag
from perception_infer.replay.params import ReplayParams

SIZE = (64, 48)
FRAME_ID = "left_optical_frame"
# Of the released vision_msgs 4 (their .json files) and common_interfaces.
HASHES = {
    DETECTIONS: "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    LABEL_INFO: "RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
    VISION_INFO: "RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284",
    IMAGE: "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47",
    COMPRESSED_IMAGE: "RIHS01_15640771531571185e2efc8a100baf923961a4d15d5569652e6cb6691e8e371a",
}
THRESHOLDS = np.array([0.5, 0.7, np.inf], np.float32)
FOUND = Detections(
    np.array([[1, 2, 31.5, 42], [5, 5, 25, 15], [0, 0, 8.25, 8], [3, 3, 9, 9]], np.float32),
    np.array([0.95, 0.69, 0.5, 0.9], np.float32),
    np.array([0, 1, 0, 2], np.int32),
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_detector(tmp_path_factory.mktemp("models")))


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_segmenter(tmp_path_factory.mktemp("models")))


def mask(index: int) -> Segmentation:
    pixels = np.zeros(SIZE[::-1], np.uint8)
    pixels[5:20, 3 + index : 30] = 1
    return Segmentation(pixels, pixels)


def write(path: Path, bundle: Bundle, found: list[Result], topic: str = CAMERA, overlay: bool = False) -> Path:
    """Results of frames whose stamps are 40 ms before the time at which they were received."""
    rgb = scene(SIZE, {"red": (10, 10, 30, 40)})
    thresholds = THRESHOLDS if bundle.manifest.task == "detection" else np.array([0.5], np.float32)
    with result_bag(path, topic, bundle, thresholds, overlay) as bag:
        for index, one in enumerate(found):
            time = START + index * PERIOD
            bag.add(time - 40_000_000, time, FRAME_ID, rgb, one)
    return path


def read(path: Path) -> dict[str, list[tuple[int, Any]]]:
    """Time of receipt and message, by topic, as our own reader gives them."""
    with Recording(path) as recording:
        assert recording.warnings == []
        everything: dict[str, list[tuple[int, Any]]] = {name: [] for name in recording.topics}
        for message in recording.messages(recording.topics):
            everything[message.topic].append((message.time, message.decode()))
        return everything


def test_detections_that_reach_their_threshold(tmp_path: Path, detector: Bundle) -> None:
    content = read(write(tmp_path / "bag", detector, [FOUND, Detections.empty(), FOUND]))
    assert set(content) == {"/camera/detections", "/camera/label_info", "/camera/model_status"}
    times = [time for time, _ in content["/camera/detections"]]
    arrays = [message for _, message in content["/camera/detections"]]
    assert times == [START + index * PERIOD for index in range(3)]
    assert [stamp_of(array) for array in arrays] == [time - 40_000_000 for time in times]
    # The second reaches 0.5 but not its class's 0.7, and the third class is not wanted. An empty frame is told, too.
    assert [len(array.detections) for array in arrays] == [2, 0, 2]
    first, second = arrays[2].detections
    assert first.header == arrays[2].header
    assert first.header.frame_id == FRAME_ID
    assert first.id == second.id == ""
    (result,) = first.results
    assert result.hypothesis.class_id == "red"
    assert result.hypothesis.score == pytest.approx(0.95)
    assert (first.bbox.center.position.x, first.bbox.center.position.y) == (16.25, 22.0)
    assert (first.bbox.size_x, first.bbox.size_y, first.bbox.center.theta) == (30.5, 40.0, 0.0)
    assert second.results[0].hypothesis.score == 0.5


def test_the_model_is_told_once_with_the_first_frame(tmp_path: Path, detector: Bundle) -> None:
    content = read(write(tmp_path / "bag", detector, [FOUND, FOUND]))
    ((time, labels),) = content["/camera/label_info"]
    assert (time, stamp_of(labels)) == (START, START - 40_000_000)
    assert [(entry.class_id, entry.class_name) for entry in labels.class_map] == [(0, "red"), (1, "green"), (2, "blue")]
    assert labels.threshold == 0.5
    ((time, status),) = content["/camera/model_status"]
    assert (time, stamp_of(status)) == (START, START - 40_000_000)
    assert (status.method, status.database_version) == ("rectangles", 1)
    assert status.database_location == detector.uri


def test_masks_and_pictures(tmp_path: Path, segmenter: Bundle) -> None:
    content = read(write(tmp_path / "bag", segmenter, [mask(0), mask(1)], overlay=True))
    masks = [message for _, message in content["/camera/mask"]]
    assert [(one.encoding, one.width, one.height, one.step) for one in masks] == [("mono8", 64, 48, 64)] * 2
    assert (masks[1].data.reshape(48, 64) == mask(1).mask).all()
    assert masks[1].header.frame_id == FRAME_ID
    # 0 is the background in a mask.
    ((_, labels),) = content["/camera/label_info"]
    assert [(entry.class_id, entry.class_name) for entry in labels.class_map] == [(0, "background"), (1, "red")]
    pictures = [message for _, message in content["/camera/overlay/compressed"]]
    assert [picture.format for picture in pictures] == ["jpeg", "jpeg"]
    assert stamp_of(pictures[1]) == stamp_of(masks[1])
    assert cv2.imdecode(pictures[0].data, cv2.IMREAD_COLOR).shape == (48, 64, 3)


def test_what_is_drawn_is_what_is_written(tmp_path: Path, detector: Bundle) -> None:
    content = read(write(tmp_path / "bag", detector, [FOUND[:0], FOUND[1:2], FOUND[:1]], overlay=True))
    nothing, below, one = (message.data.tobytes() for _, message in content["/camera/overlay/compressed"])
    assert nothing == below
    assert one != nothing


@pytest.mark.parametrize("kind", ["detection", "segmentation"])
def test_types_hashes_and_quality_of_service(tmp_path: Path, detector: Bundle, segmenter: Bundle, kind: str) -> None:
    if kind == "detection":
        path, found = write(tmp_path / "bag", detector, [FOUND], overlay=True), ("detections", DETECTIONS)
    else:
        path, found = write(tmp_path / "bag", segmenter, [mask(0)], overlay=True), ("mask", IMAGE)
    expected = {
        "/camera/label_info": (LABEL_INFO, True),
        "/camera/model_status": (VISION_INFO, True),
        f"/camera/{found[0]}": (found[1], False),
        "/camera/overlay/compressed": (COMPRESSED_IMAGE, False),
    }
    # With metadata.yaml, and from what the file itself says.
    for opened in (path, path / "results.mcap"):
        with Reader(opened) as reader:
            assert {one.topic: one.msgtype for one in reader.connections} == {
                topic: kind for topic, (kind, _) in expected.items()
            }
            for connection in reader.connections:
                _, latched = expected[connection.topic]
                assert "MSG: std_msgs/Header" in connection.msgdef.data
                (offered,) = connection.ext.offered_qos_profiles
                assert_offers(offered, 1 if latched else 10, latched)
    with Reader(path) as reader:
        assert {one.msgtype: one.digest for one in reader.connections} == {
            kind: HASHES[kind] for kind, _ in expected.values()
        }
    # What Humble can read; it wants numbers in a text where newer versions have words in a list.
    assert "version: 8" in (path / "metadata.yaml").read_text()


def assert_offers(offered: Qos, depth: int, latched: bool) -> None:
    assert (offered.history, offered.depth) == (QosHistory.KEEP_LAST, depth)
    assert offered.reliability == QosReliability.RELIABLE
    assert offered.durability == (QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE)


@pytest.mark.parametrize(
    ("topic", "expected"),
    [
        ("/camera/image_raw", "/camera/detections"),
        ("/camera/image_raw/compressed", "/camera/detections"),
        ("/robot/front/color/image_raw", "/robot/front/color/detections"),
        ("/image", "/detections"),
        ("/image/compressed", "/detections"),
    ],
)
def test_names_beside_the_images(topic: str, expected: str) -> None:
    assert beside(topic, "detections") == expected


@pytest.mark.parametrize("overlay", [False, True])
def test_the_same_results_give_the_same_bytes(tmp_path: Path, detector: Bundle, overlay: bool) -> None:
    found: list[Result] = [FOUND, FOUND[:1]]
    one, other = (write(tmp_path / name, detector, found, overlay=overlay) for name in ("one", "another name"))
    names = sorted(path.name for path in one.iterdir())
    assert names == ["metadata.yaml", "results.mcap"]
    for name in names:
        assert (one / name).read_bytes() == (other / name).read_bytes()


@pytest.mark.parametrize("stamp", [0, 2**31 * 10**9, (2**32 - 1) * 10**9, -1])
def test_stamps_that_make_no_sense_are_no_end(tmp_path: Path, detector: Bundle, stamp: int) -> None:
    with result_bag(tmp_path / "bag", CAMERA, detector, THRESHOLDS) as bag:
        bag.add(stamp, START, FRAME_ID, scene(SIZE, {}), FOUND)
    ((_, message),) = read(tmp_path / "bag")["/camera/detections"]
    # As the bits of ROS 1's unsigned seconds are in ROS 2's signed ones.
    assert (stamp_of(message) - stamp) % (2**32 * 10**9) == 0


@pytest.mark.parametrize("there", ["directory", "file", "dangling link"])
def test_nothing_is_overwritten(tmp_path: Path, detector: Bundle, there: str) -> None:
    path = tmp_path / "bag"
    if there == "directory":
        path.mkdir()
    elif there == "file":
        path.write_text("mine")
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="there is something already"):
        write(path, detector, [FOUND])
    assert [entry.name for entry in tmp_path.iterdir()] == ["bag"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, detector: Bundle) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write"):
        write(tmp_path / "file" / "bag", detector, [FOUND])


@contextmanager
def room(count: int) -> Iterator[None]:
    """No file may become larger: the system itself refuses, as it does on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("count", [0, 20_000], ids=["at its end", "in the middle"])
def test_without_room_nothing_is_left(tmp_path: Path, segmenter: Bundle, count: int) -> None:
    noise = np.random.default_rng(0).integers(0, 2, (1000, 1200), np.uint8)
    frames = [Segmentation(noise, noise)] * (1 if count == 0 else 3)
    with room(count), pytest.raises(UserError, match="cannot write: File too large"):
        write(tmp_path / "bag", segmenter, list(frames))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_what_breaks_off_leaves_nothing(tmp_path: Path, detector: Bundle, error: type[BaseException]) -> None:
    def begin() -> None:
        with result_bag(tmp_path / "bag", CAMERA, detector, THRESHOLDS) as bag:
            bag.add(START, START, FRAME_ID, scene(SIZE, {}), FOUND)
            assert [path.name.startswith(".partial-") for path in tmp_path.iterdir()] == [True]
            raise error

    with pytest.raises(error):
        begin()
    assert list(tmp_path.iterdir()) == []


def replayed(tmp_path: Path, **more: Any) -> ReplayParams:
    """A replay of three frames."""
    repository = tmp_path / "models"
    write_detector(repository)
    film = Film([scene(SIZE, {"red": (10 + index, 10, 40, 30)}) for index in range(3)])
    bag = write_bag(tmp_path / "recorded", film, raw=False, packed=True)
    common: dict[str, Any] = {"bag": str(bag), "model_root": str(repository), "output": str(tmp_path / "out")}
    return ReplayParams(**{"backend": "onnxruntime", "threads": 1, "report": False, **common, **more})


def test_a_replay_writes_it(tmp_path: Path) -> None:
    params = replayed(tmp_path, model="rectangles", bag_output=str(tmp_path / "found"), overlay=True)
    summary = replay_command(params)
    content = read(tmp_path / "found")
    assert {name: len(entries) for name, entries in content.items()} == {
        "/camera/label_info": 1,
        "/camera/model_status": 1,
        "/camera/detections": 3,
        "/camera/overlay/compressed": 3,
    }
    assert sum(len(message.detections) for _, message in content["/camera/detections"]) == 3
    assert summary["counts"]["detections"] == 3
    with pytest.raises(UserError, match="there is something already"):
        replay_command(params)


def test_of_classes_and_scores_that_are_not_wanted_nothing_is_written(tmp_path: Path) -> None:
    params = replayed(tmp_path, model="rectangles", bag_output=str(tmp_path / "found"), class_thresholds=("red=0.95",))
    replay_command(params)
    assert not any(message.detections for _, message in read(tmp_path / "found")["/camera/detections"])


def test_a_comparison_writes_one_for_each_model(tmp_path: Path) -> None:
    models = ("rectangles", "rectangles:1,threads=2")
    params = replayed(tmp_path, compare=models, bag_output=str(tmp_path / "found"))
    replay_command(params)
    folders = sorted(path.name for path in (tmp_path / "found").iterdir())
    assert folders == sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert [len(read(tmp_path / "found" / folder)["/camera/detections"]) for folder in folders] == [3, 3]


def test_a_place_that_is_taken_is_refused_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    params = replayed(tmp_path, model="rectangles", bag_output=str(tmp_path / "found"))
    with pytest.raises(UserError, match="there is something already"):
        replay_command(params)
    assert not (tmp_path / "out").exists()


def test_an_overlay_needs_a_recording(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--bag-output"):
        replay_command(replayed(tmp_path, model="rectangles", overlay=True))
    assert not (tmp_path / "out").exists()


def test_a_replay_that_fails_leaves_no_recording(tmp_path: Path) -> None:
    params = replayed(tmp_path, model="rectangles", bag_output=str(tmp_path / "found"), classes=("lorry",))
    with pytest.raises(UserError, match="no class 'lorry'"):
        replay_command(params)
    assert not (tmp_path / "found").exists()
    assert not list(tmp_path.glob(".partial-*"))


def test_ros_makes_the_same_bytes(detector: Bundle) -> None:
    """What our nodes publish and what is written here are the same messages, byte for byte."""
    pytest.importorskip("rclpy")
    pytest.importorskip("vision_msgs")
    from builtin_interfaces.msg import Time
    from rclpy.serialization import deserialize_message, serialize_message
    from std_msgs.msg import Header
    from vision_msgs.msg import VisionInfo

    from perception_common.ros.images import image_to_msg
    from perception_common.ros.vision import detections_to_msg, label_info

    ours = messages.header_of(1_700_000_000_123_456_789, FRAME_ID)
    theirs = Header(stamp=Time(sec=1_700_000_000, nanosec=123_456_789), frame_id=FRAME_ID)
    names = ["red", "grün", ""]
    some = Detections(FOUND.boxes[:3] / np.float32(3), FOUND.scores[:3], FOUND.labels[:3])
    pairs = [
        (DETECTIONS, messages.detections_message(ours, some.boxes, some.scores, names),
         detections_to_msg(theirs, some.boxes, some.scores, names)),
        (DETECTIONS, messages.detections_message(ours, some.boxes[:0], some.scores[:0], []),
         detections_to_msg(theirs, some.boxes[:0], some.scores[:0], [])),
        (LABEL_INFO, messages.label_info_message(ours, names, 0.3, True), label_info(theirs, names, 0.3, True)),
        (LABEL_INFO, messages.label_info_message(ours, names, 0.3, False), label_info(theirs, names, 0.3, False)),
        (VISION_INFO, messages.vision_info_message(ours, "m", detector.uri, 7),
         VisionInfo(header=theirs, method="m", database_location=detector.uri, database_version=7)),
        (IMAGE, messages.mask_message(ours, mask(0).mask), image_to_msg(mask(0).mask, "mono8", theirs)),
    ]  # fmt: skip
    store = ros2_types()
    for kind, mine, other in pairs:
        data, published = bytes(store.serialize_cdr(mine, kind)), serialize_message(other)
        assert deserialize_message(data, type(other)) == deserialize_message(published, type(other))
        # Between fields, ROS leaves what was in memory: written again, its bytes have zeros there as ours do.
        assert len(published) == len(data)
        assert bytes(store.serialize_cdr(store.deserialize_cdr(published, kind), kind)) == data

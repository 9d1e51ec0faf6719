"""Recordings: every storage, compression and kind of damage; nothing but what is damaged is lost."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from recorded import CAMERA, START, TRUTH, Film, image, types, write_bag
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionMode
from rosbags.typesys import Stores, get_typestore

from perception_common.errors import UserError
from perception_common.stamps import stamp_of
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.decoding import DecodeError
from perception_infer.recordings.frames import image_topic, pixels_of
from perception_infer.recordings.types import DETECTIONS, IMAGE, IMAGES, full_name, ros2_types

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "bags"


def film(count: int = 6, **more: object) -> Film:
    """Frames of which each has its number as its colour."""
    return Film([np.full((24, 32, 3), index * 10 % 256, np.uint8) for index in range(count)], **more)  # type: ignore[arg-type]


def seen(path: Path, topic: str = CAMERA) -> tuple[list[int], list[str]]:
    """The colours of the frames, and the warnings."""
    with Recording(path) as recording:
        colours = [int(pixels_of(message.decode())[0, 0, 0]) for message in recording.messages((topic,))]
        return colours, recording.warnings


ALL = [index * 10 for index in range(6)]


@pytest.mark.parametrize("mcap", [False, True], ids=["sqlite", "mcap"])
@pytest.mark.parametrize("compression", list(CompressionMode)[:3])
def test_every_storage_and_compression(tmp_path: Path, mcap: bool, compression: CompressionMode) -> None:
    path = write_bag(tmp_path / "bag", film(), mcap=mcap, compression=compression)
    assert seen(path) == (ALL, [])
    with Recording(path) as recording:
        assert recording.topics[CAMERA].count == 6
        assert (recording.start, recording.end) == (START, START + 5 * 100_000_000)
        assert len(recording.files) == 1
        assert recording.files[0].bytes > 0


@pytest.mark.parametrize("mcap", [False, True], ids=["sqlite", "mcap"])
def test_split_recordings_with_and_without_metadata(tmp_path: Path, mcap: bool) -> None:
    path = write_bag(tmp_path / "bag", film(23), mcap=mcap, split=2)
    everything = [index * 10 for index in range(23)]
    assert seen(path) == (everything, [])
    (path / "metadata.yaml").unlink()
    # Ten comes after two, not after one.
    assert seen(path) == (everything, [])
    one = sorted(path.iterdir())[0]
    assert seen(one) == ([0, 10], [])


def test_a_file_that_is_missing_or_empty_costs_itself(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", film(), split=2)
    (path / "bag_1.mcap").unlink()
    colours, warnings = seen(path)
    assert colours == [0, 10, 40, 50]
    assert "metadata.yaml cannot be used" in warnings[0]
    assert "bag_1.mcap" in warnings[0]
    (path / "bag_1.mcap").touch()
    colours, warnings = seen(path)
    assert colours == [0, 10, 40, 50]
    assert any(warning.startswith("bag_1.mcap is left out") for warning in warnings)


@pytest.mark.parametrize("text", ["", "no: [yaml", "rosbag2_bagfile_information: 3"])
def test_damaged_metadata_is_told_and_not_needed(tmp_path: Path, text: str) -> None:
    path = write_bag(tmp_path / "bag", film())
    (path / "metadata.yaml").write_text(text)
    colours, warnings = seen(path)
    assert colours == ALL
    assert "metadata.yaml cannot be used" in warnings[0]


@pytest.mark.parametrize("share", [0.5, 0.8, 0.97])
@pytest.mark.parametrize("metadata", [False, True])
def test_an_mcap_file_that_breaks_off_is_read_up_to_there(tmp_path: Path, share: float, metadata: bool) -> None:
    # Large enough for several chunks, of which only the last is lost.
    many = Film([np.full((120, 160, 3), index, np.uint8) for index in range(60)])
    path = write_bag(tmp_path / "bag", many)
    (file,) = path.glob("*.mcap")
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * share)])
    if not metadata:
        (path / "metadata.yaml").unlink()
    colours, warnings = seen(path)
    assert colours == list(range(60))[: len(colours)]
    # A chunk has a third of them.
    assert 60 * (share - 0.36) < len(colours) <= 60
    assert any("breaks off" in warning for warning in warnings)


def test_a_damaged_database_is_told_with_what_mends_it(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", film(40), mcap=False)
    (file,) = path.glob("*.db3")
    data = bytearray(file.read_bytes())
    middle = len(data) // 2 // 4096 * 4096
    data[middle : middle + 3 * 4096] = b"\xff" * 3 * 4096
    file.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"cannot be read: .*malformed.*sqlite3 FILE \.recover"):
        Recording(path)


@pytest.mark.parametrize("column", ["type", "name"])
@pytest.mark.parametrize("value", [None, b"sensor_msgs/msg/Image"])
def test_a_topic_whose_name_or_type_is_no_text_is_told(tmp_path: Path, column: str, value: object) -> None:
    (file,) = write_bag(tmp_path / "bag", film(2), mcap=False).glob("*.db3")
    alone = shutil.copy(file, tmp_path / "alone.db3")
    with contextlib.closing(sqlite3.connect(alone)) as database, database:
        (sql,) = database.execute("SELECT sql FROM sqlite_master WHERE name = 'topics'").fetchone()
        # As a damaged file may, and no writer does.
        database.execute("PRAGMA writable_schema = ON")
        database.execute("UPDATE sqlite_master SET sql = ? WHERE name = 'topics'", [sql.replace("NOT NULL", "")])
    with contextlib.closing(sqlite3.connect(alone)) as database, database:
        database.execute(f"UPDATE topics SET {column} = ?", [value])
    with pytest.raises(UserError, match=r"cannot be read: .*name or type is no text"):
        Recording(alone)


def test_damage_that_shows_while_reading_ends_the_file_there(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", film(300), compression=CompressionMode.MESSAGE, mcap=False)
    (file,) = path.glob("*.db3")
    data = file.read_bytes()
    # The frame of a zstd message, found by its magic, of one in the middle.
    at = data.find(b"\x28\xb5\x2f\xfd", len(data) // 2)
    file.write_bytes(data[: at + 4] + b"\xff" * 8 + data[at + 12 :])
    colours, warnings = seen(path)
    assert 0 < len(colours) < 300
    assert any("cannot be read beyond message" in warning for warning in warnings)


@pytest.mark.parametrize("name", ["bag.db3", "bag.mcap", "bag.bag"])
@pytest.mark.parametrize("content", [b"", b"no recording at all" * 100])
def test_what_is_no_recording_is_told_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"the bag cannot be read"):
        Recording(path)


def test_paths_that_are_wrong_say_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        Recording(tmp_path / "nothing")
    with pytest.raises(UserError, match=r"no recording .* \.db3 or \.mcap"):
        Recording(tmp_path)
    (tmp_path / "notes.txt").touch()
    with pytest.raises(UserError, match=r"'\.txt' is no file of a recording"):
        Recording(tmp_path / "notes.txt")


def test_a_log_that_was_never_merged_is_told(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", film(), mcap=False)
    (path / "metadata.yaml").unlink()
    (file,) = path.glob("*.db3")
    file.with_name(file.name + "-wal").write_bytes(b"log")
    assert "was never merged" in seen(path)[1][0]


def test_a_directory_of_one_file_may_be_named_by_it(tmp_path: Path) -> None:
    path = write_bag(tmp_path / "bag", film(), compression=CompressionMode.MESSAGE)
    (file,) = path.glob("*.mcap")
    # Only the metadata says that messages are compressed.
    assert seen(file) == (ALL, [])


def test_ros_1_bags(tmp_path: Path) -> None:
    store = get_typestore(Stores.ROS1_NOETIC)
    kind = "sensor_msgs/msg/Image"
    with Writer1(tmp_path / "old.bag") as writer:
        connection = writer.add_connection(CAMERA, kind, typestore=store)
        for index in range(6):
            time = store.types["builtin_interfaces/msg/Time"](sec=1_700_000_000, nanosec=index)
            head = store.types["std_msgs/msg/Header"](seq=index, stamp=time, frame_id="camera")
            data = np.full(24 * 32 * 3, index * 10, np.uint8)
            message = store.types[kind](
                header=head, height=24, width=32, encoding="rgb8", is_bigendian=0, step=96, data=data
            )
            writer.write(connection, START + index, store.serialize_ros1(message, kind))
    assert seen(tmp_path / "old.bag") == (ALL, [])
    with Recording(tmp_path / "old.bag") as recording:
        stamps = [stamp_of(message.decode()) for message in recording.messages((CAMERA,))]
    assert stamps == [START + index for index in range(6)]


def test_topics_are_asked_for_by_name_and_type(tmp_path: Path) -> None:
    boxes = [{"red": (1.0, 2.0, 9.0, 8.0)}] * 6
    path = write_bag(tmp_path / "bag", film(truth=boxes), packed=True)
    with Recording(path) as recording:
        assert [topic.name for topic in recording.of_type(IMAGES)] == [CAMERA, f"{CAMERA}/compressed"]
        assert recording.require(TRUTH, (DETECTIONS,)).count == 6
        with pytest.raises(UserError, match="did you mean '/camera/image_raw'"):
            recording.require("/camera/image_rew", IMAGES)
        with pytest.raises(UserError, match="has vision_msgs/msg/Detection2DArray"):
            recording.require(TRUTH, IMAGES)
        # Both are of one camera, and the raw images lose nothing.
        assert image_topic(recording).name == CAMERA
        assert image_topic(recording, f"{CAMERA}/compressed").name == f"{CAMERA}/compressed"


def test_with_several_cameras_one_has_to_be_chosen(tmp_path: Path) -> None:
    other = [("/rear/image", IMAGE, START, image(np.zeros((8, 8, 3), np.uint8), START))]
    with Recording(write_bag(tmp_path / "bag", film(extra=other))) as recording:
        with pytest.raises(UserError, match=r"several image topics .* --topic: /camera/image_raw \(6\), /rear/image"):
            image_topic(recording)
        assert image_topic(recording, "/rear/image").count == 1
    dark = write_bag(tmp_path / "dark", film(truth=[{}] * 6), raw=False)
    with Recording(dark) as recording, pytest.raises(UserError, match="has no images"):
        image_topic(recording)


def test_older_definitions_in_the_recording_are_followed(tmp_path: Path) -> None:
    """A recording of ROS 2 Foxy: vision_msgs 2 had other fields under the same name."""
    from rosbags.rosbag2 import StoragePlugin, Writer
    from rosbags.typesys import get_types_from_msg

    old = get_typestore(Stores.ROS2_FOXY)
    texts = {
        "ObjectHypothesisWithPose": "string id\nfloat64 score\ngeometry_msgs/PoseWithCovariance pose",
        "BoundingBox2D": "geometry_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
        "Detection2D": "std_msgs/Header header\nObjectHypothesisWithPose[] results\nBoundingBox2D bbox",
        "Detection2DArray": "std_msgs/Header header\nDetection2D[] detections",
    }
    for name, text in texts.items():
        old.register(get_types_from_msg(text, f"vision_msgs/msg/{name}"))
    kind = "vision_msgs/msg/Detection2DArray"
    known = old.types
    head = known["std_msgs/msg/Header"](stamp=known["builtin_interfaces/msg/Time"](sec=1, nanosec=2), frame_id="c")
    box = known["vision_msgs/msg/BoundingBox2D"](
        center=known["geometry_msgs/msg/Pose2D"](x=10.0, y=20.0, theta=0.0), size_x=4.0, size_y=6.0
    )
    one = known["vision_msgs/msg/Detection2D"](header=head, results=[], bbox=box)
    with Writer(tmp_path / "bag", version=8, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(TRUTH, kind, typestore=old)
        writer.write(connection, 5, old.serialize_cdr(known[kind](header=head, detections=[one]), kind))
    with Recording(tmp_path / "bag") as recording:
        (message,) = recording.messages((TRUTH,))
        decoded = message.decode()
    assert (decoded.detections[0].bbox.center.y, stamp_of(decoded)) == (20.0, 1_000_000_002)


def test_images_that_a_recording_defines_for_itself_are_refused(tmp_path: Path) -> None:
    """Found by `make fuzz`: a definition with a letter changed."""
    write_bag(tmp_path / "bag", film(1))
    (path,) = (tmp_path / "bag").glob("*.mcap")
    path.write_bytes(path.read_bytes().replace(b"uint32 height", b"uint32 heighz"))
    with Recording(tmp_path / "bag") as recording:
        (message,) = recording.messages((CAMERA,))
        with pytest.raises(DecodeError, match="defines sensor_msgs/msg/Image in another way than ROS 2"):
            message.decode()


def test_names_and_hashes_of_types() -> None:
    assert full_name("sensor_msgs/Image") == full_name("sensor_msgs/msg/Image") == IMAGE
    # Of the released package: bags of ours are read by everybody's tools.
    released = {
        "Detection2DArray": "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
        "LabelInfo": "RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
        "VisionInfo": "RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284",
    }
    assert {name: ros2_types().hash_rihs01(f"vision_msgs/msg/{name}") for name in released} == released
    assert "vision_msgs/msg/Detection3DArray" in types()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the sample recordings are not here")
@pytest.mark.parametrize("name", ["nuts_db3", "nuts_mcap"])
def test_recordings_of_others(tmp_path: Path, name: str) -> None:
    copy = Path(shutil.copytree(SHARED / name, tmp_path / name))
    for without in (False, True):
        if without:
            (copy / "metadata.yaml").unlink()
        with Recording(copy) as recording:
            for topic in recording.of_type(IMAGES):
                shapes = {pixels_of(message.decode()).shape for message in recording.messages((topic.name,))}
                assert topic.count == 18
                assert shapes == {(600, 800, 3)} if topic.name.endswith("compressed") else {(300, 400, 3)}
            assert recording.warnings == []

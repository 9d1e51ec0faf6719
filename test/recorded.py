"""Small recordings, made here: frames, true boxes and masks of a camera, in every storage that there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

from perception_infer.recordings.types import COMPRESSED_IMAGE, DETECTIONS, IMAGE, ros2_types

Pixels = npt.NDArray[np.uint8]
CAMERA, TRUTH = "/camera/image_raw", "/camera/ground_truth"
START, PERIOD = 1_700_000_000_000_000_000, 100_000_000
_NS = 1_000_000_000


@dataclass
class Film:
    """What a camera saw: RGB frames, and stamps in nanoseconds (a frame every 0.1 s when none are given).

    ``truth`` has the boxes xyxy of each frame by class name, in lists of equal boxes' tuples.
    """

    frames: Sequence[Pixels]
    stamps: Sequence[int] = ()
    truth: Sequence[Mapping[str, tuple[float, float, float, float]]] = ()
    frame_id: str = "camera_optical_frame"
    extra: list[tuple[str, str, int, Any]] = field(default_factory=list)

    def stamp(self, index: int) -> int:
        """The stamp of a frame."""
        return self.stamps[index] if self.stamps else START + index * PERIOD


def types() -> Any:
    """Message classes by name."""
    return ros2_types().types


def header(stamp: int, frame_id: str) -> Any:
    """A std_msgs/Header."""
    time = types()["builtin_interfaces/msg/Time"](sec=stamp // _NS, nanosec=stamp % _NS)
    return types()["std_msgs/msg/Header"](stamp=time, frame_id=frame_id)


def image(rgb: Pixels, stamp: int, frame_id: str = "camera", encoding: str = "bgr8") -> Any:
    """A sensor_msgs/Image, bgr8, rgb8 or mono8."""
    data = rgb[..., ::-1] if encoding == "bgr8" else rgb
    height, width = rgb.shape[:2]
    return types()[IMAGE](
        header=header(stamp, frame_id),
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=0,
        step=width * (1 if encoding == "mono8" else 3),
        data=np.ascontiguousarray(data).reshape(-1),
    )


def compressed(data: bytes, stamp: int, frame_id: str = "camera") -> Any:
    """A sensor_msgs/CompressedImage of the bytes of a JPEG."""
    return types()[COMPRESSED_IMAGE](header=header(stamp, frame_id), format="jpeg", data=np.frombuffer(data, np.uint8))


def jpeg(rgb: Pixels) -> bytes:
    """The bytes of a JPEG."""
    return bytes(cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))[1].tobytes())


def detections(boxes: Mapping[str, tuple[float, float, float, float]], stamp: int, metres: float = 0.0) -> Any:
    """A Detection2DArray; every object is so far along the optical axis."""
    known = types()
    head = header(stamp, "camera")
    listed = []
    for name, (left, top, right, bottom) in boxes.items():
        middle = known["vision_msgs/msg/Pose2D"](
            position=known["vision_msgs/msg/Point2D"](x=(left + right) / 2, y=(top + bottom) / 2), theta=0.0
        )
        box = known["vision_msgs/msg/BoundingBox2D"](center=middle, size_x=right - left, size_y=bottom - top)
        place = known["geometry_msgs/msg/Pose"](
            position=known["geometry_msgs/msg/Point"](x=0.0, y=0.0, z=metres),
            orientation=known["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        )
        result = known["vision_msgs/msg/ObjectHypothesisWithPose"](
            hypothesis=known["vision_msgs/msg/ObjectHypothesis"](class_id=name, score=1.0),
            pose=known["geometry_msgs/msg/PoseWithCovariance"](pose=place, covariance=np.zeros(36)),
        )
        listed.append(known["vision_msgs/msg/Detection2D"](header=head, results=[result], bbox=box, id=""))
    return known[DETECTIONS](header=head, detections=listed)


def write_bag(
    path: Path,
    film: Film,
    *,
    raw: bool = True,
    packed: bool = False,
    mcap: bool = True,
    compression: CompressionMode = CompressionMode.NONE,
    split: int = 0,
) -> Path:
    """Write a rosbag2 directory: raw frames, JPEG ones, or both, and the truth where the film has it.

    With ``split``, the storage is divided into files of so many frames, as `ros2 bag record` does it.
    """
    if split:
        return _split_bag(path, film, split, raw=raw, packed=packed, mcap=mcap)
    store = ros2_types()
    bag = Writer(path, version=9, storage_plugin=StoragePlugin.MCAP if mcap else StoragePlugin.SQLITE3)
    bag.set_compression(compression, CompressionFormat.ZSTD)
    with bag as writer:
        connections: dict[str, Any] = {}

        def write(topic: str, kind: str, time: int, message: Any) -> None:
            if topic not in connections:
                connections[topic] = writer.add_connection(topic, kind, typestore=store)
            data = message if isinstance(message, bytes) else store.serialize_cdr(message, kind)
            writer.write(connections[topic], time, data)

        for index, rgb in enumerate(film.frames):
            stamp, time = film.stamp(index), START + index * PERIOD
            if raw:
                write(CAMERA, IMAGE, time, image(rgb, stamp, film.frame_id))
            if packed:
                write(f"{CAMERA}/compressed", COMPRESSED_IMAGE, time, compressed(jpeg(rgb), stamp, film.frame_id))
            if film.truth:
                write(TRUTH, DETECTIONS, time, detections(film.truth[index], stamp))
        for topic, kind, time, message in film.extra:
            write(topic, kind, time, message)
    return path


def _split_bag(path: Path, film: Film, every: int, **options: bool) -> Path:
    """Parts written on their own and put into one directory, with a metadata.yaml that lists them."""
    import yaml

    names, merged = [], None
    for part, start in enumerate(range(0, len(film.frames), every)):
        chosen = slice(start, start + every)
        stamps = [film.stamp(index) for index in range(len(film.frames))[chosen]]
        piece = write_bag(
            path.with_name(f"{path.name}_part{part}"),
            Film(film.frames[chosen], stamps, film.truth[chosen], film.frame_id),
            **options,
        )
        path.mkdir(exist_ok=True)
        (file,) = (entry for entry in piece.iterdir() if entry.name != "metadata.yaml")
        name = f"{path.name}_{part}{file.suffix}"
        file.rename(path / name)
        names.append(name)
        told = yaml.safe_load((piece / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
        merged = told if merged is None else merged
        if merged is not told:
            merged["message_count"] += told["message_count"]
            for topic, more in zip(merged["topics_with_message_count"], told["topics_with_message_count"], strict=True):
                topic["message_count"] += more["message_count"]
    assert merged is not None
    merged["relative_file_paths"] = names
    merged.pop("files", None)
    (path / "metadata.yaml").write_text(yaml.safe_dump({"rosbag2_bagfile_information": merged}))
    return path

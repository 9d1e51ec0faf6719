"""Frames of a recording, copied out as lossless pictures. Needs `rosbags`, and no ROS."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.images import ImageError, Raw, rgb_from_compressed, rgb_from_raw

from .pictures import Picture, spread

RAW, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
#: Beside its metadata.yaml; the directory is what is opened.
_STORAGE = (".db3", ".mcap")


def from_bag(bag: Path, topic: str, most: int, folder: Path) -> list[Picture]:
    """At most ``most`` frames of an image topic, evenly spaced, written into ``folder`` as PNG.

    Args:
        bag: a rosbag2 directory (or a file in it), or a ROS 1 ``.bag``.
        topic: the topic, of sensor_msgs/Image or CompressedImage; empty for the only one there is.
        most: how many frames at most.
        folder: where the pictures go.

    Raises:
        UserError: the bag cannot be read, has no such topic or no frame in it, or a frame cannot be decoded.
    """
    pictures: list[Picture] = []
    for name, data, pixels in _frames(bag.parent if bag.suffix in _STORAGE else bag, topic, most):
        path = folder / f"{len(pictures):06}.png"
        if not cv2.imwrite(str(path), cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1]):
            raise UserError("cannot write a frame of the bag", where=path, fix="make room for temporary files")
        pictures.append(Picture(path, name, hashlib.sha256(data).hexdigest()))
    return pictures


def _frames(bag: Path, topic: str, most: int) -> Iterator[tuple[str, bytes, npt.NDArray[np.uint8]]]:
    """``topic@stamp``, the serialised message and RGB uint8 [H, W, 3] of each chosen frame."""
    try:
        from rosbags.highlevel import AnyReader
        from rosbags.typesys import Stores, get_typestore
    except ImportError as error:
        raise UserError("reading bags needs the Python package rosbags", fix="install it with pip") from error
    if not bag.exists():
        raise UserError("the bag does not exist", where=bag, fix="check the path")
    try:
        # The store is for bags of older distributions, which do not hold the definitions of their messages.
        with AnyReader([bag], default_typestore=get_typestore(Stores.LATEST)) as reader:
            connections = _choose(bag, topic, reader.connections)
            chosen = set(spread(range(sum(connection.msgcount for connection in connections)), most))
            if not chosen:
                raise UserError(f"the bag holds no frame of {connections[0].topic}", where=bag)
            for index, (connection, stamp, data) in enumerate(reader.messages(connections)):
                if index in chosen:
                    name = f"{connection.topic}@{stamp}"
                    yield name, data, _pixels(reader.deserialize(data, connection.msgtype), f"{bag}: {name}")
    except UserError:
        raise
    except Exception as error:  # the readers' errors share no base class: of SQLite, MCAP, YAML, and their own
        text = str(error) or type(error).__name__
        raise UserError(f"cannot read the bag: {text}", where=bag, fix="check it with `ros2 bag info`") from error


def _choose(bag: Path, topic: str, connections: list[Any]) -> list[Any]:
    """The connections of the topic, or of the only image topic."""
    images = [connection for connection in connections if connection.msgtype in (RAW, COMPRESSED)]
    topics = sorted({connection.topic for connection in images})
    if not topics:
        raise UserError("the bag has no image topic", where=bag, fix=f"it must have one of {RAW} or {COMPRESSED}")
    if topic and topic not in topics:
        raise UserError(f"the bag has no image topic '{topic}'", where=bag, fix=f"there is {', '.join(topics)}")
    if not topic and len(topics) > 1:
        raise UserError("the bag has several image topics", where=bag, fix=f"choose with --topic: {', '.join(topics)}")
    return [connection for connection in images if connection.topic == (topic or topics[0])]


def _pixels(message: Any, where: str) -> npt.NDArray[np.uint8]:
    try:
        if hasattr(message, "format"):
            return rgb_from_compressed(message.data, message.format)
        return rgb_from_raw(Raw.of(message))
    except ImageError as error:
        raise UserError(f"a frame cannot be used: {error}", where=where) from error

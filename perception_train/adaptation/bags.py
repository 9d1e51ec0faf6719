"""Frames of a recording, copied out as lossless pictures. Needs no ROS."""

from __future__ import annotations

import hashlib
from pathlib import Path

import cv2

from perception_common.errors import UserError
from perception_common.images import ImageError, Pixels
from perception_infer.recordings.bag import Message, Recording
from perception_infer.recordings.decoding import DecodeError
from perception_infer.recordings.frames import image_topic, pixels_of
from perception_infer.running import say

from .pictures import Picture, spread


def from_bag(bag: Path, topic: str, most: int, folder: Path) -> list[Picture]:
    """At most ``most`` frames of an image topic, evenly spaced, written into ``folder`` as PNG.

    What of a damaged recording cannot be read is said on stderr; the frames before it are taken.

    Args:
        bag: a recording, see `Recording`.
        topic: the topic, of sensor_msgs/Image or CompressedImage; empty for the only camera's.
        most: how many frames at most.
        folder: where the pictures go.

    Raises:
        UserError: the bag cannot be read, has no such topic or no frame in it, or a frame cannot be decoded.
    """
    pictures: list[Picture] = []
    with Recording(bag) as recording:
        chosen_topic = image_topic(recording, topic)
        chosen = set(spread(range(chosen_topic.count), most))
        for index, message in enumerate(recording.messages((chosen_topic.name,))):
            if index not in chosen:
                continue
            name, path = f"{message.topic}@{message.time}", folder / f"{len(pictures):06}.png"
            bgr = cv2.cvtColor(_pixels(message, f"{bag}: {name}"), cv2.COLOR_RGB2BGR)
            if not cv2.imwrite(str(path), bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1]):
                raise UserError("cannot write a frame of the bag", where=path, fix="make room for temporary files")
            pictures.append(Picture(path, name, hashlib.sha256(message.data).hexdigest()))
            if len(pictures) == len(chosen):
                break
        for warning in recording.warnings:
            say(f"{bag}: {warning}")
    if not pictures:
        raise UserError(f"the bag holds no frame of {chosen_topic.name}", where=bag, fix="record the topic again")
    return pictures


def _pixels(message: Message, where: str) -> Pixels:
    try:
        return pixels_of(message.decode())
    except (DecodeError, ImageError) as error:
        raise UserError(f"a frame cannot be used: {error}", where=where) from error

"""Pictures without labels: those of a folder, or frames of a recording, with what names them for good. Needs no ROS."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import cv2
import numpy as np

from perception_common import durable
from perception_common.errors import UserError
from perception_common.images import ImageError, Pixels
from perception_infer.commands.run import find_pictures, read_picture
from perception_infer.recordings.bag import Message, Recording
from perception_infer.recordings.decoding import DecodeError
from perception_infer.recordings.frames import image_topic, pixels_of
from perception_infer.running import say

from .coco import CocoDataset, Sample

T = TypeVar("T")


class Picture(NamedTuple):
    """A file that holds a picture; ``name`` and ``sha256`` tell where it came from (a bag's frames are copied out)."""

    path: Path
    name: str
    sha256: str


def from_folder(folder: Path, most: int) -> list[Picture]:
    """At most ``most`` pictures of a folder, or of its ``images/`` when it is a dataset, evenly spaced by name.

    Raises:
        UserError: there is no such folder, or no picture in it.
    """
    if not folder.is_dir():
        raise UserError("there is no such folder", where=folder, fix="check the path")
    inner = folder / "images"
    found = find_pictures(inner if inner.is_dir() else folder)
    return [Picture(path, path.name, durable.sha256(path)) for path in spread(found, most)]


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


def spread(items: Sequence[T], most: int) -> list[T]:
    """All items, or ``most`` of them, evenly spaced."""
    count = min(most, len(items))
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)] if count else []


def list_sha256(pictures: Sequence[Picture]) -> str:
    """SHA-256 of the lines ``<sha256>  <name>``, as ``sha256sum`` writes them, in the order of use."""
    lines = "".join(f"{picture.sha256}  {picture.name}\n" for picture in pictures)
    return hashlib.sha256(lines.encode()).hexdigest()


def as_dataset(
    root: Path, classes: tuple[str, ...], pictures: Sequence[Picture], progress: Callable[[int], None]
) -> CocoDataset:
    """The pictures as a dataset in which nothing is labelled; ``progress`` is told of each that was read.

    Raises:
        UserError: a file is not a picture that can be read.
    """
    samples = []
    for picture in pictures:
        height, width = read_picture(picture.path).shape[:2]
        samples.append(Sample(picture.path, width, height, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)))
        progress(1)
    return CocoDataset(root, classes, tuple(samples), list_sha256(pictures), preset=None, skipped=0)


def _pixels(message: Message, where: str) -> Pixels:
    try:
        return pixels_of(message.decode())
    except (DecodeError, ImageError) as error:
        raise UserError(f"a frame cannot be used: {error}", where=where) from error

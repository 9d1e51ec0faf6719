"""Frames of an image topic: which one is meant, and pixels of its messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perception_common import topics
from perception_common.errors import UserError
from perception_common.images import Pixels, Raw, rgb_from_compressed, rgb_from_raw

from .bag import Recording, Topic
from .types import IMAGE, IMAGES

#: What image_transport appends to the name of a topic.
_COMPRESSED = "/compressed"
#: What a simulated camera calls its truth.
GROUND_TRUTH = topics.GROUND_TRUTH.name


def image_topic(recording: Recording, wanted: str = "", besides: str = "") -> Topic:
    """The image topic of that name, or the only camera's; of a camera's raw and compressed images the raw ones.

    The topic ``besides`` and those of a simulator's truth (`GROUND_TRUTH`) are no camera's.

    Raises:
        UserError: there is no image topic, no such one, or more than one camera to choose from.
    """
    if wanted:
        return recording.require(wanted, IMAGES)
    topics = [
        topic
        for topic in recording.of_type(IMAGES)
        if topic.count and topic.name != besides and GROUND_TRUTH not in topic.name.split("/")
    ]
    if not topics:
        raise UserError(
            "the bag has no images", where=recording.path, fix=f"it must have a topic of {' or '.join(IMAGES)}"
        )
    cameras = {topic.name.removesuffix(_COMPRESSED) for topic in topics}
    if len(cameras) > 1:
        listed = ", ".join(f"{topic.name} ({topic.count})" for topic in topics)
        raise UserError("the bag has several image topics", where=recording.path, fix=f"choose with --topic: {listed}")
    return next((topic for topic in topics if topic.type == IMAGE), topics[0])


def pixels_of(message: Any) -> Pixels:
    """RGB uint8 [H, W, 3] of a decoded Image or CompressedImage.

    Raises:
        ImageError: it holds no usable image.
    """
    if hasattr(message, "format"):
        return rgb_from_compressed(message.data, message.format)
    return rgb_from_raw(Raw.of(message))


def beside(topic: str, name: str) -> str:
    """A topic beside an image topic: /camera/detections beside /camera/image_raw, or its compressed images."""
    return topic.removesuffix(_COMPRESSED).rpartition("/")[0] + f"/{name}"


def bag_path(text: str) -> Path:
    """The path of a bag that a user named.

    Raises:
        UserError: none was named.
    """
    if not text:
        raise UserError("no bag was named", fix="give --bag BAG (a directory, or a .mcap, .db3 or .bag file)")
    return Path(text).expanduser()

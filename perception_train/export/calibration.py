"""Pictures that 8-bit graphs are calibrated with: a dataset's, a folder's, or frames of a recording."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from perception_common.errors import UserError
from perception_infer.commands.run import read_picture
from perception_infer.contract.geometry import Letterbox

from ..data.loader import letterboxed
from ..data.mixture import TrainingData, as_mixture
from ..data.unlabelled import Picture, from_bag, from_folder
from .precision import Image

_BAG_METADATA = "metadata.yaml"


def calibration_images(dataset: TrainingData, network: tuple[int, int], count: int) -> Iterator[Image]:
    """At most ``count`` images, evenly spread over the dataset, letterboxed to (width, height): uint8 [1, H, W, 3]."""
    for index in as_mixture(dataset).spread(count):
        yield letterboxed(dataset, int(index), network)[0][None]


def calibration_pictures(source: Path, topic: str, network: tuple[int, int], count: int) -> list[Image]:
    """At most ``count`` pictures of a folder, dataset or bag, evenly spread, letterboxed as the robot does it.

    Args:
        source: a folder of pictures, a dataset, a rosbag2 directory (or a file in it), or a ROS 1 ``.bag``.
        topic: image topic of the bag (empty: the only one).
        network: (width, height) in pixels.
        count: how many at most.

    Returns:
        uint8 [1, H, W, 3] each.

    Raises:
        UserError: there is nothing that can be read, or a topic is given for a folder.
    """
    if source.is_file() or (source / _BAG_METADATA).is_file():
        with tempfile.TemporaryDirectory(prefix="perception-calibration-") as folder:
            return [_letterboxed(picture, network) for picture in from_bag(source, topic, count, Path(folder))]
    if topic:
        raise UserError("a topic is given, but no bag", where=source, fix="leave calibration_topic out")
    return [_letterboxed(picture, network) for picture in from_folder(source, count)]


def _letterboxed(picture: Picture, network: tuple[int, int]) -> Image:
    rgb = read_picture(picture.path)
    return Letterbox.fit((rgb.shape[1], rgb.shape[0]), network).image(rgb)[None]

"""Images on their way into the new dataset: checked, then copied, linked, or turned upright."""

from __future__ import annotations

import os
import shutil
import warnings
from pathlib import Path

import cv2
import numpy as np
from cv2.utils import logging
from PIL import Image

from perception_common.errors import UserError

from ..readers.checks import Damaged
from ..readers.files import Header, is_file
from ..readers.sample import Sample
from ..readers.tally import Tally

_ROOM = "choose a directory that is writable and has room"


def as_stored(sample: Sample, header: Header) -> bool:
    """Whether the labels are those of the image as it is stored, and its EXIF orientation was not looked at.

    Raises:
        Damaged: the annotated size is neither that of the image nor that of its stored pixels.
    """
    if sample.size is None or sample.size == (header.width, header.height):
        return False
    if sample.size == header.stored:
        return True
    raise Damaged("image of another size than its annotation")


def verify(path: Path, header: Header) -> None:
    """Decode an image.

    Raises:
        Damaged: it cannot be decoded, or only in part, or OpenCV sees another size.
    """
    if path.suffix.lower() in (".jpg", ".jpeg"):
        _verify_jpeg(path)
        return
    level = logging.setLogLevel(0)  # damage is counted, not logged
    try:
        picture = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, OSError):
        picture = None
    finally:
        logging.setLogLevel(level)
    if picture is None or picture.shape[:2] != (header.height, header.width):
        raise Damaged("image cannot be decoded")


def _verify_jpeg(path: Path) -> None:
    """With Pillow: OpenCV fills what is missing of a JPEG with grey, and says nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                image.load()
    except Exception as error:  # Pillow's decoder raises whatever damaged data make it raise
        raise Damaged("image cannot be decoded") from error


def place(source: Path, target: Path, link: bool, tally: Tally) -> None:
    """Copy or hard-link an image; where links are impossible it is copied.

    Raises:
        Damaged: the source cannot be read.
        UserError: the target cannot be written.
    """
    if link:
        try:
            os.link(source.resolve(), target)
            return
        except OSError:
            tally.note("image copied, as it cannot be linked (another file system?)", source)
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if not is_file(source) or not os.access(source, os.R_OK):
            raise Damaged("image cannot be read") from error
        raise UserError(f"cannot write: {error.strerror}", where=target.parent, fix=_ROOM) from error


def write_png(picture: np.ndarray, target: Path) -> None:
    """Write a picture (grey, or blue-green-red) as PNG.

    Raises:
        UserError: the target cannot be written.
    """
    done, data = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 5])
    if not done:
        raise RuntimeError(f"OpenCV could not encode {target}")
    try:
        target.write_bytes(data.tobytes())
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=target.parent, fix=_ROOM) from error


def read_stored(path: Path) -> np.ndarray:
    """An image as it is stored, blue-green-red uint8 [H, W, 3], whatever its EXIF orientation says.

    Raises:
        Damaged: it cannot be decoded.
    """
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    if picture is None:
        raise Damaged("image cannot be decoded")
    return picture

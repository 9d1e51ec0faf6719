"""Truth from a COCO file, joined with the frames by stamp or by file name; never by position in the file.

Stamps: a key ``stamp``, ``stamp_ns`` or ``timestamp`` of an image (whole nanoseconds, or seconds with a fraction), or a
file name that is one (``1700000000200000000.jpg``, ``1700000000.200000000.png``). Without stamps the file names, in
natural order (2 before 10), are the frames in the order of the recording, which must then be as many.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.images import read_picture

from .truth import FrameTruth, Names, TrueBoxes, TrueMask, boxes_from_rows

ANNOTATIONS = "annotations.json"
_STAMP_KEYS = ("stamp_ns", "stamp", "timestamp")
# A float of seconds holds a time of our days to a quarter of a microsecond.
_TOLERANCE = 1000
_SECONDS_LIMIT = 1e11
_STAMP_NAME = re.compile(r"(?:^|_)(?:(\d{10})[._](\d{9})|(\d{19}))$")


@dataclass(frozen=True)
class _Entry:
    """An image of the file, with its annotations."""

    name: str
    width: int
    height: int
    stamp: int | None
    annotations: tuple[Mapping[str, Any], ...]


class CocoTruth:
    """See the module; ``segments`` says that the class of every pixel is wanted, not boxes.

    Args:
        path: the file, or a dataset directory with `ANNOTATIONS` in it.
        names: takes up the class names of the truth.
        frames: frames of the recording.

    Raises:
        UserError: the file is missing or no COCO file, or it has no stamps and another number of images than frames.
    """

    kind = "coco"

    def __init__(self, path: Path, names: Names, frames: int, segments: bool) -> None:
        file = path / ANNOTATIONS if path.is_dir() else path
        self.source, self._root, self._segments = str(file), file.parent, segments
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
            entries = _entries(content)
            self._labels = {int(kind["id"]): names.label(str(kind["name"])) for kind in content["categories"]}
        except OSError as error:
            raise UserError(f"the truth cannot be read: {error.strerror}", where=file, fix="check --truth") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"the truth is not valid COCO: {problem}", where=file) from error
        self.entries = len(entries)
        stamped = [entry for entry in entries if entry.stamp is not None]
        self.joined_by = "stamp" if stamped else "name"
        if not stamped and len(entries) != frames:
            raise UserError(
                f"the truth has no stamps and {len(entries)} images, the topic {frames} frames",
                where=file,
                fix="add the key stamp_ns to every image, or name the files by stamp",
            )
        self._by_stamp = {entry.stamp: entry for entry in stamped if entry.stamp is not None}
        self._stamps = np.array(sorted(self._by_stamp), np.int64)
        self._in_order = [] if stamped else sorted(entries, key=lambda entry: _natural(entry.name))

    def of(self, index: int, stamp: int, width: int, height: int) -> tuple[FrameTruth | None, str | None]:
        """See `Truth.of`; boxes are scaled where the frame has another size than the image of the file.

        Raises:
            UserError: an annotation or mask cannot be used.
        """
        entry = self._at(stamp) if self._by_stamp else self._in_order[index] if index < len(self._in_order) else None
        if entry is None:
            return None, None
        x, y = width / (entry.width or width), height / (entry.height or height)
        try:
            truth = self._mask(entry, width, height) if self._segments else self._boxes(entry).scaled(x, y)
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"an annotation of {entry.name} cannot be used: {error!r}", where=self.source) from error
        return truth, entry.name

    def _at(self, stamp: int) -> _Entry | None:
        found = self._by_stamp.get(stamp)
        if found is None and len(self._stamps):
            at = int(np.searchsorted(self._stamps, stamp))
            near = [int(value) for value in self._stamps[max(0, at - 1) : at + 1] if abs(value - stamp) <= _TOLERANCE]
            found = self._by_stamp[near[0]] if near else None
        return found

    def _boxes(self, entry: _Entry) -> TrueBoxes:
        rows = []
        for annotation in entry.annotations:
            x, y, width, height = (float(value) for value in annotation["bbox"])
            label = self._labels[int(annotation["category_id"])]
            metres = annotation.get("distance")
            away = float("nan") if metres is None else float(metres)
            rows.append(((x, y, x + width, y + height), label, bool(annotation.get("iscrowd", 0)), away))
        return boxes_from_rows(rows)

    def _mask(self, entry: _Entry, width: int, height: int) -> TrueMask:
        path = (self._root / "masks" / entry.name).with_suffix(".png")
        if path.is_file():
            read = read_picture(path, cv2.IMREAD_GRAYSCALE)
            if read is None:
                raise ValueError(f"{path} is not a mask")
            mask = np.asarray(read, np.uint8)
        else:
            mask = np.zeros((entry.height or height, entry.width or width), np.uint8)
            for annotation in sorted(entry.annotations, key=lambda one: -float(one.get("area", 0))):
                polygons = annotation["segmentation"]
                if not isinstance(polygons, list):
                    raise ValueError("run-length codes are not read: give polygons, or masks/ beside the file")
                label = self._labels[int(annotation["category_id"])] + 1
                cv2.fillPoly(mask, [_points(polygon) for polygon in polygons], (label,))
        if mask.shape != (height, width):
            mask = np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
        return TrueMask(mask)


def _entries(content: Mapping[str, Any]) -> list[_Entry]:
    by_image: dict[Any, list[Mapping[str, Any]]] = {}
    for annotation in content["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    found = []
    for image in content["images"]:
        name = str(image["file_name"])
        size = int(image.get("width", 0)), int(image.get("height", 0))
        found.append(_Entry(name, *size, _stamp(image, name), tuple(by_image.get(image["id"], ()))))
    return found


def _stamp(image: Mapping[str, Any], name: str) -> int | None:
    """Nanoseconds, or None where the image says nothing of its time."""
    for key in _STAMP_KEYS:
        value = image.get(key)
        if value is not None:
            # Whole seconds are told from nanoseconds by their size.
            return round(float(value) * 1e9) if abs(float(value)) < _SECONDS_LIMIT else int(value)
    found = _STAMP_NAME.search(Path(name).stem)
    if found is None:
        return None
    seconds, rest, whole = found.groups()
    return int(whole) if whole else int(seconds) * 1_000_000_000 + int(rest)


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name)]


def _points(polygon: Sequence[float]) -> npt.NDArray[np.int32]:
    points: npt.NDArray[np.int32] = np.asarray(polygon, np.float64).reshape(-1, 2).round().astype(np.int32)
    return points

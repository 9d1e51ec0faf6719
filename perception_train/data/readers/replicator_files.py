"""The files of BasicWriter's frames: names, layouts, and the rows of their bounding boxes.

Written after Replicator's own output (versions 0.0.1 and 0.0.2 of the writer) and the folders that its users publish.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .checks import Damaged, label, mapping, read_json, share
from .files import IMAGE_SUFFIXES, is_file

RGB, TIGHT, LOOSE = "rgb", "bounding_box_2d_tight", "bounding_box_2d_loose"
_NAME = re.compile(
    r"(?P<prefix>(?:.*_)?)(?P<annotator>rgb|bounding_box_2d_tight)_(?P<frame>[0-9]+(?:_[0-9]+)?)\.(?P<ending>[a-z]+)",
    re.IGNORECASE,
)
#: What BasicWriter calls pixels of nothing.
_NOTHING = ("BACKGROUND", "UNLABELLED")


@dataclass(frozen=True)
class Frame:
    """One picture of one render product: ``<folder>/<prefix><annotator>_<number>.<ending>``.

    ``nested`` says that every annotator has a folder of its own below ``folder``.
    """

    folder: Path
    prefix: str
    number: str
    nested: bool

    def file(self, annotator: str, ending: str, part: str = "") -> Path | None:
        """The annotator's file of this frame, or the ``part`` that goes with it (``labels``), if it is there."""
        name = f"{self.prefix}{annotator}_{part}_{self.number}" if part else f"{self.prefix}{annotator}_{self.number}"
        folders = (self.folder / annotator, self.folder) if self.nested else (self.folder,)
        return next((path for folder in folders if is_file(path := folder / f"{name}.{ending}")), None)

    @property
    def image(self) -> Path | None:
        """The frame's picture."""
        return next((path for suffix in IMAGE_SUFFIXES if (path := self.file(RGB, suffix[1:]))), None)

    @property
    def scene(self) -> str:
        """What all cameras that see the same moment have in common."""
        # Prefixes tell the render products of one folder apart, folders those of one parent.
        several = self.nested and not self.prefix
        return f"{self.folder.parent if several else self.folder}#{self.number}"


def parse(path: Path) -> tuple[str, Frame] | None:
    """``rgb`` or ``bounding_box_2d_tight`` and the frame that a file belongs to; None for other files."""
    found = _NAME.fullmatch(path.name)
    if found is None:
        return None
    annotator, ending = found["annotator"].lower(), found["ending"].lower()
    if f".{ending}" not in IMAGE_SUFFIXES if annotator == RGB else ending != "npy":
        return None
    nested = path.parent.name == annotator
    folder = path.parent.parent if nested else path.parent
    return annotator, Frame(folder, found["prefix"], found["frame"], nested)


class Row(NamedTuple):
    """One bounding box: inclusive pixels as they are written, and the share that is hidden (None: unknown)."""

    semantic: int
    x_min: float
    y_min: float
    x_max: float
    y_max: float
    occlusion: float | None

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Pixel edges."""
        return self.x_min, self.y_min, self.x_max + 1, self.y_max + 1


@dataclass(frozen=True)
class Boxes:
    """The rows of one annotator in one frame, the label ids' names, and the prims (None where they are unknown)."""

    frame: Frame
    annotator: str

    @cached_property
    def rows(self) -> list[Row]:
        """The rows.

        Raises:
            Damaged: the file is missing or damaged.
        """
        path = self.frame.file(self.annotator, "npy")
        if path is None:
            raise Damaged("bounding boxes missing")
        table = read_table(path)
        fields = table.dtype.names or ()
        wanted = ("semanticId", "x_min", "y_min", "x_max", "y_max")
        if table.ndim != 1 or any(name not in fields or table.dtype[name].kind not in "iuf" for name in wanted):
            raise Damaged("bounding boxes without the columns of BasicWriter")
        columns = [table[name].tolist() for name in wanted]
        hidden = table["occlusionRatio"].tolist() if "occlusionRatio" in fields else [None] * len(table)
        try:
            return [
                Row(int(semantic), float(x0), float(y0), float(x1), float(y1), share(occlusion))
                for semantic, x0, y0, x1, y1, occlusion in zip(*columns, hidden, strict=True)
            ]
        except (TypeError, ValueError, OverflowError):
            raise Damaged("bounding boxes without the columns of BasicWriter") from None

    @cached_property
    def names(self) -> dict[int, tuple[str, ...]]:
        """Label id to class names.

        Raises:
            Damaged: the file of labels is missing or damaged.
        """
        path = self.frame.file(self.annotator, "json", "labels")
        if path is None:
            raise Damaged("labels of the bounding boxes missing")
        return {int(key): names_of(value) for key, value in mapping(read_json(path)).items() if _is_id(key)}

    @cached_property
    def prims(self) -> list[str] | None:
        """The prim of each row; None where the file is missing or does not fit."""
        path = self.frame.file(self.annotator, "json", "prim_paths")
        if path is None:
            return None
        try:
            paths = read_json(path)
        except Damaged:
            return None
        fits = isinstance(paths, list) and len(paths) == len(self.rows) and all(isinstance(prim, str) for prim in paths)
        return paths if fits else None


def names_of(value: Any) -> tuple[str, ...]:
    """Class names in a label such as ``{"class": "cone,obstacle"}`` or ``"cone"``: inherited ones are joined by commas.

    The semantic type ``class`` counts, or the only one there is. Background has no names.
    """
    if isinstance(value, dict):
        value = value.get("class", next(iter(value.values())) if len(value) == 1 else None)
    if not isinstance(value, str):
        return ()
    names = []
    for part in value.split(","):
        try:
            names.append(label(part))
        except Damaged:
            continue
    return tuple(name for name in dict.fromkeys(names) if name not in _NOTHING)


def read_table(path: Path) -> Any:
    """The array in an ``.npy`` file; nothing is unpickled.

    Raises:
        Damaged: it cannot be read, or its header promises more than the file holds.
    """
    try:
        with path.open("rb") as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = read(file)
            count = int(np.prod([int(side) for side in shape], dtype=object)) if shape else 1
            if dtype.hasobject or count < 0 or count * dtype.itemsize > path.stat().st_size:
                raise Damaged("bounding boxes cannot be read")
            return np.frombuffer(file.read(count * dtype.itemsize), dtype, count).reshape(shape)
    except Damaged:
        raise
    except Exception as error:  # NumPy evaluates the header as Python: damaged ones raise all sorts of errors
        raise Damaged("bounding boxes cannot be read") from error


def _is_id(key: Any) -> bool:
    return isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 19

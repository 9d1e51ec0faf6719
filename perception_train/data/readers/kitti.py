"""KITTI object labels: a text file per image with 15 fields a line (16 with a score).

Format: Geiger et al. 2012, object development kit. Coordinates are pixels from 0. KITTI's own evaluation takes the
maxima as edges (width = x_max − x_min), and so does this reader unless told otherwise.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .checks import Damaged, label, parsed_number, read_text, share
from .files import Folders, split_of, walk
from .replicator_files import names_of
from .sample import Object, Options, Sample
from .tally import Tally

LOOKED_FOR = "label_2/*.txt (or labels/, object_detection/) with lines of 15 or 16 KITTI fields, and image_2/"
#: Folders of labels and, beside them, of images.
_LABELS = ("label_2", "label_02", "labels", "label", "object_detection")
_IMAGES = ("image_2", "image_02", "images", "image", "rgb")
#: The class comes first: quoted, a Python dict (Replicator's writer), or words up to the first number.
_LINE = re.compile(
    r"""(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<dict>\{[^}]*\})|(?P<plain>\S.*?))\s+(?=[-+.\d]|nan|inf)(?P<rest>.*)"""
)
_FIELDS = (14, 15)
_LONGEST_LINE = 2000
#: KITTI's occlusion levels as shares: visible, partly, largely, unknown. The levels have no exact meaning.
_HIDDEN = {0: 0.0, 1: 1 / 3, 2: 2 / 3}
_DONT_CARE = "dontcare"


def recognise(files: list[Path]) -> bool:
    """Whether these files look like KITTI's labels."""
    labels = (path for path in files if _is_label(path))
    for path, _ in zip(labels, range(50)):  # noqa: B905  # the first fifty are enough
        try:
            lines = [line for line in read_text(path).splitlines() if line.strip()]
        except Damaged:
            continue
        if lines:
            # A YOLO polygon can have as many fields; its class is a number.
            return any((found := _fields(line)) is not None and not found[0][0].isdigit() for line in lines)
    return False


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every label file below ``root``."""
    folders, seen = Folders(root), set()
    for path in walk(root):
        if not _is_label(path):
            continue
        beside = [path.parent.parent / name for name in _IMAGES]
        if path.parent not in seen:
            seen.add(path.parent)
            for unlabelled in folders.without(path.parent, beside):
                tally.skip("no label file", unlabelled)
        candidates = (folders.stem(path.stem, folder) for folder in (*beside, path.parent))
        image = next(filter(None, candidates), None)
        if image is None:
            tally.skip("image missing", path)
            continue
        try:
            lines = read_text(path).splitlines()
        except Damaged as error:
            tally.skip(error.reason, path)
            continue
        objects = (_object(line, path, options, tally) for line in lines if line.strip())
        yield Sample(image, tuple(filter(None, objects)), split=split_of(path.relative_to(root)))


def _is_label(path: Path) -> bool:
    return path.suffix.lower() == ".txt" and path.parent.name.lower() in _LABELS


def _fields(line: str) -> tuple[tuple[str, ...], list[str]] | None:
    """The names and the 14 or 15 words after them; None for a line that has not as many."""
    found = _LINE.fullmatch(line.strip()) if len(line) <= _LONGEST_LINE else None
    if found is None or len(words := found["rest"].split()) not in _FIELDS:
        return None
    try:
        return _names(found), words
    except Damaged:
        return None


def _names(found: re.Match[str]) -> tuple[str, ...]:
    value: Any = found["double"] or found["single"] or found["plain"]
    if found["dict"] is not None:
        try:
            value = ast.literal_eval(found["dict"])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            raise Damaged("a class name is expected") from None
    if isinstance(value, dict) or "," in str(value):
        names = names_of(value)
        if not names:
            raise Damaged("a class name is expected")
        return names
    return (label(value),)


def _object(line: str, path: Path, options: Options, tally: Tally) -> Object | None:
    found = _fields(line)
    if found is None:
        tally.drop("line without 15 or 16 KITTI fields", path)
        return None
    names, words = found
    if names[0].lower() == _DONT_CARE:
        tally.drop("DontCare region", path)
        return None
    try:
        truncation, level = parsed_number(words[0]), parsed_number(words[1])
        x0, y0, x1, y1 = (parsed_number(word) for word in words[3:7])
    except Damaged:
        tally.drop("line without 15 or 16 KITTI fields", path)
        return None
    edge = 1.0 if options.kitti_inclusive else 0.0
    hidden = _HIDDEN.get(int(level)) if level in _HIDDEN else None
    return Object(names, (x0, y0, x1 + edge, y1 + edge), None, hidden, share(truncation))

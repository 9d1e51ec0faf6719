"""BlenderProc's COCO writer: ``coco_annotations.json`` with ``images/`` beside it.

Versions before 2.0 wrote boxes as last − first pixel, a pixel too short, and some write the background as a category.
Format: BlenderProc, ``write_coco_annotations``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from . import coco
from .files import walk
from .sample import Options, Sample
from .tally import Tally

NAME = "coco_annotations.json"
LOOKED_FOR = f"{NAME} (in the folder or anywhere below)"


def recognise(files: list[Path]) -> bool:
    """Whether these files look like BlenderProc's."""
    return any(path.name == NAME for path in files)


def classes(root: Path) -> tuple[str, ...]:
    """The class names that the files declare."""
    names: dict[str, None] = {}
    for path in _files(root):
        names |= dict.fromkeys(coco.classes(path))
    return tuple(names)


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every file that BlenderProc wrote below ``root``.

    Raises:
        UserError: a file is not COCO as a whole.
    """
    for path in _files(root):
        yield from coco.samples(path, path.parent, tally, mend=True)


def _files(root: Path) -> list[Path]:
    return [root] if root.is_file() else [path for path in walk(root) if path.name == NAME]

"""Datasets in other people's formats, as streams of samples: one module per format, one table of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from perception_common.errors import UserError

from . import blenderproc, coco, kitti, replicator, solo, voc, yolo
from .files import walk
from .sample import Object, Options, Sample
from .tally import Tally

__all__ = ["FORMATS", "Format", "Object", "Options", "Sample", "Tally", "detect"]

#: Detection looks at this many files at most.
_LOOK_AT = 20_000


@dataclass(frozen=True)
class Format:
    """One format: what detection looks for, how it recognises it, and how it is read.

    ``read`` yields samples one by one and counts what it cannot use; it raises `UserError` for what spoils the dataset
    as a whole. ``classes`` gives the class names that a dataset declares, in order, where the format has such a list.
    """

    looked_for: str
    recognise: Callable[[list[Path]], bool]
    read: Callable[[Path, Options, Tally], Iterator[Sample]]
    classes: Callable[[Path], tuple[str, ...]] | None = None


FORMATS: dict[str, Format] = {
    "replicator": Format(replicator.LOOKED_FOR, replicator.recognise, replicator.read),
    "solo": Format(solo.LOOKED_FOR, solo.recognise, solo.read),
    "blenderproc": Format(blenderproc.LOOKED_FOR, blenderproc.recognise, blenderproc.read, blenderproc.classes),
    "coco": Format(coco.LOOKED_FOR, coco.recognise, coco.read, coco.classes),
    "yolo": Format(yolo.LOOKED_FOR, yolo.recognise, yolo.read, yolo.classes),
    "voc": Format(voc.LOOKED_FOR, voc.recognise, voc.read),
    "kitti": Format(kitti.LOOKED_FOR, kitti.recognise, kitti.read),
}


def detect(root: Path) -> str:
    """The name of the format of a dataset (a folder; COCO's and YOLO's main file will do).

    Raises:
        UserError: there is nothing, no format fits, or several do.
    """
    if not root.exists():
        raise UserError("the dataset does not exist", where=root, fix="check the path given as --source")
    files = [root] if root.is_file() else list(islice(walk(root), _LOOK_AT))
    fits = [name for name, known in FORMATS.items() if known.recognise(files)]
    if "blenderproc" in fits and "coco" in fits:
        fits.remove("coco")  # BlenderProc's files are COCO's
    if not fits:
        looked = "; ".join(f"{name}: {known.looked_for}" for name, known in FORMATS.items())
        raise UserError(f"no known format among {len(files)} files", where=root, fix=f"looked for {looked}")
    if len(fits) > 1:
        raise UserError(f"looks like {' and '.join(fits)}", where=root, fix=f"say which with --format {fits[0]}")
    return fits[0]

"""From what a source says of an image to what the new dataset says: classes, duplicates, filters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ..readers.checks import Damaged
from ..readers.masks import Mask, Pixels, extent
from ..readers.sample import Box, Object
from ..readers.tally import Tally
from .classmap import ClassMap
from .params import ImportParams

#: An object of which less is visible is hidden: there is nothing to learn or to score.
_VISIBLE = 0.0005
#: Boxes may stand out of the image by this many pixels (numbers written with few digits) without a word.
_OVERHANG_PX = 0.5
#: Extents of outlines and their boxes, which are often whole numbers, differ by less.
_OUTLINE_PX = 1.01


@dataclass(frozen=True, eq=False)
class Label:
    """One object of the new dataset: ``box`` lies within the image, ``ignored`` objects become ``iscrowd``."""

    category: int
    box: Box
    amodal: Box | None
    occlusion: float | None
    truncation: float | None
    ignored: str
    mask: Mask | None
    path: str | None
    pixels: Pixels | None = None


def select(
    objects: Sequence[Object],
    size: tuple[int, int],
    classes: ClassMap,
    params: ImportParams,
    tally: Tally,
    where: object,
) -> list[Label]:
    """The labels of an image of ``size`` (width, height); everything that is lost is counted."""
    found = []
    for item in objects:
        category = classes.resolve(item.names)
        if category is None:
            tally.drop("class not selected", f"{where}: {','.join(item.names)}")
            continue
        if item.occlusion is not None and item.occlusion > 1 - _VISIBLE:
            tally.drop("hidden entirely", where)
            continue
        box = _usable(item.box, size, tally, where)
        if box is not None:
            amodal = _union(item.amodal, box)
            hidden = item.occlusion, item.truncation
            found.append(Label(category, box, amodal, *hidden, item.ignored, item.mask, item.path))
    found = without_parts(found, lambda: tally.drop("part of an object of the same class", where))
    return [_filtered(_masked(entry, size, params, tally, where), params, tally, where) for entry in found]


def without_parts(labels: list[Label], dropped: Callable[[], None]) -> list[Label]:
    """One label an object, where a labelled prim and its labelled children all gave one.

    The prim nearest to the root stays. It takes over the occlusion of a child with the same box when its own is
    unknown. Where prims are unknown, equal boxes of one class are one object.
    """
    by_path = {(entry.category, entry.path or ""): index for index, entry in enumerate(labels) if entry.path}
    kept = list(labels)
    gone: set[int] = set()
    boxes: set[tuple[int, Box]] = set()
    for index, entry in enumerate(labels):
        if entry.path is None:
            continue
        if entry.path == "":
            if (entry.category, entry.box) in boxes:
                gone.add(index)
            boxes.add((entry.category, entry.box))
            continue
        top = _topmost(entry, by_path)
        if top is None:
            top = by_path[entry.category, entry.path]  # another row of the same prim
        if top != index:
            gone.add(index)
            if kept[top].occlusion is None and kept[top].box == entry.box:
                kept[top] = replace(kept[top], occlusion=entry.occlusion)
    for _ in gone:
        dropped()
    return [entry for index, entry in enumerate(kept) if index not in gone]


def _topmost(entry: Label, by_path: dict[tuple[int, str], int]) -> int | None:
    """The index of the ancestor of the same class nearest to the root."""
    assert entry.path is not None
    cut = entry.path.find("/", 1)
    while cut > 0:
        found = by_path.get((entry.category, entry.path[:cut]))
        if found is not None:
            return found
        cut = entry.path.find("/", cut + 1)
    return None


def _usable(box: Box, size: tuple[int, int], tally: Tally, where: object) -> Box | None:
    width, height = size
    if not all(map(math.isfinite, box)):
        tally.drop("box that is not finite", where)
        return None
    if box[2] <= box[0] or box[3] <= box[1]:
        tally.drop("box without area", where)
        return None
    x0, y0, x1, y1 = max(box[0], 0.0), max(box[1], 0.0), min(box[2], float(width)), min(box[3], float(height))
    if x1 <= x0 or y1 <= y0:
        tally.drop("box outside of the image", where)
        return None
    clipped = (round(x0, 3), round(y0, 3), round(x1, 3), round(y1, 3))
    if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        tally.drop("box without area", where)
        return None
    if max(abs(a - b) for a, b in zip(box, clipped, strict=True)) > _OVERHANG_PX:
        tally.note("box clipped to the image", where)
    return clipped


def _union(amodal: Box | None, box: Box) -> Box | None:
    """The amodal box, which holds the visible one; None where it is unknown or nonsense."""
    if amodal is None or not all(map(math.isfinite, amodal)) or amodal[2] <= amodal[0] or amodal[3] <= amodal[1]:
        return None
    x0, y0 = min(amodal[0], box[0]), min(amodal[1], box[1])
    return round(x0, 3), round(y0, 3), round(max(amodal[2], box[2]), 3), round(max(amodal[3], box[3]), 3)


def _masked(entry: Label, size: tuple[int, int], params: ImportParams, tally: Tally, where: object) -> Label:
    """The label with the pixels of its mask, checked against its box."""
    if entry.mask is None:
        return entry
    try:
        pixels = entry.mask.pixels(*size)
    except Damaged as error:
        tally.note(f"mask left out ({error.reason})", where)
        return replace(entry, mask=None)
    found = extent(pixels)
    if found is None:
        tally.note("mask left out (it has no pixel)", where)
        return replace(entry, mask=None)
    allowed = 0.0 if entry.mask.exact else _OUTLINE_PX
    if params.boxes == "mask":
        return replace(entry, box=found, amodal=_union(entry.amodal, found), pixels=pixels)
    if max(abs(a - b) for a, b in zip(entry.box, found, strict=True)) > allowed:
        tally.note("box differs from its mask (--boxes mask takes the mask's)", where)
    return replace(entry, pixels=pixels)


def _filtered(entry: Label, params: ImportParams, tally: Tally, where: object) -> Label:
    x0, y0, x1, y1 = entry.box
    ignored = entry.ignored
    if not ignored and entry.occlusion is not None and entry.occlusion > params.max_occlusion:
        ignored = "hidden by more than max_occlusion"
    if not ignored and entry.truncation is not None and entry.truncation > params.max_truncation:
        ignored = "outside of the image by more than max_truncation"
    if not ignored and max(x1 - x0, y1 - y0) < params.min_box_px:
        ignored = "smaller than min_box_px"
    if ignored:
        tally.ignore(ignored, where)
    return replace(entry, ignored=ignored)

"""COCO from other tools, and this suite's own datasets.

Ids may be anything and start anywhere; boxes are x, y, width, height in pixel edges. Format: Lin et al. 2014 and
pycocotools. The file is one JSON document and is read whole; images are not.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import masks
from .checks import Damaged, file_name, mapping, number, numbers, share
from .coco_document import Identity, annotations_of, categories_of, identify, is_identity, looks_right, open_document
from .files import Folders, split_of
from .sample import Box, Object, Options, Sample
from .tally import Tally

LOOKED_FOR = '*.json with "images", "annotations" and "categories" (in the folder or up to two below)'


def recognise(files: list[Path]) -> bool:
    """Whether one of these files looks like COCO's."""
    return any(looks_right(path) for path in files if path.suffix.lower() == ".json")


def annotation_files(root: Path) -> list[Path]:
    """The annotation files of a dataset (a folder, or one file)."""
    if root.is_file():
        return [root]
    found = [
        path for depth in ("*", "*/*", "*/*/*") for path in sorted(root.glob(depth + ".json")) if looks_right(path)
    ]
    # The same pictures have files of key points and captions beside those of instances.
    instances = [path for path in found if path.name.startswith("instances")]
    return instances or found


def classes(root: Path) -> tuple[str, ...]:
    """The class names that the files declare, in the order of their ids."""
    names: dict[str, None] = {}
    for path in annotation_files(root):
        names |= dict.fromkeys(categories_of(open_document(path), Tally(), path).values())
    return tuple(names)


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every annotation file of ``root``.

    Raises:
        UserError: a file is not COCO as a whole.
    """
    for path in annotation_files(root):
        yield from samples(path, root if root.is_dir() else root.parent, tally)


def samples(path: Path, root: Path, tally: Tally, mend: bool = False) -> Iterator[Sample]:
    """Samples of one annotation file; ``mend`` lengthens boxes that are a pixel shorter than their masks.

    Raises:
        UserError: the file is not COCO as a whole.
    """
    content = open_document(path)
    categories = categories_of(content, tally, path)
    annotations = annotations_of(content, tally, path)
    folders, split = Folders(root), _split(path, root)
    near = _near(path, root)
    seen: set[Any] = set()
    for entry in content["images"]:
        try:
            image = mapping(entry)
            name, identity = file_name(image.get("file_name")), identify(image.get("id"))
            size = _size(image)
        except Damaged as error:
            tally.skip(f"entry that is no image ({error.reason})", path)
            continue
        if identity in seen:
            tally.skip("image id used twice", f"{path}: {name}")
            continue
        seen.add(identity)
        found = folders.named(name, near)
        if found is None:
            tally.skip("image missing", name)
            continue
        objects = (
            _object(entry, categories, f"{path}: {name}", tally, mend) for entry in annotations.get(identity, ())
        )
        scene = image.get("scene")
        group = f"{path}#{scene}" if isinstance(scene, (int, str)) else ""
        yield Sample(found, tuple(filter(None, objects)), size, split or split_of(Path(name)), group)


def _object(
    entry: dict[str, Any], categories: dict[Identity, str], where: str, tally: Tally, mend: bool
) -> Object | None:
    category = entry.get("category_id")
    name = categories.get(category) if is_identity(category) else None
    if name is None:
        tally.drop("annotation of a category that is not listed", where)
        return None
    mask = masks.from_coco(entry.get("segmentation"))
    try:
        box = _box(entry.get("bbox"), mask)
        amodal = _box(entry.get("amodal_bbox"), None) if "amodal_bbox" in entry else None
    except Damaged as error:
        tally.drop(f"entry that is no box ({error.reason})", where)
        return None
    if mend and mask is not None:
        box = _mended(box, mask, where, tally)
    ignored = (
        "crowd or ignored in the source"
        if entry.get("iscrowd") in (1, True) or entry.get("ignore") in (1, True)
        else ""
    )
    return Object((name,), box, amodal, share(entry.get("occlusion")), share(entry.get("truncation")), ignored, mask)


def _box(value: Any, mask: masks.Mask | None) -> Box:
    if value is None and mask is not None and (box := _extent(mask)) is not None:
        return box
    x, y, width, height = numbers(value, 4)
    return x, y, x + width, y + height


def _mended(box: Box, mask: masks.Mask, where: str, tally: Tally) -> Box:
    """The box, one pixel longer to the right and the bottom where exactly that is missing."""
    try:
        full = _extent(mask)
    except Damaged:
        return box
    short = full is not None and (full[2] - full[0] - (box[2] - box[0]), full[3] - full[1] - (box[3] - box[1])) == (
        1,
        1,
    )
    if not short:
        return box
    tally.note("box a pixel shorter than its mask, mended", where)
    return box[0], box[1], box[2] + 1, box[3] + 1


def _extent(mask: masks.Mask) -> Box | None:
    if isinstance(mask, masks.RunLengths):
        return mask.extent()
    return mask.extent() if isinstance(mask, masks.Polygons) else None


def _size(image: dict[str, Any]) -> tuple[int, int] | None:
    if image.get("width") is None or image.get("height") is None:
        return None
    width, height = number(image["width"]), number(image["height"])
    if not (math.isfinite(width) and math.isfinite(height)):
        raise Damaged("size of the image is no size")
    return int(width), int(height)


def _split(path: Path, root: Path) -> str:
    """From names such as train/annotations.json and instances_val2017.json."""
    return split_of(Path(*path.stem.split("_"))) or split_of(path.relative_to(root).parent)


def _near(path: Path, root: Path) -> list[Path]:
    """Where images usually lie, seen from their annotation file."""
    stem = path.stem.removeprefix("instances_")
    folders = [path.parent / "images", path.parent, root / "images", root]
    folders += [root / stem, root / "images" / stem, path.parent.parent / "images"]
    return [folder for folder in dict.fromkeys(folders) if folder.is_relative_to(root)]

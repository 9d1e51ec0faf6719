"""Pascal VOC: an XML file per image. Coordinates count pixels from 1, and maxima are inclusive.

Format: Everingham et al. 2010, VOC2012 development kit. Its annotation guidelines call an object truncated from 15 to
20 % outside of the image on, and occluded from 5 % on: flags stand for those least shares.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from .checks import Damaged, label, parsed_number
from .files import Folders, is_file, split_of, walk
from .sample import Object, Options, Sample
from .tally import Tally

LOOKED_FOR = "*.xml with <annotation> as root"
_TRUNCATED, _OCCLUDED = 0.2, 0.05
_LISTS = ("train", "val", "test")


def recognise(files: list[Path]) -> bool:
    """Whether these files look like Pascal VOC's."""
    for path in [path for path in files if path.suffix.lower() == ".xml"][:50]:
        try:
            with path.open("rb") as file:
                if b"<annotation" in file.read(2000):
                    return True
        except OSError:
            continue
    return False


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every annotation below ``root``."""
    folders = Folders(root)
    listed: dict[Path, dict[str, str]] = {}
    seen: set[Path] = set()
    for path in walk(root):
        if path.suffix.lower() != ".xml":
            continue
        if path.parent not in seen:
            seen.add(path.parent)
            for unlabelled in folders.without(path.parent, _near(path)):
                tally.skip("no annotation file", unlabelled)
        try:
            tree = _parse(path)
        except Damaged as error:
            tally.skip(error.reason, path)
            continue
        if tree.tag != "annotation":
            tally.note("XML file that is no annotation", path)
            continue
        image = _image(path, tree, folders)
        if image is None:
            tally.skip("image missing", path)
            continue
        lists = listed.setdefault(path.parent.parent, _lists(path.parent.parent))
        split = lists.get(path.stem) or split_of(path.relative_to(root).parent)
        objects = tuple(
            found for entry in tree.iter("object") if (found := _object(entry, path, options, tally)) is not None
        )
        yield Sample(image, objects, _size(tree), split)


def _parse(path: Path) -> ElementTree.Element:
    try:
        content = path.read_bytes()
    except OSError:
        raise Damaged("file cannot be read") from None
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise Damaged("XML with a document type, which VOC has not")
    try:
        return ElementTree.fromstring(content)  # noqa: S314  # expat limits amplification, entities are refused above
    except (ElementTree.ParseError, ValueError, LookupError, RecursionError):
        raise Damaged("not valid XML") from None


def _image(path: Path, tree: ElementTree.Element, folders: Folders) -> Path | None:
    """The image of the same stem; ``filename`` second, because copies and renames leave stale ones behind."""
    near = _near(path)
    for folder in near:
        if found := folders.stem(path.stem, folder):
            return found
    name = (tree.findtext("filename") or "").strip()
    found = folders.named(name, near) if name else None
    # An image with an annotation of its own belongs to that one.
    return None if found is not None and is_file(path.with_name(f"{found.stem}.xml")) else found


def _near(path: Path) -> tuple[Path, ...]:
    return path.parent, path.parent.parent / "JPEGImages", path.parent.parent / "images"


def _lists(folder: Path) -> dict[str, str]:
    """Stem to split, from ``ImageSets/Main/{train,val,test}.txt``."""
    splits: dict[str, str] = {}
    for split in _LISTS:
        try:
            lines = (folder / "ImageSets" / "Main" / f"{split}.txt").read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        splits |= {line.split()[0]: split for line in lines if line.strip()}
    return splits


def _size(tree: ElementTree.Element) -> tuple[int, int] | None:
    try:
        sides = [parsed_number(tree.findtext(f"size/{side}") or "") for side in ("width", "height")]
    except Damaged:
        return None
    # Zeros stand where the tool did not know.
    return (int(sides[0]), int(sides[1])) if all(math.isfinite(side) and side >= 1 for side in sides) else None


def _object(entry: ElementTree.Element, path: Path, options: Options, tally: Tally) -> Object | None:
    try:
        name = label(entry.findtext("name"))
        x0, y0, x1, y1 = (
            parsed_number(entry.findtext(f"bndbox/{side}") or "") for side in ("xmin", "ymin", "xmax", "ymax")
        )
    except Damaged as error:
        tally.drop(f"entry that is no box ({error.reason})", path)
        return None
    ignored = "marked as difficult" if _flag(entry, "difficult") and not options.difficult else ""
    occlusion = None if entry.find("occluded") is None else _OCCLUDED * _flag(entry, "occluded")
    truncation = None if entry.find("truncated") is None else _TRUNCATED * _flag(entry, "truncated")
    return Object((name,), (x0 - 1, y0 - 1, x1, y1), None, occlusion, truncation, ignored)


def _flag(entry: ElementTree.Element, name: str) -> bool:
    return (entry.findtext(name) or "").strip().lower() in ("1", "true", "yes")

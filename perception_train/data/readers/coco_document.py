"""A COCO document: what its three lists hold, whatever else they hold."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any, TypeGuard

from perception_common.errors import UserError

from .checks import Damaged, label, mapping, read_json, sequence
from .tally import Tally

#: Ids should be whole numbers; some tools write text, or 3.0.
Identity = int | float | str
_KEYS = (b'"images"', b'"annotations"', b'"categories"')


def open_document(path: Path) -> dict[str, Any]:
    """The whole document.

    Raises:
        UserError: it is not COCO: it cannot be read, or lacks one of its three lists.
    """
    try:
        content = mapping(read_json(path))
        for key in ("images", "annotations", "categories"):
            sequence(content.get(key))
    except Damaged as error:
        raise UserError(f"cannot read it as COCO: {error.reason}", where=path, fix="export the dataset again") from None
    return content


def looks_right(path: Path) -> bool:
    """Whether COCO's keys occur in a file, which is not parsed."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return all(content.find(key) >= 0 for key in _KEYS)
    except (OSError, ValueError):  # an empty file cannot be mapped
        return False


def identify(value: Any) -> Identity:
    """An id: a number or text.

    Raises:
        Damaged: it is something else.
    """
    if not is_identity(value):
        raise Damaged("an id is expected")
    return value


def categories_of(content: dict[str, Any], tally: Tally, path: Path) -> dict[Identity, str]:
    """Category id to class name, in the order of the ids."""
    named: dict[Identity, str] = {}
    for entry in content["categories"]:
        try:
            category = mapping(entry)
            named[identify(category.get("id"))] = label(category.get("name"))
        except Damaged as error:
            tally.note(f"category that cannot be used ({error.reason})", path)
    return dict(sorted(named.items(), key=lambda item: (isinstance(item[0], str), item[0])))


def annotations_of(content: dict[str, Any], tally: Tally, path: Path) -> dict[Identity, list[dict[str, Any]]]:
    """The annotations of each image id that is listed."""
    known = {entry["id"] for entry in content["images"] if isinstance(entry, dict) and is_identity(entry.get("id"))}
    found: dict[Identity, list[dict[str, Any]]] = {}
    for entry in content["annotations"]:
        image = entry.get("image_id") if isinstance(entry, dict) else None
        if is_identity(image) and image in known:
            found.setdefault(image, []).append(entry)
        else:
            tally.drop("annotation of an image that is not listed", path)
    return found


def is_identity(value: Any) -> TypeGuard[Identity]:
    """Whether a value can be an id."""
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)

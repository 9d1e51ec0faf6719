"""The real photographs: which of them the world may be tuned on, and the rest that it is scored on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from perception_common.errors import UserError

TUNE = ("0.jpg", "3.jpg", "6.jpg", "9.jpg", "12.jpg", "15.jpg")
"""Photographs of the nuts at which the world was looked at while it was made. All others were not."""


def divide(imported: Path, output: Path) -> dict[str, Path]:
    """Datasets of the photographs in ``imported`` (our format): "tune" (if any of the list is there) and "test"."""
    content = json.loads((imported / "annotations.json").read_text())
    names = {image["id"]: Path(image["file_name"]).name for image in content["images"]}
    # The import numbers files anew and keeps the name that they had.
    sources = {image["id"]: Path(image.get("original", image["file_name"])).name for image in content["images"]}
    parts: dict[str, list[int]] = {"tune": [], "test": []}
    for number, name in sources.items():
        parts["tune" if name in TUNE else "test"].append(number)
    if not parts["test"]:
        raise UserError("there is no photograph to score on", where=imported)
    found = {}
    for part, numbers in parts.items():
        if numbers:
            found[part] = output / part
            _write(content, imported, set(numbers), found[part], names)
    return found


def _write(content: dict[str, Any], source: Path, numbers: set[int], target: Path, names: dict[int, str]) -> None:
    shutil.rmtree(target, ignore_errors=True)
    (target / "images").mkdir(parents=True)
    for number in numbers:
        shutil.copyfile(source / "images" / names[number], target / "images" / names[number])
    part = {
        "images": [image for image in content["images"] if image["id"] in numbers],
        "annotations": [one for one in content["annotations"] if one["image_id"] in numbers],
        "categories": content["categories"],
    }
    (target / "annotations.json").write_text(json.dumps(part))

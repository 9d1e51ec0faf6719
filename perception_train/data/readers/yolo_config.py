"""What a YOLO dataset says of itself: its YAML file, or a list of class names beside images/ and labels/."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from perception_common.errors import UserError

from .checks import Damaged, label, read_text
from .files import is_file, is_folder, walk

_SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
_LISTS = ("classes.txt", "obj.names", "classes.names", "labels.txt")
_LARGEST_YAML = 1 << 20


@dataclass(frozen=True)
class Config:
    """``names`` by class number, and folders or lists of images as (split, path)."""

    root: Path
    names: dict[int, str]
    places: tuple[tuple[str, Path], ...]
    keypoints: bool


def config_files(files: Sequence[Path]) -> list[Path]:
    """Those of ``files`` that are YAML and have ``names`` at their top level."""
    found = []
    for path in files:
        if path.suffix.lower() not in (".yaml", ".yml"):
            continue
        try:
            content = _yaml(path)
        except Damaged:
            continue
        if isinstance(content, dict) and "names" in content:
            found.append(path)
    return found


def class_lists(files: Sequence[Path]) -> list[Path]:
    """Lists of class names among ``files``, if there is a folder of labels with them."""
    if not any("labels" in path.parts or path.name == "obj.names" for path in files):
        return []
    return [path for path in files if path.name in _LISTS]


def read_config(root: Path) -> Config:
    """The configuration of the dataset at ``root``, a folder or a YAML file.

    Raises:
        UserError: there is none, there are several, or it cannot be used.
    """
    if root.is_file():
        return _from_yaml(root)
    files = [path for path in walk(root) if path.suffix.lower() in (".yaml", ".yml") or path.name in _LISTS]
    yamls = config_files([path for path in files if path.suffix.lower() in (".yaml", ".yml")])
    if len(yamls) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in yamls[:4])
        raise UserError(f"several YAML files with 'names' ({names})", where=root, fix="give the file as --source")
    if yamls:
        return _from_yaml(yamls[0])
    lists = [path for path in files if path.name in _LISTS]
    if not lists:
        raise UserError("no YAML file with 'names' and no classes.txt", where=root, fix="add a dataset.yaml")
    try:
        lines = [line for line in read_text(lists[0]).splitlines() if line.strip()]
        named = {index: label(line) for index, line in enumerate(lines)}
    except Damaged as error:
        raise UserError(f"cannot read the class names: {error.reason}", where=lists[0]) from None
    return Config(root, named, (("", root),), False)


def _yaml(path: Path) -> Any:
    text = read_text(path)
    if len(text) > _LARGEST_YAML:
        raise Damaged("not a configuration: too large")
    try:
        # Every scalar stays text: a class called `no` is no truth value.
        return yaml.load(text, yaml.BaseLoader)  # noqa: S506  # BaseLoader builds nothing but text, lists and mappings
    except (yaml.YAMLError, RecursionError, ValueError, TypeError):
        raise Damaged("not valid YAML") from None


def _from_yaml(path: Path) -> Config:
    try:
        content = _yaml(path)
        if not isinstance(content, dict):
            raise Damaged("the file must hold 'name: value' lines")
        names = _names(content.get("names"))
        places = _places(path, content)
    except Damaged as error:
        raise UserError(f"cannot read it as a YOLO dataset: {error.reason}", where=path) from None
    if not places:
        raise UserError("none of the folders of train, val and test exists", where=path, fix="mend 'path' and 'train'")
    return Config(path.parent, names, tuple(places), "kpt_shape" in content)


def _names(value: Any) -> dict[int, str]:
    pairs = (
        list(enumerate(value)) if isinstance(value, list) else list(value.items()) if isinstance(value, dict) else []
    )
    try:
        names = {int(number): label(name) for number, name in pairs}
    except (ValueError, TypeError):
        raise Damaged("'names' must be a list, or number: name") from None
    if not names:
        raise Damaged("'names' is empty")
    return names


def _places(path: Path, content: dict[str, Any]) -> list[tuple[str, Path]]:
    base = content.get("path")
    bases = [path.parent / base, path.parent] if isinstance(base, str) and base else [path.parent]
    found = []
    for key, split in _SPLITS.items():
        value = content.get(key)
        for entry in value if isinstance(value, list) else [value]:
            if isinstance(entry, str) and entry.strip():
                place = _place(entry.strip(), bases)
                if place is None:
                    continue
                found.append((split, place))
    return found


def _place(entry: str, bases: list[Path]) -> Path | None:
    """Where an entry leads: from the paths of this machine, or with the ``../`` of another layout taken off."""
    forms = [entry]
    while forms[-1].startswith("../"):
        forms.append(forms[-1][3:])
    candidates = [base / form for form in forms for base in bases]
    return next(
        (place for place in candidates if is_folder(place) or (place.suffix == ".txt" and is_file(place))), None
    )

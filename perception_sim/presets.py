"""Presets: YAML files in which every axis of randomisation is a distribution (see `randomize`).

A preset is named (one of the files in ``perception_sim/presets``) or given as the path of a YAML file of
your own. ``base`` names a preset whose values hold where the file says nothing; without it the defaults
of `sections` do. An unknown key is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perception_common.errors import UserError, did_you_mean
from perception_common.yaml_files import MODELINE, load_yaml

from . import axes, objects
from .catalogue import KINDS
from .catalogue.distractors import DISTRACTORS
from .catalogue.kinds import Kind
from .catalogue.lookalikes import LOOKALIKES
from .sections import SECTIONS, Background, Camera, Content, Labels, Light, Sensor, Surface

_DIRECTORY = Path(__file__).with_name("presets")


@dataclasses.dataclass(frozen=True)
class Preset:
    """A world: its name, what it is in a sentence, and the distributions of every section."""

    name: str
    description: str
    content: Content
    camera: Camera
    light: Light
    surface: Surface
    background: Background
    sensor: Sensor
    labels: Labels

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON writes it; `parse_preset` reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            **{key: axes.dump(getattr(self, key)) for key in SECTIONS},
        }

    @property
    def kinds(self) -> dict[str, Kind]:
        """Every kind that can be a class."""
        return {**KINDS, **objects.load(self.content.object_dirs)}

    @property
    def others(self) -> dict[str, Kind]:
        """Every kind that can be a distractor: those that are neither a class nor members of one."""
        classes = set(self.content.classes)
        every = {**self.kinds, **LOOKALIKES, **DISTRACTORS}
        return {name: kind for name, kind in every.items() if name not in classes and not classes & set(kind.also)}

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """What the groups in `Content.distractor_kinds` stand for."""
        classes, others = set(self.content.classes), self.others
        return {
            "shapes": tuple(name for name in others if name in DISTRACTORS),
            "catalogue": tuple(name for name in others if name in self.kinds),
            "lookalikes": tuple(name for name, kind in others.items() if classes & set(kind.resembles)),
        }


def reference_preset(schema: str = "") -> str:
    """Every key of a preset with its default and what it means, as YAML that is a preset itself.

    ``schema`` is the path of the JSON Schema that editors check it by, if there is to be one.
    """
    head = (
        "# A preset of perception-sim with every default: copy it, or name a `base` and say only what differs.\n"
        "# Generated from the code (`make config`): edit a copy, not this file.\n\n"
    )
    return (f"{MODELINE}{schema}\n" if schema else "") + head + axes.reference(SECTIONS)


def preset_names() -> list[str]:
    """The presets that come with the package."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset of that name, or in that YAML file (a name with a slash or an ending in .yaml is a path).

    Raises:
        UserError: no such preset or file, an unknown key, a value out of range, a range upside down.

    """
    path = _find(name)
    return parse_preset(path.stem, load_yaml(path), path)


def parse_preset(name: str, values: Mapping[str, Any], where: object = None) -> Preset:
    """A preset from a mapping of sections (see `load_preset`)."""
    known = [*SECTIONS, "description", "base"]
    for key in values:
        if key not in known:
            raise UserError(f"unknown section '{key}' in preset", where=where, fix=did_you_mean(str(key), known))
    if "base" in values:
        values = _upon(str(values["base"]), values, where)
    sections: dict[str, Any] = {}
    for key, section in SECTIONS.items():
        sections[key] = axes.read(section, values.get(key) or {}, f"{where}, section {key}" if where else key)
    preset = Preset(name=name, description=" ".join(str(values.get("description", "")).split()), **sections)
    _check_names(preset, where)
    return preset


def _upon(base: str, values: Mapping[str, Any], where: object) -> dict[str, Any]:
    """The values of preset ``base`` with those of ``values`` over them."""
    path = _find(base)
    below = load_yaml(path)
    if "base" in below:
        raise UserError(f"preset '{base}' has a base itself", where=where, fix="name a preset without a base")
    merged: dict[str, Any] = {"description": values.get("description", below.get("description", ""))}
    for key in SECTIONS:
        parts = [source.get(key) or {} for source in (below, values)]
        if not all(isinstance(part, Mapping) for part in parts):
            raise UserError(f"section '{key}' must hold 'name: value' lines", where=where)
        merged[key] = {**parts[0], **parts[1]}
    return merged


def _find(name: str) -> Path:
    if "/" in name or name.endswith((".yaml", ".yml")):
        return Path(name)
    if name in preset_names():
        return _DIRECTORY / f"{name}.yaml"
    raise UserError(
        f"unknown preset '{name}'", fix=did_you_mean(name, preset_names()) + " (a YAML file's path works too)"
    )


def _check_names(preset: Preset, where: object) -> None:
    classes = preset.content.classes
    if not classes or len(set(classes)) != len(classes):
        raise UserError("'classes' must name at least one, and none twice", where=where)
    for name in classes:
        if name not in preset.kinds:
            raise UserError(f"unknown class '{name}'", where=where, fix=did_you_mean(name, preset.kinds))
    known = [*preset.groups, *preset.others]
    for name in preset.content.distractor_kinds.names:
        if name not in known:
            what = "is a class or a member of one" if name in preset.kinds else "is no kind of distractor"
            raise UserError(f"'{name}' {what}", where=where, fix=did_you_mean(name, known))

"""Difficulty presets: YAML files of ranges, checked against the dataclasses below.

A preset is named (``demo``, one of the files in ``perception_sim/presets``) or given as the path of a
YAML file of your own. What a file leaves out takes the default; an unknown key is an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perception_common.errors import UserError, did_you_mean
from perception_common.params import build, load_yaml, param

from .catalogue import CLASSES
from .distractors import DISTRACTORS
from .texture import PATTERNS

_DIRECTORY = Path(__file__).with_name("presets")
_ALL_PATTERNS = tuple(PATTERNS)


@dataclasses.dataclass(frozen=True)
class Content:
    """What stands in a scene. Ranges are [low, high]."""

    classes: tuple[str, ...] = param(
        tuple(CLASSES), "object classes; category ids follow this order", choices=tuple(CLASSES)
    )
    objects: tuple[int, ...] = param((2, 10), "objects of a class per scene", minimum=1, maximum=40)
    distractor_kinds: tuple[str, ...] = param(tuple(DISTRACTORS), "kinds of distractors", choices=tuple(DISTRACTORS))
    distractors: tuple[int, ...] = param((0, 4), "distractors per scene", minimum=0, maximum=40)
    negatives: float = param(0.08, "share of scenes without any object of a class", minimum=0.0, maximum=1.0)
    size: tuple[float, ...] = param((0.05, 0.12), "nominal object size in metres", minimum=0.005, maximum=2.0)
    spread: float = param(
        1.5, "radius of the area over the radius of a disc that the objects would just fill", minimum=1.0
    )
    gap: float = param(0.7, "least distance between two objects over the sum of their radii", minimum=0.0)
    upright: float = param(0.5, "share of objects set down upright; the others tumble", minimum=0.0, maximum=1.0)
    drop: float = param(0.08, "greatest height in metres from which objects are dropped", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Camera:
    """Where the camera is and what it sees. Ranges are [low, high]."""

    fovy: tuple[float, ...] = param((35.0, 65.0), "vertical field of view, degrees", minimum=5.0, maximum=120.0)
    elevation: tuple[float, ...] = param(
        (15.0, 75.0), "height above the table seen from the scene, degrees", minimum=1.0, maximum=89.0
    )
    fill: tuple[float, ...] = param(
        (0.6, 1.3), "radius of the group of objects over half the image height", minimum=0.05
    )
    roll: float = param(8.0, "greatest tilt about the optical axis, degrees", minimum=0.0, maximum=180.0)
    aim: float = param(0.3, "how far the camera looks past the middle, over the group's radius", minimum=0.0)
    keep_in_view: float = param(
        0.35, "least share of an object's box inside the image; less is as good as outside", minimum=0.0, maximum=1.0
    )


@dataclasses.dataclass(frozen=True)
class Light:
    """Lights. Ranges are [low, high]."""

    extra: tuple[int, ...] = param((0, 2), "lights besides the main one", minimum=0, maximum=6)
    shadow: float = param(0.85, "probability that the main light casts shadows", minimum=0.0, maximum=1.0)
    elevation: tuple[float, ...] = param(
        (25.0, 85.0), "height of a light above the horizon, degrees", minimum=1.0, maximum=90.0
    )
    brightness: tuple[float, ...] = param((0.35, 0.9), "of the main light", minimum=0.0)
    ambient: tuple[float, ...] = param((0.12, 0.4), "light from everywhere", minimum=0.0)
    tint: float = param(0.3, "greatest saturation of a light's colour", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Surface:
    """Textures, tables, walls. Ranges are [low, high]."""

    object_patterns: tuple[str, ...] = param(_ALL_PATTERNS, "patterns on objects", choices=_ALL_PATTERNS)
    stage_patterns: tuple[str, ...] = param(_ALL_PATTERNS, "patterns on floor, table and walls", choices=_ALL_PATTERNS)
    contrast: tuple[float, ...] = param((0.3, 1.0), "of an object's pattern", minimum=0.0, maximum=1.0)
    stage_contrast: tuple[float, ...] = param(
        (0.2, 0.9), "of the pattern of floor, table and walls", minimum=0.0, maximum=1.0
    )
    saturation: tuple[float, ...] = param((0.0, 1.0), "of object colours", minimum=0.0, maximum=1.0)
    stand_out: float = param(
        0.1, "least distance (RGB, 0..1.7) between an object's colour and that of the ground", minimum=0.0, maximum=1.0
    )
    table: float = param(0.4, "probability of a table top instead of a floor", minimum=0.0, maximum=1.0)
    walls: float = param(0.6, "probability of walls instead of the sky", minimum=0.0, maximum=1.0)
    gloss: float = param(0.6, "greatest specular reflection of a surface", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Sensor:
    """What the camera does to the picture. Ranges are [low, high]."""

    exposure: tuple[float, ...] = param((0.7, 1.35), "factor on linear brightness", minimum=0.05)
    gamma: tuple[float, ...] = param((0.8, 1.25), "exponent of the tone curve", minimum=0.2, maximum=5.0)
    white_balance: float = param(0.08, "greatest deviation of a channel's gain from 1", minimum=0.0, maximum=1.0)
    noise: tuple[float, ...] = param(
        (0.0, 0.03), "standard deviation of the noise, of full scale", minimum=0.0, maximum=1.0
    )
    blur: tuple[float, ...] = param((0.0, 0.9), "standard deviation of the blur, pixels", minimum=0.0, maximum=20.0)


@dataclasses.dataclass(frozen=True)
class Labels:
    """Which visible objects are labelled; the others are marked ``iscrowd`` (neither trained on nor scored)."""

    min_box_px: float = param(8.0, "least length of a box's longer side, pixels", minimum=1.0)
    max_occlusion: float = param(0.85, "greatest share of an object hidden behind others", minimum=0.0, maximum=1.0)
    max_truncation: float = param(0.85, "greatest share of an object outside the image", minimum=0.0, maximum=1.0)
    min_visible_px: int = param(30, "least number of visible pixels", minimum=1)


@dataclasses.dataclass(frozen=True)
class Preset:
    """A difficulty: its name, what it is in a sentence, and the ranges of every section."""

    name: str
    description: str
    content: Content
    camera: Camera
    light: Light
    surface: Surface
    sensor: Sensor
    labels: Labels

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON writes it."""
        return dataclasses.asdict(self)


_SECTIONS = {
    "content": Content,
    "camera": Camera,
    "light": Light,
    "surface": Surface,
    "sensor": Sensor,
    "labels": Labels,
}


def preset_names() -> list[str]:
    """The presets that come with the package."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset of that name, or in that YAML file (a name with a slash or an ending in .yaml is a path).

    Raises:
        UserError: no such preset or file, an unknown key, a value out of range, a range upside down.

    """
    if "/" in name or name.endswith((".yaml", ".yml")):
        path = Path(name)
    elif name in preset_names():
        path = _DIRECTORY / f"{name}.yaml"
    else:
        raise UserError(
            f"unknown preset '{name}'", fix=did_you_mean(name, preset_names()) + " (a YAML file's path works too)"
        )
    return parse_preset(path.stem, load_yaml(path), path)


def parse_preset(name: str, values: Mapping[str, Any], where: object = None) -> Preset:
    """A preset from a mapping of sections (see `load_preset`)."""
    known = [*_SECTIONS, "description"]
    for key in values:
        if key not in known:
            raise UserError(f"unknown section '{key}' in preset", where=where, fix=did_you_mean(str(key), known))
    sections: dict[str, Any] = {}
    for key, section in _SECTIONS.items():
        content = values.get(key) or {}
        if not isinstance(content, Mapping):
            raise UserError(f"section '{key}' must hold 'name: value' lines", where=where)
        sections[key] = build(section, content, f"{where}, section {key}")
        _check_ranges(sections[key], f"{where}, section {key}")
    return Preset(name=name, description=" ".join(str(values.get("description", "")).split()), **sections)


def _check_ranges(section: Any, where: str) -> None:
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if not isinstance(value, tuple):
            continue
        if isinstance(field.default, tuple) and isinstance(field.default[0], str):
            if not value or len(set(value)) != len(value):
                raise UserError(f"'{field.name}' must name at least one, and none twice", where=where)
        elif len(value) != 2 or value[0] > value[1]:
            raise UserError(f"'{field.name}' must be [low, high] with low <= high, not {list(value)}", where=where)

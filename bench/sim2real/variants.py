"""The worlds of the ablation: the full one, and the same without one of its means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perception_sim.axes import dump
from perception_sim.sections import Sensor

World = dict[str, Any]


def _textures(world: World) -> None:
    world["surface"].update(detail=0.0)
    world["background"].update(stage=0.0)


def _light(world: World) -> None:
    world["light"].update(extra=0, shadow=1.0, elevation=60.0, brightness=0.7, ambient=0.35, tint=0.0)


def _sensor(world: World) -> None:
    neutral = dict.fromkeys(dump(Sensor()), 0.0)
    world["sensor"] = neutral | {"exposure": 1.0, "saturation": 1.0, "gamma": 1.0, "contrast": 1.0, "downscale": 1.0}
    world["sensor"]["jpeg"] = 0


def _distractors(world: World) -> None:
    # Scenes without an object of a class hold distractors only.
    world["content"].update(distractors=0, negatives=0.0)


def _photographs(world: World) -> None:
    world["background"].update(images=[])


_CHANGES: dict[str, Callable[[World], None]] = {
    "full": lambda world: None,
    "no_textures": _textures,
    "no_light_variation": _light,
    "no_sensor_model": _sensor,
    "no_distractors": _distractors,
    "no_photographs": _photographs,
}
NAMES = tuple(_CHANGES)


def apply(name: str, world: World) -> World:
    """``world`` (`Preset.as_dict`) without what the variant lacks; changed in place."""
    _CHANGES[name](world)
    return world

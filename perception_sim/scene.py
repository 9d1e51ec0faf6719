"""A scene as data: things, lights and a stage. `perception_sim.world` turns it into MuJoCo."""

from __future__ import annotations

import dataclasses
from typing import Any

from .shapes import Shape
from .textures import Color, Texture

Point = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Material:
    """A texture and how it takes the light.

    All in 0..1: ``specular`` and ``shininess`` are the classic renderer's, ``roughness`` and ``metallic`` the
    physically based one's; ``alpha`` below 1 lets light through (labels count such a surface as solid); ``emission``
    is light of its own, as fluorescent plastics seem to have in the shade.
    """

    texture: Texture
    specular: float
    shininess: float
    roughness: float = 0.7
    metallic: float = 0.0
    alpha: float = 1.0
    emission: float = 0.0


@dataclasses.dataclass(frozen=True)
class Thing:
    """An object: ``label`` is its class (``""`` for a distractor), ``kind`` its shape's name.

    ``position`` (metres) and ``orientation`` (w, x, y, z) are where it is let go; physics settles it.
    ``density`` is in kg/m³.
    """

    label: str
    kind: str
    shape: Shape
    materials: tuple[Material, ...]
    position: Point
    orientation: Quaternion
    density: float = 350.0


@dataclasses.dataclass(frozen=True)
class Light:
    """A light far away in ``-direction``; ``color`` is its diffuse RGB."""

    direction: Point
    color: Color
    shadow: bool


@dataclasses.dataclass(frozen=True)
class Table:
    """A round or square table top whose surface is z = 0, ``reach`` metres from middle to edge, above a floor."""

    material: Material
    round: bool
    reach: float
    height: float


@dataclasses.dataclass(frozen=True)
class Walls:
    """Four walls around the scene, ``distance`` metres away and turned by ``angle`` radians; materials in turn."""

    materials: tuple[Material, ...]
    distance: float
    angle: float
    height: float


@dataclasses.dataclass(frozen=True)
class Stage:
    """What the things stand on and what is behind them.

    ``floor_tile`` is the floor texture's tile in metres; ``sky`` are the colours at the zenith and the
    horizon, and ``panorama`` is a picture all around instead; ``ambient`` is the light from everywhere.
    """

    floor: Material
    floor_tile: float
    table: Table | None
    walls: Walls | None
    sky: tuple[Color, Color]
    ambient: float
    panorama: Texture | None = None


@dataclasses.dataclass(frozen=True)
class Scene:
    """Everything that is there before a camera looks at it.

    ``unit`` is the size of a typical thing in metres and ``reach`` the radius of the area that things are
    in: what is near or far, slow or fast is judged by them. Things of a ``floating`` scene stay in the air.
    """

    things: tuple[Thing, ...]
    lights: tuple[Light, ...]
    stage: Stage
    unit: float = 0.1
    reach: float = 0.6
    floating: bool = False

    def as_dict(self) -> dict[str, Any]:
        """What was sampled, as JSON writes it."""
        return dataclasses.asdict(self)

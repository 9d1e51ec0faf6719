"""What a preset's ranges give when drawn from: scenes, views, sensor settings."""

from __future__ import annotations

import numpy as np

from .camera import View, orbit
from .catalogue import CLASSES
from .distractors import DISTRACTORS
from .presets import Camera, Preset
from .randomize import Chance, Choice, Color, LogUniform, Orientation, Uniform, Whole
from .scene import Light, Material, Quaternion, Scene, Stage, Table, Thing, Walls
from .sensor import SensorSettings
from .shapes import Shape
from .texture import Color as Rgb
from .texture import Texture
from .world import World

OBJECT_TEXTURE_PX = 64
STAGE_TEXTURE_PX = 192


def sample_scene(preset: Preset, rng: np.random.Generator, negative: bool) -> Scene:
    """A scene with its things above the ground, not yet settled; ``negative`` leaves out objects of any class."""
    stage = _stage(preset, rng)
    ground = stage.table.material if stage.table else stage.floor
    things = _things(preset, rng, negative, ground.texture.colors)
    return Scene(things, _lights(preset, rng), stage)


def sample_view(camera: Camera, center: np.ndarray, radius: float, rng: np.random.Generator) -> View:
    """A view of a group of objects within ``radius`` metres of ``center``."""
    fovy = Uniform(*camera.fovy)(rng)
    distance = viewing_distance(fovy, radius, Uniform(*camera.fill)(rng))
    position = orbit(center, distance, rng.uniform(0.0, 2 * np.pi), np.radians(Uniform(*camera.elevation)(rng)))
    aim = rng.normal(size=3) * [1.0, 1.0, 0.5]
    aim *= camera.aim * radius * rng.uniform() / np.linalg.norm(aim)
    x, y, z = (np.asarray(center) + aim).tolist()
    return View(position, (x, y, z), np.radians(rng.uniform(-camera.roll, camera.roll)), fovy)


def viewing_distance(fovy: float, radius: float, fill: float) -> float:
    """The distance in metres at which a sphere of ``radius`` covers ``fill`` of half the image height."""
    return radius / float(np.sin(min(np.radians(fovy) / 2.0 * fill, 1.4)))


def sample_sensor(preset: Preset, rng: np.random.Generator) -> SensorSettings:
    """Settings of the sensor for one picture."""
    s = preset.sensor
    balance = 1.0 + rng.uniform(-s.white_balance, s.white_balance, 3)
    return SensorSettings(
        exposure=LogUniform(*s.exposure)(rng),
        gamma=LogUniform(*s.gamma)(rng),
        balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        noise=Uniform(*s.noise)(rng),
        blur=Uniform(*s.blur)(rng),
    )


def group(world: World) -> tuple[np.ndarray, float]:
    """Centre [3] and radius (metres) of what a camera should look at: the labelled things, or else all things."""
    chosen = [i for i, thing in enumerate(world.scene.things) if thing.label] or range(len(world.scene.things))
    points = [world.points(i) for i in chosen]
    if not points:
        return np.zeros(3), 0.15
    cloud = np.concatenate(points)
    center = (cloud.min(0) + cloud.max(0)) / 2.0
    return center, max(float(np.linalg.norm(cloud - center, axis=1).max()), 0.08)


def view_score(world: World, view: View, preset: Preset, width: int, height: int) -> float:
    """How well a view keeps to the preset: 1 if every labelled thing is either well inside the image or outside it.

    Judged by projected boxes alone, so hidden parts count as visible; the share of things that keep to it.
    """
    labelled = [i for i, thing in enumerate(world.scene.things) if thing.label]
    good, seen = 0, 0
    for thing in labelled:
        uv, depth = view.project(world.points(thing), width, height)
        if depth.min() < 0.03:
            continue
        low, high = uv.min(1), uv.max(1)
        inside = np.minimum(high, (width, height)) - np.maximum(low, 0.0)
        share = float(np.prod(np.maximum(inside, 0.0) / (high - low)))
        large = float(inside.max()) >= 1.1 * preset.labels.min_box_px
        seen += share > 0.0
        good += share == 0.0 or (share >= preset.camera.keep_in_view and large)
    if not labelled:
        return 1.0
    return good / len(labelled) if seen else 0.0


def _things(preset: Preset, rng: np.random.Generator, negative: bool, ground: tuple[Rgb, Rgb]) -> tuple[Thing, ...]:
    content = preset.content
    labels = [] if negative else [Choice(content.classes)(rng) for _ in range(Whole(*content.objects)(rng))]
    count = Whole(*content.distractors)(rng)
    kinds = [Choice(content.distractor_kinds)(rng) for _ in range(max(count, 2) if negative else count)]
    drafts: list[tuple[str, str, Shape, Quaternion, np.ndarray]] = []
    for label, kind in [(label, label) for label in labels] + [("", kind) for kind in kinds]:
        shape = (CLASSES if label else DISTRACTORS)[kind](Uniform(*content.size)(rng), rng)
        orientation = Orientation(content.upright)(rng)
        drafts.append((label, kind, shape, orientation, shape.build().points @ _matrix(orientation).T))
    spots = _spots([float(np.linalg.norm(points[:, :2], axis=1).max()) for *_, points in drafts], preset, rng)
    things = []
    for (label, kind, shape, orientation, points), (x, y) in zip(drafts, spots, strict=True):
        lift = 0.001 - float(points[:, 2].min()) + rng.uniform(0.0, content.drop)
        materials = tuple(_object_material(preset, rng, ground) for _ in range(2))
        things.append(Thing(label, kind, shape, materials, (x, y, lift), orientation))
    return tuple(things)


def _spots(radii: list[float], preset: Preset, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Where things are let go: apart by the preset's gap, in an area that grows when they do not fit."""
    area = preset.content.spread * float(np.sqrt(np.sum(np.square(radii)))) if radii else 0.0
    placed: list[tuple[float, float]] = []
    for index, radius in enumerate(radii):
        attempt = 0
        while True:
            reach, angle = area * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
            x, y = float(reach * np.cos(angle)), float(reach * np.sin(angle))
            gaps = [preset.content.gap * (radius + other) for other in radii[:index]]
            if all(np.hypot(x - a, y - b) >= gap for (a, b), gap in zip(placed, gaps, strict=True)):
                placed.append((x, y))
                break
            attempt += 1
            if attempt % 20 == 0:
                area *= 1.1
    return placed


def _object_material(preset: Preset, rng: np.random.Generator, ground: tuple[Rgb, Rgb]) -> Material:
    surface = preset.surface
    low, high = surface.saturation
    draw = Color((low, high), (0.35, 1.0))
    color = draw(rng)
    for _ in range(20):
        if np.linalg.norm(np.subtract(color, np.mean(ground, axis=0))) >= surface.stand_out:
            break
        color = draw(rng)
    texture = Texture(
        pattern=Choice(surface.object_patterns)(rng),
        colors=(color, Color((0.0, 1.0), (0.1, 1.0))(rng)),
        scale=float(rng.integers(2, 7)),
        angle=Choice((0.0, np.pi / 2))(rng),
        contrast=Uniform(*surface.contrast)(rng),
        seed=int(rng.integers(1 << 31)),
        size=OBJECT_TEXTURE_PX,
    )
    return Material(texture, rng.uniform(0.0, surface.gloss), rng.uniform(0.1, 0.9))


def _stage_material(preset: Preset, rng: np.random.Generator) -> Material:
    surface = preset.surface
    texture = Texture(
        pattern=Choice(surface.stage_patterns)(rng),
        colors=(Color((0.0, 0.7), (0.3, 0.85))(rng), Color((0.0, 0.7), (0.1, 1.0))(rng)),
        scale=float(rng.integers(2, 9)),
        angle=Choice((0.0, np.pi / 2))(rng),
        contrast=Uniform(*surface.stage_contrast)(rng),
        seed=int(rng.integers(1 << 31)),
        size=STAGE_TEXTURE_PX,
    )
    return Material(texture, rng.uniform(0.0, 0.5 * surface.gloss), rng.uniform(0.1, 0.9))


def _stage(preset: Preset, rng: np.random.Generator) -> Stage:
    table = None
    floor = _stage_material(preset, rng)
    if Chance(preset.surface.table)(rng):
        table = Table(_stage_material(preset, rng), Chance(0.4)(rng), rng.uniform(0.45, 0.7), rng.uniform(0.35, 0.8))
    walls = None
    if Chance(preset.surface.walls)(rng):
        materials = tuple(_stage_material(preset, rng) for _ in range(4))
        walls = Walls(materials, rng.uniform(1.5, 2.5), rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 3.0))
    sky = (Color((0.0, 0.6), (0.3, 1.0))(rng), Color((0.0, 0.4), (0.4, 1.0))(rng))
    return Stage(floor, LogUniform(0.25, 1.2)(rng), table, walls, sky, Uniform(*preset.light.ambient)(rng))


def _lights(preset: Preset, rng: np.random.Generator) -> tuple[Light, ...]:
    light = preset.light
    made = []
    for index in range(1 + Whole(*light.extra)(rng)):
        x, y, z = orbit(np.zeros(3), 1.0, rng.uniform(0, 2 * np.pi), np.radians(Uniform(*light.elevation)(rng)))
        strength = Uniform(*light.brightness)(rng) * (1.0 if index == 0 else 0.35)
        tint = Color((0.0, light.tint), (1.0, 1.0))(rng)
        color = (strength * tint[0], strength * tint[1], strength * tint[2])
        made.append(Light((-x, -y, -z), color, index == 0 and Chance(light.shadow)(rng)))
    return tuple(made)


def _matrix(quaternion: tuple[float, ...]) -> np.ndarray:
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )

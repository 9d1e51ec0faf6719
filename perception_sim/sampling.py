"""What a preset's distributions give when drawn from: scenes, views, sensor settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from perception_common.errors import UserError

from .camera import View, orbit
from .catalogue import looks
from .catalogue.kinds import Kind
from .lens import MAX_ANGLE, Lens
from .presets import Camera, Preset
from .randomize import Chance, Choice, Color, LogUniform, Orientation
from .rendering.viewer import Viewer, source_of
from .scene import Light, Material, Quaternion, Scene, Stage, Table, Thing, Walls
from .sensor import SensorSettings
from .shapes import Shape, built
from .textures import Color as Rgb
from .textures import Texture, photographs
from .textures.ground import TYPICAL
from .world import World

STAGE_TEXTURE_PX = 256
_WALL_TEXTURE_PX = 192
_SKY_TEXTURE_PX = 256
_LENS_ATTEMPTS = 10
_USUAL_M = 0.1
"""The size of things for which lengths of the stage are written below; others follow in proportion."""


@dataclasses.dataclass(frozen=True)
class Optics:
    """The vertical field of view in degrees of a pinhole of the same focal length, and the lens, if it bends."""

    fovy: float
    lens: Lens | None


def sample_scene(preset: Preset, rng: np.random.Generator, negative: bool) -> Scene:
    """A scene with its things above the ground, not yet settled; ``negative`` leaves out objects of any class."""
    drafts = _drafts(preset, rng, negative)
    unit = float(np.median([draft.size for draft in drafts])) if drafts else _USUAL_M
    floating = Chance(preset.content.floating)(rng)
    spots, area = _spots([draft.radius for draft in drafts], preset, rng)
    reach = max(6.0 * unit, area)
    stage = _stage(preset, rng, unit, reach)
    ground = stage.table.material if stage.table else stage.floor
    things = tuple(
        _thing(draft, spot, preset, rng, ground.texture.colors, floating, reach)
        for draft, spot in zip(drafts, spots, strict=True)
    )
    return Scene(things, _lights(preset, rng), stage, unit, reach, floating)


def sample_optics(camera: Camera, width: int, height: int, rng: np.random.Generator) -> Optics:
    """A lens of the preset's camera, drawn again while it is one that cannot be rendered."""
    for _ in range(_LENS_ATTEMPTS):
        model, fovy = camera.lens(rng), camera.fovy(rng)
        if model == "none":
            break
        try:
            lens = _lens(model, camera, width, height, fovy, rng)
            source_of(lens, width, height)
        except UserError:
            continue
        return Optics(float(2.0 * np.degrees(np.arctan(height / 2.0 / lens.fy))), lens)
    return Optics(fovy, None)


def _lens(model: str, camera: Camera, width: int, height: int, fovy: float, rng: np.random.Generator) -> Lens:
    if model == "equidistant":
        d = (float(rng.uniform(-0.05, 0.1)), *rng.uniform(-0.01, 0.01, 3).tolist())
        field = camera.fisheye(rng)
        # Beyond about this field the corners of a picture would lie behind the camera: there is the barrel.
        circle = float(min(0.5 * field * rng.uniform(1.0, 1.15), MAX_ANGLE)) if field > 120.0 else 0.0
        return Lens.of_field(model, width, height, field, d, circle)
    focal = height / 2.0 / float(np.tan(np.radians(fovy) / 2.0))
    k1 = camera.distortion(rng)
    d = (k1, float(k1 * k1 * rng.uniform(0.5, 1.2)), *rng.uniform(-0.001, 0.001, 2).tolist(), 0.0)
    return Lens(model, focal, focal, width / 2.0, height / 2.0, d)


def sample_view(camera: Camera, optics: Optics, world: World, rng: np.random.Generator) -> View:
    """A view of the scene as the preset's camera has it, through that lens."""
    view = (
        _robot_view(camera, optics.fovy, world, rng)
        if camera.mode(rng) == "robot"
        else _orbit_view(camera, optics.fovy, world, rng)
    )
    return dataclasses.replace(view, lens=optics.lens)


def _orbit_view(camera: Camera, fovy: float, world: World, rng: np.random.Generator) -> View:
    """A view of the whole group of things."""
    center, radius = group(world)
    distance = viewing_distance(fovy, radius, camera.fill(rng))
    position = orbit(center, distance, rng.uniform(0.0, 2 * np.pi), np.radians(camera.elevation(rng)))
    aim = rng.normal(size=3) * [1.0, 1.0, 0.5]
    aim *= camera.aim * radius * rng.uniform() / np.linalg.norm(aim)
    x, y, z = (np.asarray(center) + aim).tolist()
    return View(position, (x, y, z), np.radians(camera.roll(rng)), fovy)


def viewing_distance(fovy: float, radius: float, fill: float) -> float:
    """The distance in metres at which a sphere of ``radius`` covers ``fill`` of half the image height."""
    return radius / float(np.sin(min(np.radians(fovy) / 2.0 * fill, 1.4)))


def standing_distance(fovy: float, size: float, apparent: float) -> float:
    """The distance in metres at which something of ``size`` covers ``apparent`` of the image height."""
    return size / (2.0 * apparent * float(np.tan(np.radians(fovy) / 2.0)))


def sample_sensor(preset: Preset, rng: np.random.Generator) -> SensorSettings:
    """Settings of the sensor for one picture."""
    s = preset.sensor
    deviation = s.white_balance(rng)
    balance = 1.0 + rng.uniform(-deviation, deviation, 3)
    return SensorSettings(
        exposure=s.exposure(rng),
        balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        vignette=s.vignette(rng),
        aberration=s.aberration(rng),
        defocus=s.defocus(rng),
        motion=s.motion(rng),
        motion_angle=rng.uniform(0.0, np.pi),
        blur=s.blur(rng),
        shot_noise=s.shot_noise(rng),
        read_noise=s.read_noise(rng),
        bayer=Chance(s.bayer)(rng),
        saturation=s.saturation(rng),
        gamma=s.gamma(rng),
        contrast=s.contrast(rng),
        sharpening=s.sharpening(rng),
        downscale=s.downscale(rng),
        jpeg=int(s.jpeg(rng)),
        noise=s.noise(rng),
    )


def group(world: World) -> tuple[np.ndarray, float]:
    """Centre [3] and radius (metres) of what a camera should look at: the labelled things, or else all things."""
    points = [world.points(i) for i in _looked_at(world)]
    if not points:
        return np.zeros(3), 1.5 * world.scene.unit
    cloud = np.concatenate(points)
    center = (cloud.min(0) + cloud.max(0)) / 2.0
    return center, max(float(np.linalg.norm(cloud - center, axis=1).max()), 0.8 * world.scene.unit)


def view_score(world: World, view: View, preset: Preset, viewer: Viewer) -> float:
    """How well a view keeps to the preset: 1 if every labelled thing is either well inside the image or outside it.

    Judged by projected boxes alone, so hidden parts count as visible; the share of things that keep to it.
    """
    labelled = [i for i, thing in enumerate(world.scene.things) if thing.label]
    good, seen = 0, 0
    for thing in labelled:
        uv, depth = viewer.project(view, world.points(thing))
        if depth.min() < 0.3 * world.scene.unit:
            good += bool(depth.max() < 0.0)
            continue
        low, high = uv.min(1), uv.max(1)
        inside = np.minimum(high, (viewer.width, viewer.height)) - np.maximum(low, 0.0)
        share = float(np.prod(np.maximum(inside, 0.0) / (high - low)))
        large = float(inside.max()) >= 1.1 * preset.labels.min_box_px
        seen += share > 0.0
        good += share == 0.0 or (share >= preset.camera.keep_in_view and large)
    if not labelled:
        return 1.0
    return good / len(labelled) if seen else 0.0


def _looked_at(world: World) -> Sequence[int]:
    things = world.scene.things
    return [i for i, thing in enumerate(things) if thing.label] or range(len(things))


def _robot_view(camera: Camera, fovy: float, world: World, rng: np.random.Generator) -> View:
    """A view from a height above the ground onto one thing, which lies somewhere near the middle of the image."""
    chosen = _looked_at(world)
    focus, size = np.zeros(3), world.scene.unit
    if len(chosen):
        points = world.points(Choice(chosen)(rng))
        focus, size = (points.min(0) + points.max(0)) / 2.0, float(np.ptp(points, axis=0).max())
    distance = standing_distance(fovy, size, camera.apparent(rng))
    rise = camera.height(rng) - float(focus[2])
    rise = float(np.clip(rise, max(-0.5 * focus[2], -0.5 * distance), 0.97 * distance))
    along = float(np.sqrt(distance**2 - rise**2))
    walls = world.scene.stage.walls
    if walls:
        along = min(along, max(0.8 * walls.distance - float(np.hypot(*focus[:2])), 0.1 * walls.distance))
    azimuth = rng.uniform(0.0, 2 * np.pi)
    x, y, z = (focus + np.array([along * np.cos(azimuth), along * np.sin(azimuth), rise])).tolist()
    # The point of the picture's middle: beside the thing, in the plane through it that faces the camera.
    reach = camera.off_centre(rng) * 2.0 * distance * np.tan(np.radians(fovy) / 2.0)
    turn = rng.uniform(0.0, 2 * np.pi)
    side = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0]) * np.cos(turn) + np.array([0.0, 0.0, np.sin(turn)])
    tx, ty, tz = (focus + reach * side).tolist()
    return View((x, y, z), (tx, ty, tz), np.radians(camera.roll(rng)), fovy)


class _Draft:
    """A thing before its place is known."""

    def __init__(
        self, label: str, name: str, kind: Kind, size: float, preset: Preset, rng: np.random.Generator
    ) -> None:
        self.label, self.name, self.kind, self.size = label, name, kind, size
        self.shape: Shape = kind.sample(size, rng)
        upright = preset.content.upright
        self.orientation: Quaternion = Orientation(kind.upright if upright is None else upright(rng))(rng)
        self.solid = built(self.shape)
        points = self.solid.points @ matrix(self.orientation).T
        self.low, self.radius = float(points[:, 2].min()), float(np.linalg.norm(points[:, :2], axis=1).max())


def _drafts(preset: Preset, rng: np.random.Generator, negative: bool) -> list[_Draft]:
    content = preset.content
    labels = [] if negative else [Choice(content.classes)(rng) for _ in range(int(content.objects(rng)))]
    count = int(content.distractors(rng))
    names = [_distractor(preset, rng) for _ in range(max(count, 2) if negative else count)]
    drafts = []
    for label in labels:
        kind = preset.kinds[label]
        drafts.append(_Draft(label, label, kind, _size(preset, label, rng), preset, rng))
    others = preset.others if names else {}
    for name in names:
        # As large as the objects it lies among, whatever it is in reality: a toy chair beside a nut.
        size = _size(preset, Choice(content.classes)(rng), rng) * content.distractor_size(rng)
        drafts.append(_Draft("", name, others[name], size, preset, rng))
    return drafts


def _size(preset: Preset, name: str, rng: np.random.Generator) -> float:
    """A nominal size in metres for an object of that class."""
    own = preset.content.size
    return (LogUniform(*preset.kinds[name].size) if own is None else own)(rng)


def _distractor(preset: Preset, rng: np.random.Generator) -> str:
    """The name of a kind that is no class; a group stands for each of its members."""
    name = preset.content.distractor_kinds(rng)
    groups = preset.groups
    # A world without look-alikes of its classes has shapes in their place.
    members = groups.get(name, (name,)) or groups["shapes"]
    return Choice(members)(rng)


def _thing(
    draft: _Draft,
    spot: tuple[float, float],
    preset: Preset,
    rng: np.random.Generator,
    ground: tuple[Rgb, ...],
    floating: bool,
    reach: float,
) -> Thing:
    drop = preset.content.drop * draft.size * rng.uniform()
    lift = (rng.uniform(0.0, reach) if floating else drop) + 0.01 * draft.size - draft.low
    if draft.kind.dress is not None and Chance(preset.surface.typical)(rng):
        materials = draft.kind.dress(draft.shape, rng)
    else:
        materials = tuple(_object_material(preset, rng, ground) for _ in range(min(len(draft.solid.surfaces), 3) + 1))
    detail = preset.surface.detail(rng)
    if detail < 1.0:
        materials = tuple(_faded(material, detail) for material in materials)
    return Thing(draft.label, draft.name, draft.shape, materials, (*spot, lift), draft.orientation, draft.kind.density)


def _faded(material: Material, detail: float) -> Material:
    texture = dataclasses.replace(material.texture, contrast=material.texture.contrast * detail)
    return dataclasses.replace(material, texture=texture)


def _spots(radii: list[float], preset: Preset, rng: np.random.Generator) -> tuple[list[tuple[float, float]], float]:
    """Where things are let go: apart by the preset's gap, in an area that grows when they do not fit; its radius."""
    area = preset.content.spread(rng) * float(np.sqrt(np.sum(np.square(radii)))) if radii else 0.0
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
    return placed, max([area] + [float(np.hypot(*spot)) + radius for spot, radius in zip(placed, radii, strict=True)])


def _object_material(preset: Preset, rng: np.random.Generator, ground: tuple[Rgb, ...]) -> Material:
    surface = preset.surface
    saturation = surface.saturation.bounds

    def color() -> Rgb:
        return Color(saturation, (0.15, 1.0))(rng)

    first = color()
    for _ in range(20):
        if min(float(np.linalg.norm(np.subtract(first, other))) for other in ground) >= surface.stand_out:
            break
        first = color()
    gloss = surface.gloss(rng)
    return looks.material(
        rng,
        (first, color()),
        surface.object_patterns(rng),
        contrast=surface.contrast(rng),
        scale=float(rng.integers(1, 7)),
        angle=rng.uniform(0, np.pi),
        gloss=(gloss, gloss),
    )


def _stage_texture(preset: Preset, rng: np.random.Generator, photos: tuple[str, ...], size: int) -> Texture:
    surface = preset.surface
    pattern = surface.stage_patterns(rng)
    return Texture(
        pattern=pattern,
        colors=stage_colors(preset, pattern, rng),
        scale=float(rng.integers(2, 9)),
        angle=Choice((0.0, np.pi / 2))(rng),
        contrast=surface.stage_contrast(rng) * surface.detail(rng),
        seed=int(rng.integers(1 << 31)),
        size=size,
        file=Choice(photos)(rng) if photos else "",
    )


def stage_colors(preset: Preset, pattern: str, rng: np.random.Generator) -> tuple[Rgb, Rgb]:
    """Two colours for a pattern of floor, table, walls or backdrop."""
    surface = preset.surface
    if pattern in TYPICAL and Chance(surface.stage_typical)(rng):
        first, second = Choice(TYPICAL[pattern])(rng)
        return looks.vary(first, rng, 0.03, 0.1, 0.2), looks.vary(second, rng, 0.03, 0.1, 0.2)
    saturation = surface.stage_saturation(rng)
    span = (0.6 * saturation, saturation)
    return Color(span, (0.2, 0.95))(rng), Color(span, (0.1, 1.0))(rng)


def _stage_material(
    preset: Preset, rng: np.random.Generator, photos: tuple[str, ...], size: int = STAGE_TEXTURE_PX
) -> Material:
    texture = _stage_texture(preset, rng, photos, size)
    shine = 0.5 * preset.surface.gloss(rng)
    return Material(texture, shine, rng.uniform(0.1, 0.9), roughness=1.0 - 0.7 * shine)


def _stage(preset: Preset, rng: np.random.Generator, unit: float, reach: float) -> Stage:
    surface = preset.surface
    photos = photographs.find(preset.background.images) if preset.background.images else ()
    if not Chance(preset.background.stage)(rng):
        photos = ()
    floor = _stage_material(preset, rng, photos)
    table = None
    if Chance(surface.table)(rng):
        width = max(rng.uniform(4.5, 7.0) * unit, 1.15 * reach)
        table = Table(_stage_material(preset, rng, photos), Chance(0.4)(rng), width, rng.uniform(3.5, 8.0) * unit)
    walls = None
    if Chance(surface.walls)(rng):
        # Two kinds of wall in turn: painting four took as long as all objects.
        materials = tuple(_stage_material(preset, rng, photos, _WALL_TEXTURE_PX) for _ in range(2))
        distance = rng.uniform(2.5, 4.5) * reach
        walls = Walls(materials, distance, rng.uniform(0, 2 * np.pi), distance * rng.uniform(0.8, 1.4))
    sky = (Color((0.0, 0.6), (0.3, 1.0))(rng), Color((0.0, 0.4), (0.4, 1.0))(rng))
    panorama = None
    if walls is None and photos:
        panorama = _stage_texture(preset, rng, photos, _SKY_TEXTURE_PX)
    elif walls is None and surface.sky(rng) == "clouds":
        panorama = _clouds(rng)
    return Stage(floor, surface.tile(rng) * unit, table, walls, sky, preset.light.ambient(rng), panorama)


def _clouds(rng: np.random.Generator) -> Texture:
    """A sky from blue to overcast, with clouds."""
    blue = looks.vary((0.42, 0.6, 0.86), rng, 0.05, 0.35, 0.2)
    white = looks.vary((0.93, 0.94, 0.95), rng, 0.5, 0.05, 0.1)
    seed = int(rng.integers(1 << 31))
    return Texture("noise", (blue, white), rng.uniform(1.5, 4.0), 0.0, rng.uniform(0.2, 1.0), seed, _SKY_TEXTURE_PX)


def _lights(preset: Preset, rng: np.random.Generator) -> tuple[Light, ...]:
    light = preset.light
    made, more = [], light.extra
    for index in range(1 + int(more(rng))):
        x, y, z = orbit(np.zeros(3), 1.0, rng.uniform(0, 2 * np.pi), np.radians(light.elevation(rng)))
        strength = light.brightness(rng) * (1.0 if index == 0 else 0.35)
        saturation = light.tint(rng)
        tint = Color((saturation, saturation), (1.0, 1.0))(rng)
        color = (strength * tint[0], strength * tint[1], strength * tint[2])
        made.append(Light((-x, -y, -z), color, index == 0 and Chance(light.shadow)(rng)))
    return tuple(made)


def matrix(quaternion: Sequence[float]) -> np.ndarray:
    """The rotation matrix [3, 3] of a unit quaternion (w, x, y, z)."""
    w, x, y, z = quaternion
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )

"""A picture of an object as the world has it, and a test whether it stands."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from ..camera import View, orbit
from ..catalogue import looks
from ..catalogue.kinds import Kind
from ..rendering.classic import ClassicRenderer
from ..sampling import viewing_distance
from ..scene import Light, Material, Scene, Stage, Thing
from ..shapes import Shape, Solid, built
from ..shapes.mesh import Mesh
from ..textures import Texture
from ..view.sheet import color_of
from ..world import World, compile_scene, settle
from . import folder as folders

_WIDTH, _HEIGHT, _FOVY = 320, 300, 30.0
_SEED = 0
_TILTED_DEG = 20.0


@dataclasses.dataclass(frozen=True)
class Hulls:
    """The collision hulls of a shape as surfaces, to look at."""

    shape: Shape

    def build(self) -> Solid:
        """Make them."""
        whole = built(self.shape)
        surfaces = [_hull_mesh(piece.mesh.vertices) for piece in whole.colliders if piece.mesh is not None]
        return Solid(tuple(surfaces), whole.colliders)


def draw(folder: Path, kind: Kind, name: str, warn: Callable[[str], None]) -> float | None:
    """Write preview.png: four sides, two variations, and the collision hulls from two sides.

    Returns:
        By how many degrees an instance tilts that was set down as modelled and left to physics; None when it does
        not come to rest.

    Raises:
        UserError: pictures cannot be rendered on this machine.

    """
    rng = np.random.default_rng(_SEED)
    size = float(np.sqrt(kind.size[0] * kind.size[1]))
    shape = kind.sample(size, rng)
    first, *variations = [_dressed(kind, shape, rng) for _ in range(3)]
    hulls = Hulls(shape)
    plain = tuple(_plain(color_of(number)[::-1]) for number in range(len(hulls.build().surfaces)))
    tiles = []
    with ClassicRenderer(_WIDTH, _HEIGHT) as renderer:
        standing = _world(shape, first, size, kind.density)
        tilt = _tilt(standing)
        for title, worn, turns in (
            (f"{name}, from {{}} degrees", first, (-90, -20, 60, 150)),
            ("variation", variations[0], (-50,)),
            ("variation", variations[1], (-50,)),
            ("collision hulls", None, (-50, 130)),
        ):
            world = _world(hulls if worn is None else shape, worn or plain, size, kind.density)
            renderer.load(world)
            tiles += [_tile(renderer.rgb(_view(world, turn)), title.format(turn)) for turn in turns]
    sheet = np.concatenate([np.concatenate(tiles[row : row + 4], 1) for row in (0, 4)], 0)
    done, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError("OpenCV could not encode the preview")
    (folder / folders.PREVIEW).write_bytes(data.tobytes())
    if tilt is None or tilt > _TILTED_DEG:
        how = "does not come to rest" if tilt is None else f"tips over by {tilt:.0f} degrees"
        warn(f"set down as modelled it {how}: check --up and the hulls in {folders.PREVIEW}, or set upright to 0")
    return tilt


def _dressed(kind: Kind, shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    if kind.dress is None:
        return tuple(looks.material(rng, (looks.vary((0.6, 0.6, 0.6), rng),)) for _ in built(shape).surfaces)
    return kind.dress(shape, rng)


def _plain(color: tuple[int, ...]) -> Material:
    red, green, blue = (part / 255.0 for part in color)
    return Material(Texture("plain", ((red, green, blue),) * 2, 1.0, 0.0, 0.0, 0, 16), 0.1, 0.2)


def _world(shape: Shape, materials: tuple[Material, ...], size: float, density: float) -> World:
    """The object alone on a grey floor, standing as modelled."""
    low = float(built(shape).points[:, 2].min())
    upright = (1.0, 0.0, 0.0, 0.0)
    thing = Thing("", "", shape, materials, (0.0, 0.0, 0.002 * size - low), upright, density)
    floor = Material(Texture("plain", ((0.5, 0.5, 0.5), (0.42, 0.42, 0.42)), 2.0, 0.0, 1.0, 1, 128), 0.0, 0.1)
    stage = Stage(floor, size, None, None, ((0.75, 0.8, 0.85), (0.9, 0.9, 0.9)), 0.35)
    lights = (Light((0.45, 0.5, -0.75), (0.6, 0.6, 0.6), True), Light((-0.6, 0.3, -0.5), (0.2, 0.2, 0.2), False))
    return compile_scene(Scene((thing,), lights, stage, size, 1.6 * size))


def _tilt(world: World) -> float | None:
    """How far the object's z axis leans when it has come to rest, degrees; None if it does not."""
    if not settle(world):
        return None
    return round(float(np.degrees(np.arccos(np.clip(world.pose(0)[1][2, 2], -1.0, 1.0)))), 1)


def _view(world: World, turn: float) -> View:
    points = world.points(0)
    middle = (points.min(0) + points.max(0)) / 2.0
    radius = float(np.linalg.norm(points - middle, axis=1).max())
    place = orbit(middle, viewing_distance(_FOVY, radius, 0.92), np.radians(turn), np.radians(25.0))
    x, y, z = middle.tolist()
    return View(place, (x, y, z), 0.0, _FOVY)


def _tile(picture: np.ndarray, text: str) -> np.ndarray:
    tile = np.ascontiguousarray(picture)
    cv2.putText(tile, text, (6, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (20, 20, 20), 1, cv2.LINE_AA)
    return tile


def _hull_mesh(points: np.ndarray) -> Mesh:
    """The faces of a convex hull, flat."""
    from ..convert.libraries import need

    hull = need("scipy.spatial").ConvexHull(points)
    corners = points[hull.simplices]
    inwards = (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * hull.equations[:, :3]).sum(
        1
    ) < 0
    faces = np.where(inwards[:, None], hull.simplices[:, ::-1], hull.simplices)
    return Mesh(points, np.zeros_like(points), points[:, :2], faces).flat()

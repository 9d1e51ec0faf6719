"""The scenes that live cameras see: what a preset and a seed give for a scene's number, ready to be rendered."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..camera import View
from ..presets import Preset
from ..randomize import Chance
from ..rendering.classic import VISIBLE
from ..rendering.gl import mujoco
from ..rendering.viewer import Viewer
from ..sampling import Optics, sample_optics, sample_sensor, view_score
from ..sensor import SensorSettings
from ..staging import best_of, settled_world
from ..world import World
from .path import Mount, Path, sample_path

# Keeps live scenes apart from those of `generate`, whatever the seeds are.
_LIVE = 0x11FE
# What is drawn apart: a camera's own things do not depend on which other cameras there are.
_CAMERA, _OPTICS, _NOISE = 1, 2, 3
_PATH_DRAWS = 12
_PATH_CHECKS = 8


@dataclasses.dataclass(frozen=True)
class Setup:
    """Everything that live scenes depend on.

    ``cameras`` are names; ``mounts`` place those after the first on a rig with it, in the same order, or are empty,
    and then every camera goes its own way. Optics are drawn once with ``fixed_optics``, or else for every scene.
    """

    preset: Preset
    seed: int
    width: int
    height: int
    scene_seconds: float
    cameras: tuple[str, ...]
    mounts: tuple[Mount, ...]
    fixed_optics: bool


@dataclasses.dataclass(frozen=True)
class Eye:
    """One camera in one scene: its way, where it is mounted beside it, and what its sensor is like meanwhile."""

    path: Path
    mount: Mount
    sensor: SensorSettings

    def view(self, seconds: float) -> View:
        """Where it is that long after the scene began."""
        return self.mount.view(self.path.view(seconds))


@dataclasses.dataclass(frozen=True, eq=False)
class Episode:
    """A settled scene, and the cameras in it in the order of `Setup.cameras`."""

    world: World
    eyes: tuple[Eye, ...]


def build_episode(setup: Setup, scene: int) -> Episode:
    """The scene of that number: the same for the same setup, whatever was built before.

    Raises:
        UserError: scenes of the preset never come to rest, or its photographs are missing.

    """
    preset = setup.preset
    rng = _generator(setup, scene)
    negative = Chance(preset.content.negatives)(rng)
    world = settled_world(preset, rng, negative)
    # Paths are judged by projections alone, which takes no OpenGL.
    with Viewer(setup.width, setup.height, _Blind) as viewer:
        paths: list[Path] = []
        eyes: list[Eye] = []
        for index, name in enumerate(setup.cameras):
            rng = _generator(setup, scene, _CAMERA, name)
            if not (paths and setup.mounts):
                paths.append(_path(setup, world, viewer, name, rng))
            mount = setup.mounts[index - 1] if index and setup.mounts else Mount()
            eyes.append(Eye(paths[-1], mount, sample_sensor(preset, rng)))
    return Episode(world, tuple(eyes))


def noise_of(setup: Setup, scene: int, camera: str, seconds: float) -> np.random.Generator:
    """What the sensor's noise is drawn from, that long after the scene began."""
    return _generator(setup, scene, _NOISE, camera, round(seconds * 1e6))


def _path(setup: Setup, world: World, viewer: Viewer, name: str, rng: np.random.Generator) -> Path:
    """The way on which the objects keep to the preset best and are least hidden, of some draws."""
    preset, times = setup.preset, np.linspace(0.0, setup.scene_seconds, _PATH_CHECKS).tolist()
    lens = _generator(setup, 0, _OPTICS, name) if setup.fixed_optics else rng
    optics: Optics = sample_optics(preset.camera, setup.width, setup.height, lens)

    def score(path: Path) -> float:
        views = [path.view(t) for t in times]
        return min(view_score(world, view, preset, viewer) * _in_sight(world, view) for view in views)

    return best_of(_PATH_DRAWS, lambda: sample_path(preset.camera, optics, world, rng), score)


def _in_sight(world: World, view: View) -> float:
    """The share of the labelled things whose middle is not behind another thing or a wall."""
    labelled = [i for i, thing in enumerate(world.scene.things) if thing.label]
    start, hit = np.asarray(view.position, float), np.zeros(1, np.int32)
    shown = np.array(VISIBLE, np.uint8)
    seen = 0
    for thing in labelled:
        ray = world.pose(thing)[0] - start
        # In multiples of the ray; what is behind the thing does not matter.
        share = mujoco.mj_ray(world.model, world.data, start, ray, shown, 1, -1, hit)
        seen += not 0.0 <= share < 1.0 or int(world.owner[hit[0]]) == thing
    return seen / len(labelled) if labelled else 1.0


def _generator(setup: Setup, scene: int, what: int = 0, camera: str = "", *more: int) -> np.random.Generator:
    # A name's length before its letters, so that no two keys are alike.
    key = (what, *more, len(camera), *camera.encode())
    return np.random.default_rng(np.random.SeedSequence([setup.seed, scene, _LIVE], spawn_key=key))


class _Blind:
    """Stands where a renderer would in a viewer that only projects."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height

    def close(self) -> None:
        """Nothing was opened."""

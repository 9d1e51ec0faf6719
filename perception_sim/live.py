"""A camera that moves through the synthetic world, frame by frame; no ROS here (see `camera_node`)."""

from __future__ import annotations

import dataclasses
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import numpy as np

from .annotate import Instance, annotate
from .camera import View, orbit
from .presets import Camera, load_preset
from .randomize import Chance, Uniform
from .render import Renderer
from .sampling import group, sample_sensor, view_score, viewing_distance
from .sensor import SensorSettings, expose
from .staging import best_of, settled_world
from .world import World

# Spawn key that keeps live scenes apart from those of `generate`, whatever the seeds are.
_LIVE = 0x11FE
_PATH_DRAWS = 12
_PATH_CHECKS = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One picture of the moving camera.

    ``rgb`` uint8 [H, W, 3]; ``instances`` are the labelled objects (pixel-edge boxes); ``mask`` uint8
    [H, W] the semantic mask (0 = background, categories from 1); ``intrinsics`` K float64 [3, 3] in
    pixel-edge coordinates; ``view`` the camera; ``scene`` counts the scenes from 0.
    """

    rgb: np.ndarray
    instances: tuple[Instance, ...]
    mask: np.ndarray
    intrinsics: np.ndarray
    view: View
    scene: int


@dataclasses.dataclass(frozen=True)
class Path:
    """A smooth way of the camera around ``center``: an orbit whose height and distance sway.

    Angles are in radians, times in seconds; elevation and fill sway between their two bounds; the group of
    objects of ``radius`` metres fills ``fill`` of half the image height.
    """

    center: tuple[float, float, float]
    radius: float
    fovy: float
    roll: float
    azimuth: float
    turn: float
    elevation: tuple[float, float]
    fill: tuple[float, float]
    period: float
    phase: float

    def view(self, seconds: float) -> View:
        """Where the camera is after that time."""
        sway = 0.5 + 0.5 * np.sin(2.0 * np.pi * seconds / self.period + self.phase)
        swing = 0.5 + 0.5 * np.sin(2.0 * np.pi * seconds / (1.7 * self.period) + 2.0 * self.phase)
        elevation = self.elevation[0] + (self.elevation[1] - self.elevation[0]) * sway
        fill = self.fill[0] + (self.fill[1] - self.fill[0]) * swing
        distance = viewing_distance(self.fovy, self.radius, fill)
        position = orbit(np.asarray(self.center), distance, self.azimuth + self.turn * seconds, elevation)
        return View(position, self.center, self.roll * float(2.0 * swing - 1.0), self.fovy)


@dataclasses.dataclass(frozen=True, eq=False)
class _Episode:
    """A settled scene, the camera's way through it, and what the sensor is like meanwhile."""

    world: World
    path: Path
    sensor: SensorSettings


class LiveWorld:
    """The moving camera: scenes of a preset, a new one every ``scene_seconds``.

    A frame depends on (preset, seed, size, scene_seconds, t) alone. Scenes, cameras, lights, sensor and
    label limits are those of `generate` for the same preset. The next scene is built in a background
    thread. Use it from the thread that made it, and close it.

    Raises:
        UserError: an unknown preset, or no off-screen OpenGL.

    """

    def __init__(self, preset: str, seed: int, width: int = 320, height: int = 240, scene_seconds: float = 6.0) -> None:
        self.preset = load_preset(preset)
        self.width, self.height, self.scene_seconds = width, height, scene_seconds
        self._seed = seed
        self._renderer = Renderer(width, height)
        self._builder = ThreadPoolExecutor(1, thread_name_prefix="next-scene")
        self._ahead: dict[int, Future[_Episode]] = {}
        self._current: tuple[int, _Episode] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their categories."""
        return self.preset.content.classes

    def frame(self, t: float) -> Frame:
        """The frame ``t`` seconds after the start."""
        scene = int(t // self.scene_seconds)
        episode = self._episode(scene)
        seconds = t - scene * self.scene_seconds
        view = episode.path.view(seconds)
        found = annotate(episode.world, self._renderer, view, self.classes, self.preset.labels)
        noise = np.random.default_rng(np.random.SeedSequence([self._seed, scene, round(seconds * 1e6), _LIVE]))
        picture = expose(self._renderer.rgb(view), episode.sensor, noise)
        labelled = tuple(instance for instance in found.instances if instance.labelled)
        return Frame(picture, labelled, found.mask, view.intrinsics(self.width, self.height), view, scene)

    def close(self) -> None:
        """Stop building ahead and free everything held in OpenGL."""
        self._builder.shutdown(wait=True, cancel_futures=True)
        self._renderer.close()

    def __enter__(self) -> LiveWorld:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _episode(self, scene: int) -> _Episode:
        if self._current is None or self._current[0] != scene:
            episode = self._order(scene).result()
            self._renderer.load(episode.world)
            self._current = (scene, episode)
            self._ahead = {number: future for number, future in self._ahead.items() if number == scene + 1}
            self._order(scene + 1)
        return self._current[1]

    def _order(self, scene: int) -> Future[_Episode]:
        if scene not in self._ahead:
            self._ahead[scene] = self._builder.submit(self._build, scene)
        return self._ahead[scene]

    def _build(self, scene: int) -> _Episode:
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, scene, _LIVE]))
        negative = Chance(self.preset.content.negatives)(rng)
        world = settled_world(self.preset, rng, negative, self._renderer.buffer)
        return _Episode(world, self._path(world, rng), sample_sensor(self.preset, rng))

    def _path(self, world: World, rng: np.random.Generator) -> Path:
        """The way on which the objects keep to the preset best, of some draws."""
        center, radius = group(world)
        times = np.linspace(0.0, self.scene_seconds, _PATH_CHECKS)

        def score(path: Path) -> float:
            return min(view_score(world, path.view(t), self.preset, self.width, self.height) for t in times.tolist())

        return best_of(_PATH_DRAWS, lambda: sample_path(self.preset.camera, center, radius, rng), score)


def sample_path(camera: Camera, center: np.ndarray, radius: float, rng: np.random.Generator) -> Path:
    """A way within the preset's ranges of elevation, distance, field of view and aim."""
    aim = rng.normal(size=3) * [1.0, 1.0, 0.5]
    aim *= camera.aim * radius * rng.uniform() / np.linalg.norm(aim)
    x, y, z = (np.asarray(center) + aim).tolist()
    return Path(
        center=(x, y, z),
        radius=radius,
        fovy=Uniform(*camera.fovy)(rng),
        roll=np.radians(rng.uniform(-camera.roll, camera.roll)),
        azimuth=rng.uniform(0.0, 2.0 * np.pi),
        turn=np.radians(rng.uniform(8.0, 25.0)) * (1.0 if rng.random() < 0.5 else -1.0),
        elevation=_within(tuple(np.radians(camera.elevation)), 0.35, rng),
        fill=_within(camera.fill, 0.3, rng),
        period=rng.uniform(6.0, 12.0),
        phase=rng.uniform(0.0, 2.0 * np.pi),
    )


def _within(bounds: tuple[float, ...], share: float, rng: np.random.Generator) -> tuple[float, float]:
    """A part of the range ``bounds``, that share of it wide."""
    low, high = bounds
    start = rng.uniform(low, high - share * (high - low))
    return float(start), float(start + share * (high - low))

"""Cameras that move through the synthetic world, frame by frame; no ROS here (see `perception_sim.ros`)."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Sequence
from types import TracebackType

import numpy as np

from perception_common.errors import UserError

from ..annotate import Instance, annotate_things
from ..camera import View
from ..depth import informed
from ..lens import CameraModel
from ..presets import load_preset
from ..rendering import open_renderer
from ..rendering.viewer import Viewer
from ..sensor import expose
from ..world import World
from .boxes import Box3D, box_of
from .builder import Builder
from .meter import StageTimes
from .path import Mount
from .scenes import Episode, Setup, noise_of

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclasses.dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a moving camera.

    ``rgb`` uint8 [H, W, 3]; ``view`` where the camera was, in the world (z up); ``model`` the fields of CameraInfo;
    ``mount`` its place beside the first camera; ``scene`` counts the scenes from 0. ``instances`` are the labelled
    objects (pixel-edge boxes) and ``mask`` uint8 [H, W] the semantic mask (0 = background, categories from 1): empty
    and None if not asked for. ``depth`` float32 [H, W] is along the optical axis in metres, +Inf where there is
    nothing and NaN where the lens sees nothing: None if not asked for.
    """

    rgb: np.ndarray
    view: View
    model: CameraModel
    mount: Mount
    scene: int
    instances: tuple[Instance, ...]
    mask: np.ndarray | None
    depth: np.ndarray | None
    world: World

    def boxes_3d(self) -> tuple[Box3D, ...]:
        """The labelled objects' boxes in the optical frame, in the order of ``instances``."""
        return tuple(box_of(self.world, instance.thing, self.view) for instance in self.instances)

    def instance_mask(self) -> np.ndarray:
        """The visible pixels of each labelled object, uint16 [H, W]: its place in ``instances`` from 1, or 0."""
        mask = np.zeros(self.rgb.shape[:2], np.uint16)
        for number, instance in enumerate(self.instances, 1):
            mask[instance.mask] = number
        return mask


class LiveWorld:
    """Moving cameras in one world: scenes of a preset, a new one every ``scene_seconds``.

    A frame depends on (preset, seed, size, scene_seconds, fixed_optics, camera's name, t) alone, on a rig also on the
    first camera's name and on its mount. Scenes, cameras, lights, sensor and label limits are those of `generate`
    for the same preset. The next scene is built in another process. Use it from the thread that made it, and close it.

    Args:
        preset: a preset's name, or the path of a YAML file.
        seed: fixes scenes, paths and noise.
        width: of the images, pixels.
        height: of the images, pixels.
        scene_seconds: how long a scene lasts.
        cameras: their names.
        mounts: one for each camera after the first, which it then moves with; or none, and each goes its own way.
        fixed_optics: whether a camera keeps its field of view and lens from scene to scene.

    Raises:
        UserError: an unknown preset, names or mounts that do not fit, or no off-screen OpenGL.

    """

    def __init__(
        self,
        preset: str,
        seed: int,
        width: int = 320,
        height: int = 240,
        scene_seconds: float = 6.0,
        cameras: Sequence[str] = ("",),
        mounts: Sequence[Mount] = (),
        fixed_optics: bool = False,
    ) -> None:
        _check_cameras(cameras, mounts)
        self.preset = load_preset(preset)
        self.times = StageTimes()
        self._viewer = Viewer(width, height, functools.partial(open_renderer, "classic"))
        self._setup = Setup(
            self.preset, seed, width, height, scene_seconds, tuple(cameras), tuple(mounts), fixed_optics,
        )  # fmt: skip
        self._builder = Builder(self._setup)
        self._current: tuple[int, Episode] | None = None
        self.order(0.0)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their categories."""
        return self.preset.content.classes

    def order(self, t: float) -> bool:
        """Whether the scene at ``t`` seconds can be seen at once; it and the next one are built if they are not yet.

        Raises:
            UserError: it cannot be built.

        """
        scene = self._scene(t)
        if self._current is not None and self._current[0] == scene:
            return True
        future = self._builder.order(scene)
        self._builder.order(scene + 1)
        if not future.done():
            return False
        future.result()
        return True

    def frame(self, t: float, camera: str | None = None, labels: bool = True, depth: bool = False) -> Frame:
        """What a camera (the first if None) sees ``t`` seconds after the start; waits for the scene to be built.

        Raises:
            UserError: the scene cannot be built.

        """
        setup, scene = self._setup, self._scene(t)
        index = 0 if camera is None else setup.cameras.index(camera)
        episode, seconds = self._episode(scene), t - scene * setup.scene_seconds
        eye, viewer = episode.eyes[index], self._viewer
        view = eye.view(seconds)
        instances: tuple[Instance, ...] = ()
        mask = distance = None
        if labels or depth:
            with self.times.stage("annotate"):
                seen = viewer.geometry(view)
                if labels:
                    limits = self.preset.labels
                    found = annotate_things(seen.things, episode.world, viewer, view, self.classes, limits)
                    instances, mask = tuple(i for i in found.instances if i.labelled), found.mask
                if depth:
                    distance = informed(seen.depth, view)
        with self.times.stage("render"):
            clean = viewer.rgb(view)
        with self.times.stage("sensor"):
            rgb = expose(clean, eye.sensor, noise_of(setup, scene, setup.cameras[index], seconds))
        model = viewer.model(view)
        return Frame(rgb, view, model, eye.mount, scene, instances, mask, distance, episode.world)

    def close(self) -> None:
        """Stop building ahead and free everything held in OpenGL."""
        self._builder.close()
        self._viewer.close()

    def __enter__(self) -> LiveWorld:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _scene(self, t: float) -> int:
        return int(t // self._setup.scene_seconds)

    def _episode(self, scene: int) -> Episode:
        if self._current is None or self._current[0] != scene:
            future = self._builder.order(scene)
            self._builder.order(scene + 1)
            episode = future.result()
            self._builder.forget(keep={scene + 1})
            with self.times.stage("load"):
                self._viewer.load(episode.world)
            self._current = (scene, episode)
        return self._current[1]


def _check_cameras(cameras: Sequence[str], mounts: Sequence[Mount]) -> None:
    where = "cameras"
    if not cameras or len(set(cameras)) != len(cameras):
        raise UserError(f"{list(cameras)} must name at least one camera, and none twice", where=where)
    for name in cameras:
        if not _NAME.fullmatch(name) and (name or len(cameras) > 1):
            raise UserError(
                f"'{name}' cannot be a camera's name", where=where, fix="use letters, digits and _, no digit first"
            )
    if mounts and len(mounts) != len(cameras) - 1:
        raise UserError(
            f"{len(mounts)} mounts for {len(cameras)} cameras", where=where, fix="give one for each after the first"
        )

"""One picture of a scene: rendered, set before a backdrop, or put together; with its labels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from .annotate import Annotation
from .backdrop import Backdrop, sample_backdrop
from .camera import View
from .composite import Cutout, Placement, before, cut, paste, sample_placements
from .presets import Preset
from .randomize import Chance
from .rendering.viewer import Viewer
from .sampling import Optics, sample_optics, sample_sensor
from .sensor import SensorSettings, expose, focus
from .staging import labelled_view
from .world import World

_BLUR_HEIGHT_PX = 480.0
_CUT_OCCLUSION, _CUT_PX = 0.25, 12
RENDERED, COMPOSITE, PASTED = "rendered", "composite", "pasted"


@dataclasses.dataclass(frozen=True, eq=False)
class Shot:
    """A picture uint8 RGB [H, W, 3] and its labels.

    ``depth`` float32 [H, W] is along the optical axis in metres, 0 where it is not known (the sky, whatever
    was not rendered). ``view`` is None for a picture that was put together from cut-outs (``placements``). ``focus``
    is the distance in metres at which the camera is focused, ``blur`` that of what is infinitely far, in pixels;
    without it everything is sharp.
    """

    way: str
    rgb: np.ndarray
    annotation: Annotation
    depth: np.ndarray | None
    view: View | None
    sensor: SensorSettings
    backdrop: Backdrop | None
    placements: tuple[Placement, ...]
    blend: float
    focus: float = 0.0
    blur: float = 0.0

    def as_dict(self, viewer: Viewer) -> dict[str, Any]:
        """What was drawn for it, as JSON values; ``viewer`` is the one that took it.

        ``camera`` is the pose (metres, world frame with z up), ``intrinsics`` K in pixel-edge coordinates without
        the lens, ``camera_info`` what ROS's CameraInfo says (pixel centres, with the lens's distortion).
        """
        return {
            "way": self.way,
            "camera": dataclasses.asdict(self.view) if self.view else None,
            "intrinsics": self.view.intrinsics(viewer.width, viewer.height).tolist() if self.view else None,
            "camera_info": viewer.model(self.view)._asdict() if self.view else None,
            "sensor": dataclasses.asdict(self.sensor),
            "backdrop": dataclasses.asdict(self.backdrop) if self.backdrop else None,
            "pasted": [dataclasses.asdict(placement) for placement in self.placements],
            "blend": self.blend,
            "focus": {"distance": self.focus, "blur": self.blur},
        }


class Studio:
    """Takes the pictures of one scene, one after the other; cut-outs of the earlier ones are kept for the later."""

    def __init__(self, world: World, viewer: Viewer, preset: Preset, with_depth: bool = False) -> None:
        self._world, self._viewer, self._preset, self._with_depth = world, viewer, preset, with_depth
        self._cutouts: list[Cutout] = []
        self._optics: Optics | None = None
        viewer.load(world)

    def shoot(self, rng: np.random.Generator) -> Shot:
        """The next picture."""
        background = self._preset.background
        way = rng.random()
        if way < background.paste and self._cutouts:
            return self._pasted(rng)
        return self._rendered(rng, composite=way < background.paste + background.composite)

    def _rendered(self, rng: np.random.Generator, composite: bool) -> Shot:
        preset, labels = self._preset, [thing.label for thing in self._world.scene.things]
        # One camera takes all pictures of a scene.
        if self._optics is None:
            self._optics = sample_optics(preset.camera, self._viewer.width, self._viewer.height, rng)
        view, seen, annotation = labelled_view(self._world, self._viewer, preset, rng, self._optics)
        things = seen.things
        rgb = self._viewer.rgb(view)
        depth = seen.depth if self._with_depth else None
        if preset.background.paste > 0.0:
            self._keep(rgb, things, labels, annotation)
        backdrop, blend = None, 0.0
        if composite:
            backdrop, blend = sample_backdrop(preset, rng), preset.background.blend(rng)
            shown = things >= 0
            rgb = before(backdrop.paint(rgb.shape[1], rgb.shape[0]), rgb, shown, blend)
            depth = None if depth is None else np.where(shown, depth, np.float32(0.0))
        blur = preset.camera.depth_of_field(rng) * rgb.shape[0] / _BLUR_HEIGHT_PX
        focused = _distance(seen.depth, annotation) if blur > 0.0 else 0.0
        if focused > 0.0:
            behind = np.where(things >= 0, seen.depth, np.float32(0.0)) if composite else seen.depth
            rgb = focus(rgb, behind, focused, blur)
        sensor = sample_sensor(preset, rng)
        return Shot(
            COMPOSITE if composite else RENDERED,
            expose(rgb, sensor, rng), annotation, depth, view, sensor, backdrop, (), blend,
            focused, blur,
        )  # fmt: skip

    def _pasted(self, rng: np.random.Generator) -> Shot:
        preset, (width, height) = self._preset, (self._viewer.width, self._viewer.height)
        backdrop, blend = sample_backdrop(preset, rng), preset.background.blend(rng)
        count = max(int(preset.content.objects(rng)), 1)
        placements = sample_placements(self._cutouts, count, width, height, rng)
        picture = backdrop.paint(width, height)
        rgb, annotation = paste(picture, self._cutouts, placements, blend, preset.content.classes, preset.labels)
        sensor = sample_sensor(preset, rng)
        depth = np.zeros((height, width), np.float32) if self._with_depth else None
        return Shot(PASTED, expose(rgb, sensor, rng), annotation, depth, None, sensor, backdrop, placements, blend)

    def _keep(self, rgb: np.ndarray, things: np.ndarray, labels: list[str], annotation: Annotation) -> None:
        """Keep cut-outs of what is seen whole: labelled things, and distractors that are not cut off by the edge."""
        good = [
            instance.thing
            for instance in annotation.instances
            if instance.labelled and instance.occlusion <= _CUT_OCCLUSION and instance.truncation == 0.0
        ]
        border = np.unique(np.concatenate([things[0], things[-1], things[:, 0], things[:, -1]]))
        present = np.bincount(things.ravel() + 1, minlength=len(labels) + 1)[1:]
        good += [
            thing
            for thing, name in enumerate(labels)
            if not name and present[thing] >= _CUT_PX**2 and thing not in border
        ]
        self._cutouts += cut(rgb, things, labels, good)


def _distance(depth: np.ndarray, annotation: Annotation) -> float:
    """The distance in metres of the largest object of a class, or of what is in the picture's middle; 0 for the sky."""
    found = max(annotation.instances, key=lambda instance: instance.area, default=None)
    rows, columns = depth.shape
    middle = depth[rows // 3 : 2 * rows // 3 + 1, columns // 3 : 2 * columns // 3 + 1]
    return float(np.median(depth[found.mask] if found else middle))


def negative_scene(preset: Preset, rng: np.random.Generator) -> bool:
    """Whether a scene is one without any object of a class."""
    return Chance(preset.content.negatives)(rng)

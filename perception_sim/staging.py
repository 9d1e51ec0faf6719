"""Scenes that are ready to be looked at: sampled, compiled, settled; and views of them that keep to the preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np

from perception_common.errors import UserError

from .annotate import Annotation, annotate_things
from .camera import View
from .presets import Preset
from .rendering import Geometry
from .rendering.viewer import Viewer
from .sampling import Optics, sample_scene, sample_view, view_score
from .world import World, compile_scene, settle

T = TypeVar("T")
_SCENE_ATTEMPTS = 25
_VIEW_ATTEMPTS = 16
_RENDER_ATTEMPTS = 4
_STRAY_PX = 15


class Labelled(NamedTuple):
    """A view, what each of its pixels shows, and its labels."""

    view: View
    seen: Geometry
    annotation: Annotation


def settled_world(preset: Preset, rng: np.random.Generator, negative: bool) -> World:
    """A scene of the preset at rest; a draw whose things do not come to rest in place is drawn again.

    Raises:
        UserError: the preset's scenes never come to rest.

    """
    for _ in range(_SCENE_ATTEMPTS):
        world = compile_scene(sample_scene(preset, rng, negative))
        if settle(world):
            return world
    raise UserError(
        f"no scene of preset '{preset.name}' came to rest in {_SCENE_ATTEMPTS} draws",
        fix="use fewer or smaller objects, or a larger gap",
    )


def best_of(attempts: int, draw: Callable[[], T], score: Callable[[T], float], enough: float = 1.0) -> T:
    """The first draw that scores ``enough``, or the best of so many attempts."""
    best = draw()
    best_score = score(best)
    for _ in range(attempts - 1):
        if best_score >= enough:
            break
        other = draw()
        other_score = score(other)
        if other_score > best_score:
            best, best_score = other, other_score
    return best


def propose_view(world: World, preset: Preset, rng: np.random.Generator, viewer: Viewer, optics: Optics) -> View:
    """A view that keeps every object in the preset's limits, or the best of some."""
    return best_of(
        _VIEW_ATTEMPTS,
        lambda: sample_view(preset.camera, optics, world, rng),
        lambda view: view_score(world, view, preset, viewer),
    )


def labelled_view(world: World, viewer: Viewer, preset: Preset, rng: np.random.Generator, optics: Optics) -> Labelled:
    """A view and its labels, in which as few objects as possible are visible but too small or hidden to be labelled."""
    wanted = any(thing.label for thing in world.scene.things)

    def draw() -> Labelled:
        view = propose_view(world, preset, rng, viewer, optics)
        seen = viewer.geometry(view)
        found = annotate_things(seen.things, world, viewer, view, preset.content.classes, preset.labels)
        return Labelled(view, seen, found)

    def score(drawn: Labelled) -> float:
        instances = drawn.annotation.instances
        if wanted and not any(instance.labelled for instance in instances):
            return -float("inf")
        return -float(sum(not instance.labelled and instance.area >= _STRAY_PX for instance in instances))

    return best_of(_RENDER_ATTEMPTS, draw, score, enough=0.0)

"""What live cameras render with."""

from __future__ import annotations

import functools

from ..rendering import open_renderer
from ..rendering.viewer import Viewer
from ..world import World


class Viewers:
    """What cameras render with: one viewer for all, or one for each where lenses need renderers of their own sizes."""

    def __init__(self, width: int, height: int, count: int) -> None:
        opened = functools.partial(open_renderer, "classic")
        self._viewers = [Viewer(width, height, opened) for _ in range(count)]

    def of(self, camera: int) -> Viewer:
        """The viewer of the camera of that number."""
        return self._viewers[camera % len(self._viewers)]

    def load(self, world: World) -> None:
        """Make ``world`` the one that is seen."""
        for viewer in self._viewers:
            viewer.load(world)

    def close(self) -> None:
        """Free every renderer."""
        for viewer in self._viewers:
            viewer.close()

"""What every renderer does, and the table of renderers by name."""

from __future__ import annotations

import dataclasses
from collections import OrderedDict
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from perception_common.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from ..camera import View
    from ..world import World

Region = tuple[int, int, int, int]
_KEPT_SIZES = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Geometry:
    """What each pixel's centre shows, from one pass.

    ``things`` int16 [H, W]: an index into the scene's things, or `perception_sim.world.NO_THING`. ``depth``
    float32 [H, W]: metres along the optical axis (z of the optical frame, not the length of the ray), 0 where
    there is nothing.
    """

    things: np.ndarray
    depth: np.ndarray


class Renderer(Protocol):
    """Renders worlds, one at a time; use it from the thread that made it, and close it.

    ``buffer`` (width, height) is the largest region that `alone` can look at.
    """

    width: int
    height: int
    buffer: tuple[int, int]

    def load(self, world: World) -> None:
        """Make ``world`` the one that is rendered; what was held for the last one is freed."""

    def resize(self, width: int, height: int) -> None:
        """Make images of that size from now on, of the same world; what the last few sizes need is kept."""

    def rgb(self, view: View) -> np.ndarray:
        """The picture, uint8 RGB [H, W, 3]: the same bytes for the same world and view."""

    def geometry(self, view: View) -> Geometry:
        """Things and depth of every pixel, for the price of one of them."""

    def things(self, view: View) -> np.ndarray:
        """`Geometry.things` alone."""

    def depth(self, view: View) -> np.ndarray:
        """`Geometry.depth` alone."""

    def alone(self, view: View, thing: int, region: Region) -> np.ndarray:
        """The pixels of a thing if nothing hid it, bool [h, w], in a region of the image plane.

        ``region`` is x_min, y_min, x_max, y_max in whole pixels; it may reach beyond the image.

        Raises:
            ValueError: the region is larger than ``buffer``.

        """

    def close(self) -> None:
        """Free everything; the renderer cannot be used any more."""

    def __enter__(self) -> Renderer: ...

    def __exit__(self, *_: object) -> None: ...


class _Closed(Protocol):
    def close(self) -> None: ...


S = TypeVar("S", bound=_Closed)


class Kept(Generic[S]):
    """What images of a size need, made by ``make(width, height)`` and kept for the last few sizes; close it."""

    def __init__(self, make: Callable[[int, int], S]) -> None:
        self._make = make
        self._held: OrderedDict[tuple[int, int], S] = OrderedDict()

    def of(self, width: int, height: int) -> S:
        """What that size needs."""
        size = (width, height)
        if size not in self._held:
            while len(self._held) >= _KEPT_SIZES:
                self._held.popitem(last=False)[1].close()
            self._held[size] = self._make(width, height)
        self._held.move_to_end(size)
        return self._held[size]

    def close(self) -> None:
        """Close all of it."""
        for held in self._held.values():
            held.close()
        self._held.clear()


def _classic(width: int, height: int) -> Renderer:
    from .classic import ClassicRenderer

    return ClassicRenderer(width, height)


def _filament(width: int, height: int) -> Renderer:
    from .filament import FilamentRenderer

    return FilamentRenderer(width, height)


RENDERERS: Mapping[str, Callable[[int, int], Renderer]] = MappingProxyType(
    {"classic": _classic, "filament": _filament},
)


def open_renderer(name: str, width: int, height: int) -> Renderer:
    """The renderer of that name for images of ``width`` x ``height`` pixels.

    Raises:
        UserError: there is none of that name, or this machine cannot run it.

    """
    if name not in RENDERERS:
        raise UserError(f"unknown renderer '{name}'", fix=did_you_mean(name, RENDERERS))
    return RENDERERS[name](width, height)

"""Balls, from table tennis to football: one shape, many looks."""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..randomize import Color
from ..scene import Material
from ..shapes import Shape, Solid
from ..shapes.organic import body
from ..textures import Color as Rgb
from ..textures import balls as texture_balls
from . import looks
from .kinds import Kind

_TEXTURE_PX = 160
_WHITE, _BLACK = (0.93, 0.93, 0.92), (0.05, 0.05, 0.06)
_PATTERNS = tuple(texture_balls.BALLS)


@dataclasses.dataclass(frozen=True)
class Ball:
    """A sphere."""

    radius: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Ball:
        """Draw one of a nominal ``size`` in metres."""
        return cls(size * rng.uniform(0.42, 0.5))

    def build(self) -> Solid:
        """Make its surfaces and colliders."""
        angle = np.linspace(-np.pi / 2, np.pi / 2, 19)
        surface = body(self.radius * np.cos(angle).clip(0.0), self.radius * np.sin(angle), 30)
        return shapes.solid([surface], [shapes.ball(self.radius)])


def dress(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    """What balls look like; which of them are likely depends on their size."""
    radius = shape.radius if isinstance(shape, Ball) else 0.1
    small = radius < 0.045
    names = ("tennis", "plain", "colored", "baseball", "belt") if small else (
        "football", "football", "panels", "basketball", "basketball", "volleyball", "sectors", "colored", "belt",
        "tennis", "plain",
    )  # fmt: skip
    return (_LOOKS[names[int(rng.integers(len(names)))]](rng),)


def _bright(rng: np.random.Generator) -> Rgb:
    return Color((0.55, 1.0), (0.45, 1.0))(rng)


def _football(rng: np.random.Generator) -> Material:
    light = looks.vary(_WHITE, rng, 0.5, 0.05, 0.08) if rng.random() < 0.8 else _bright(rng)
    dark = looks.vary(_BLACK, rng, 0.5, 0.1, 0.05) if rng.random() < 0.75 else _bright(rng)
    return _material(rng, (light, dark), "football", contrast=1.0, gloss=(0.05, 0.5))


def _panels(rng: np.random.Generator) -> Material:
    first = looks.vary(_WHITE, rng, 0.5, 0.05, 0.08) if rng.random() < 0.7 else _bright(rng)
    colors = (first, _bright(rng) if rng.random() < 0.7 else _BLACK, first, (0.25, 0.25, 0.25))
    return _material(rng, colors, "panels", contrast=1.0, scale=rng.uniform(3.0, 12.0), gloss=(0.05, 0.5))


def _basketball(rng: np.random.Generator) -> Material:
    leather = looks.vary((0.80, 0.36, 0.13), rng, 0.03, 0.2, 0.2) if rng.random() < 0.85 else _bright(rng)
    return _material(rng, (leather, looks.vary(_BLACK, rng)), "basketball", contrast=1.0, gloss=(0.0, 0.25))


def _volleyball(rng: np.random.Generator) -> Material:
    colors = (looks.vary(_WHITE, rng, 0.5, 0.08, 0.1), _bright(rng), _bright(rng), (0.3, 0.3, 0.3))
    return _material(rng, colors[: int(rng.integers(2, 5))], "volleyball", contrast=1.0, gloss=(0.0, 0.35))


def _sectors(rng: np.random.Generator) -> Material:
    colors = [looks.vary(_WHITE, rng), *(_bright(rng) for _ in range(int(rng.integers(1, 5))))]
    return _material(rng, colors, "sectors", contrast=1.0, scale=float(rng.integers(2, 5)), gloss=(0.1, 0.7))


def _belt(rng: np.random.Generator) -> Material:
    return _material(rng, (_any(rng), _any(rng)), "belt", contrast=1.0, gloss=(0.05, 0.6))


def _tennis(rng: np.random.Generator) -> Material:
    felt = looks.vary((0.78, 0.88, 0.22), rng, 0.03, 0.2, 0.12) if rng.random() < 0.85 else _bright(rng)
    return _material(rng, (felt, looks.vary((0.9, 0.92, 0.85), rng)), "tennis", contrast=1.0, gloss=(0.0, 0.08))


def _baseball(rng: np.random.Generator) -> Material:
    colors = (looks.vary(_WHITE, rng, 0.1, 0.08, 0.1), looks.vary((0.7, 0.1, 0.1), rng))
    return _material(rng, colors, "tennis", contrast=1.0, gloss=(0.0, 0.2))


def _colored(rng: np.random.Generator) -> Material:
    return _material(rng, (_bright(rng),), "plain", contrast=0.3, gloss=(0.0, 0.8))


def _plain(rng: np.random.Generator) -> Material:
    """Table tennis and golf balls, and everything else that is white or orange."""
    color = looks.one_of(((3, _WHITE), (2, (0.95, 0.5, 0.1)), (1, (0.9, 0.85, 0.2))), rng)
    return _material(rng, (color,), "plain", contrast=0.15, gloss=(0.0, 0.6))


def _any(rng: np.random.Generator) -> Rgb:
    return looks.vary(_WHITE, rng) if rng.random() < 0.35 else _bright(rng)


def _material(rng: np.random.Generator, colors: object, pattern: str, **how: object) -> Material:
    return looks.material(rng, tuple(colors), pattern, size=_TEXTURE_PX, **how)  # type: ignore[arg-type]


_LOOKS = {
    "football": _football,
    "panels": _panels,
    "basketball": _basketball,
    "volleyball": _volleyball,
    "sectors": _sectors,
    "belt": _belt,
    "tennis": _tennis,
    "baseball": _baseball,
    "colored": _colored,
    "plain": _plain,
}

KINDS: dict[str, Kind] = {"ball": Kind(Ball.sample, (0.04, 0.26), dress, density=120.0)}

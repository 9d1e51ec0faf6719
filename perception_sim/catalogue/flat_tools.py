"""Shapes of tools made of plates and bars: wrenches, pliers, scissors."""

from __future__ import annotations

import numpy as np

from ..shapes.flatware import Flatware, Plate, Tube
from ..shapes.flatware import Part as FlatPart
from ..shapes.forms import circle


def _ring_path(
    x: float, y: float, rx: float, ry: float, z: float, count: int = 12
) -> tuple[tuple[float, float, float], ...]:
    angle = np.arange(count) * 2.0 * np.pi / count
    return tuple((float(x + rx * np.cos(a)), float(y + ry * np.sin(a)), z) for a in angle)


def _quad(*points: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    """Corners in counter-clockwise order, whichever way they came."""
    p = np.array(points)
    area = float((p[:, 0] * np.roll(p[:, 1], -1) - np.roll(p[:, 0], -1) * p[:, 1]).sum())
    return points if area > 0 else points[::-1]


def _jaw(x: float, out: float, r: float, thick: float, open_: float) -> list[FlatPart]:
    """An open end about (x, 0) that looks towards ``out`` times x."""
    base = tuple((float(a), float(b)) for a, b in circle(0.95 * r, 12) + np.array([x - out * 0.35 * r, 0.0]))
    parts: list[FlatPart] = [Plate(base, -0.5 * thick, 0.5 * thick, 0.12 * thick)]
    for side in (-1.0, 1.0):
        a, b = side * open_ * r, side * r
        corners = [
            (x - out * 0.5 * r, a),
            (x + out * 0.85 * r, a),
            (x + out * 0.75 * r, 0.8 * b),
            (x + out * 0.1 * r, b),
            (x - out * 0.5 * r, 0.9 * b),
        ]
        parts.append(Plate(_quad(*corners), -0.5 * thick, 0.5 * thick))
    return parts


def wrench(size: float, rng: np.random.Generator) -> Flatware:
    """Open ends, ring ends, or one of each, along x."""
    length = size * rng.uniform(0.9, 1.1)
    r, shaft = length * rng.uniform(0.085, 0.12), length * rng.uniform(0.028, 0.045)
    thick = length * rng.uniform(0.03, 0.05)
    reach = length / 2 - r
    parts: list[FlatPart] = [
        Plate(
            ((-reach, -shaft), (reach, -0.85 * shaft), (reach, 0.85 * shaft), (-reach, shaft)),
            -0.35 * thick,
            0.35 * thick,
            0.1 * thick,
        )
    ]
    ends = [("open", "ring"), ("open", "open"), ("ring", "ring")][int(rng.choice(3, p=(0.55, 0.25, 0.2)))]
    for out, end in zip((-1.0, 1.0), ends, strict=True):
        scale = rng.uniform(0.85, 1.0)
        if end == "open":
            parts += _jaw(out * reach, out, r * scale, thick, rng.uniform(0.42, 0.55))
        else:
            parts.append(
                Tube(
                    _ring_path(out * (reach + 0.55 * r), 0.0, 0.72 * r * scale, 0.72 * r * scale, 0.0),
                    (0.3 * r,) * 12,
                    True,
                    min(1.0, 0.55 * thick / (0.3 * r)),
                )
            )
    return Flatware((tuple(parts),), "wrench")


def _arm(points: list[tuple[float, float, float]], count: int) -> np.ndarray:
    """A smooth curve [count, 3] through four control points (a Bézier curve)."""
    t = np.linspace(0.0, 1.0, count)[:, None]
    a, b, c, d = (np.array(p) for p in points)
    return (1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d


def _tuples(path: np.ndarray) -> tuple[tuple[float, float, float], ...]:
    return tuple((float(x), float(y), float(z)) for x, y, z in path)


def pliers(size: float, rng: np.random.Generator) -> Flatware:
    """Two arms crossed at a pivot, jaws towards +x: surfaces are the steel and the grips."""
    length = size * rng.uniform(0.9, 1.1)
    jaw = length * rng.uniform(0.2, 0.36)
    tail, thick = length - jaw, length * rng.uniform(0.05, 0.07)
    wide, open_ = length * rng.uniform(0.04, 0.06), rng.uniform(0.0, 0.2)
    tip, spread = wide * rng.uniform(0.25, 0.9), length * rng.uniform(0.06, 0.13) + 0.4 * open_ * tail
    pivot = tuple((float(a), float(b)) for a, b in circle(1.1 * wide, 12))
    steel: list[FlatPart] = [Plate(pivot, -0.55 * thick, 0.55 * thick, 0.1 * thick)]
    grips: list[FlatPart] = []
    for side in (-1.0, 1.0):
        gap = side * (0.001 + open_ * 0.5 * jaw)
        steel.append(
            Plate(
                _quad(
                    (0.0, -side * 0.2 * wide),
                    (jaw, gap),
                    (jaw, gap + side * tip),
                    (0.3 * jaw, side * wide),
                    (0.0, side * wide),
                ),
                -0.5 * thick,
                0.5 * thick,
                0.08 * thick,
            )
        )
        curve = _arm(
            [
                (0.0, side * 0.3 * wide, 0.0),
                (-0.25 * tail, side * 1.3 * spread, 0.0),
                (-0.6 * tail, side * 1.4 * spread, 0.0),
                (-tail, side * 0.85 * spread, 0.0),
            ],
            9,
        )
        steel.append(Tube(_tuples(curve[:4]), (0.42 * thick,) * 4))
        grips.append(
            Tube(_tuples(curve[2:]), tuple((0.55 * thick * np.array([0.9, 1.0, 1.05, 1.0, 1.0, 0.9, 0.85])).tolist()))
        )
    return Flatware((tuple(steel), tuple(grips)), "pliers")


def scissors(size: float, rng: np.random.Generator) -> Flatware:
    """Two blades along x, closed or open, with rings to hold: surfaces are the blades and the rings."""
    length = size * rng.uniform(0.9, 1.1)
    blade, wide = length * rng.uniform(0.48, 0.6), length * rng.uniform(0.04, 0.06)
    thick, angle = length * 0.012, rng.choice((0.0, rng.uniform(0.05, 0.5)))
    hold = length - blade
    steel: list[FlatPart] = []
    rings: list[FlatPart] = []
    for side in (-1.0, 1.0):
        turn = side * (0.5 * angle + 0.03)
        c, s = np.cos(turn), np.sin(turn)

        def place(x: float, y: float, c: float = c, s: float = s) -> tuple[float, float]:
            return float(c * x - s * y), float(s * x + c * y)

        z = 0.5 * side * thick
        corners = (
            place(-0.1 * blade, -0.5 * wide),
            place(0.85 * blade, -0.35 * wide),
            place(blade, 0.0),
            place(0.9 * blade, 0.2 * wide),
            place(-0.1 * blade, 0.5 * wide),
        )
        steel.append(Plate(_quad(*corners), z - 0.5 * thick, z + 0.5 * thick))
        rx, ry = hold * rng.uniform(0.3, 0.42), hold * rng.uniform(0.2, 0.27)
        x, y = place(-(hold - rx), -side * 0.0)
        y -= side * (ry + 0.25 * wide)
        tube = length * rng.uniform(0.018, 0.026)
        rings.append(Tube(_ring_path(x, y, rx, ry, 0.0), (tube,) * 12, True, 0.75))
        rings.append(
            Tube(
                ((*place(0.02 * blade, 0.0), 0.0), (x + 0.75 * rx, y + side * 0.55 * ry, 0.0)),
                (0.9 * tube, 0.9 * tube),
                False,
                0.75,
            )
        )
    pin = tuple((float(a), float(b)) for a, b in circle(0.3 * wide, 8))
    steel.append(Plate(pin, -1.4 * thick, 1.4 * thick))
    return Flatware((tuple(steel), tuple(rings)), "scissors")

"""Ground as it is: lawns, roads, pavements, courts and floors, with what is painted, worn and strewn on them.

`TERRAIN` joins `textures.PATTERNS`. Each has detail from a pixel to half the tile, so that there is something to see
near and far: mip-maps average away whatever is smaller than a pixel. Patterns return the way through all their colours
in 255ths; `terrain_palettes` has usual ones, in the order that each pattern's text gives.
"""

from __future__ import annotations

import cv2
import numpy as np

from .base import Pattern, Texture
from .fields import way_through, window


def _axes(size: int) -> np.ndarray:
    return (np.arange(size, dtype=np.float32) + 0.5) / size


def _mixed(size: int, rng: np.random.Generator, **shares: float) -> np.ndarray:
    """A sum of fields about zero, each times its share."""
    total = np.zeros((size, size), np.float32)
    for kind, share in shares.items():
        total += share * (window(kind, size, rng) - 0.5)
    return total


def _upright(field: np.ndarray, texture: Texture) -> np.ndarray:
    """The field as it is, or transposed for a texture that is turned."""
    return field.T if abs(np.sin(texture.angle)) > 0.7 else field


def markings(size: int, rng: np.random.Generator, least: float = 0.012, most: float = 0.05) -> np.ndarray:
    """Lines, float32 [size, size] in 0..1: lanes, bays, zebras, hatches, circles; widths are shares of the tile."""
    canvas, width = np.zeros((size, size), np.uint8), max(1, round(rng.uniform(least, most) * size))
    at = int(rng.integers(width, size - width))
    kind = int(rng.integers(7))
    if kind in (0, 1, 2):
        cv2.line(canvas, (at, 0), (at, size), 255, width)
    if kind == 1:
        beside = (at + 2 * width) % size
        cv2.line(canvas, (beside, 0), (beside, size), 255, width)
    if kind == 2:
        cv2.line(canvas, (0, int(rng.integers(width, size - width))), (size, at), 255, width)
    if kind == 3:
        for start in range(0, size, size // 2):
            cv2.line(canvas, (at, start), (at, start + round(0.28 * size)), 255, width)
    if kind == 4:
        share = rng.uniform(0.3, 0.6)
        bars = np.mod(_axes(size) * rng.integers(2, 6), 1.0) < share
        band = slice(0, round(rng.uniform(0.3, 0.7) * size))
        canvas[band] = 255 * bars[None].astype(np.uint8)
    if kind == 5:
        for start in range(-size, size, size // int(rng.integers(2, 5))):
            cv2.line(canvas, (start, 0), (start + size, size), 255, width)
    if kind == 6:
        radius = round(rng.uniform(0.2, 0.45) * size)
        cv2.circle(canvas, (size // 2, size // 2), radius, 255, width, cv2.LINE_AA)
        cv2.line(canvas, (size // 2, 0), (size // 2, size), 255, width)
    return canvas.astype(np.float32) * np.float32(1.0 / 255.0)


def _worn(marks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint that has come off in places."""
    off = rng.uniform(0.0, 0.55)
    return marks * np.clip(6.0 * (window("fractal", marks.shape[0], rng) - off) + 0.6, 0.0, 1.0)


def _over(weight: np.ndarray, marks: np.ndarray, value: float) -> np.ndarray:
    return weight + marks * (value - weight)


def _turf(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Lawn: shadow, green, dry blades, chalk. Blades, patches; mown stripes, flowers and lines on some."""
    size = texture.size
    blades = rng.uniform(0.9, 2.2)
    weight = 0.85 + _mixed(size, rng, blades=blades, fractal=rng.uniform(0.6, 1.3), patches=rng.uniform(0.2, 1.2))
    if rng.random() < 0.3:
        weight += np.where(np.mod(_axes(size) * rng.integers(1, 4), 1.0) < 0.5, 0.22, -0.22).astype(np.float32)
    weight = np.clip(weight, 0.0, 1.9)
    if rng.random() < 0.25:
        at = rng.integers(0, size - 2, (2, int(rng.integers(20, 300) * size / 512)))
        weight[at[0], at[1]] = weight[at[0] + 1, at[1]] = weight[at[0], at[1] + 1] = rng.uniform(2.0, 3.0)
    if rng.random() < 0.3:
        weight = _over(weight, _worn(markings(size, rng), rng), 2.8)
    return way_through(_upright(weight, texture), 4)


def _meadow(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Grass that is worn to the soil: dark soil, light soil, dark grass, light grass."""
    size = texture.size
    soil = 0.5 + _mixed(size, rng, fractal=1.2, grain=0.6, stones12=0.4)
    grass = 2.5 + _mixed(size, rng, blades=1.7, fractal=0.8)
    where = _mixed(size, rng, patches=2.2, fractal=1.3, blades=0.6)
    grown = np.clip(5.0 * (where + rng.uniform(-0.35, 0.5)) + 0.5, 0.0, 1.0)
    return way_through(np.clip(soil, 0.0, 1.0) * (1.0 - grown) + np.clip(grass, 2.0, 3.0) * grown, 4)


def _wander(canvas: np.ndarray, rng: np.random.Generator, value: float, width: int) -> None:
    """A crack or a seam of tar across the tile."""
    size = canvas.shape[0]
    steps = rng.normal(0.0, 0.35, 40).cumsum() + rng.uniform(0.0, 2.0 * np.pi)
    path = np.stack([np.cos(steps), np.sin(steps)], 1).cumsum(0) * size / 28 + rng.random(2) * size
    for shift in ((0, 0), (size, 0), (-size, 0), (0, size), (0, -size)):
        cv2.polylines(canvas, [np.round(path + shift).astype(np.int32).reshape(-1, 1, 2)], False, value, width)


def _road(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Asphalt: dark, light, paint. Stones, worn patches, repairs, cracks, and lines on most."""
    size = texture.size
    weight = 0.5 + _mixed(
        size, rng, grain=rng.uniform(0.5, 1.2), fractal=rng.uniform(0.5, 1.1), patches=rng.uniform(0.2, 0.8)
    )
    if rng.random() < 0.3:
        weight += rng.uniform(0.2, 0.7) * (window("stones4", size, rng) - 0.5)
    if rng.random() < 0.3:
        (x0, x1), (y0, y1) = np.sort(rng.integers(0, size, (2, 2)), axis=1)
        weight[y0:y1, x0:x1] += rng.uniform(-0.4, 0.2)
        cv2.rectangle(weight, (int(x0), int(y0)), (int(x1), int(y1)), 0.0, max(1, size // 170))
    for _ in range(int(rng.integers(0, 4))):
        _wander(weight, rng, 0.0, int(rng.integers(1, 4)) if rng.random() < 0.4 else 1)
    weight = np.clip(weight, 0.0, 1.0)
    if rng.random() < 0.6:
        weight = _over(weight, _worn(markings(size, rng), rng), 2.0)
    return way_through(_upright(weight, texture), 3)


def _bonds(texture: Texture, rng: np.random.Generator, rows: int, ratio: float, shift: float, joint: float,
           ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Stones laid in rows: a value 0..1 for each pixel's stone, and 1 in joints of ``joint`` of a row, float32."""
    size = texture.size
    columns = max(1, round(rows / ratio))
    y, x = _axes(size) * rows, np.stack([_axes(size) * columns, np.mod(_axes(size) * columns + shift, columns)])
    # Rows are drawn once each, and then repeated: gathering every pixel for itself took three times as long.
    shades = rng.random((rows, columns), np.float32)
    odd = np.arange(rows) % 2
    value = np.stack([shades[row, x[odd[row]].astype(int)] for row in range(rows)])[y.astype(int)]
    soft = max(rows / size, 0.01)
    in_row, in_column = np.mod(y, 1.0), np.mod(x, 1.0)
    bed = np.clip((joint / 2 - np.minimum(in_row, 1.0 - in_row)) / soft + 0.5, 0.0, 1.0)
    butt = np.minimum(in_column, 1.0 - in_column) * np.float32(rows / columns)
    butt = np.clip((joint / 2 - butt) / soft + 0.5, 0.0, 1.0)[odd][y.astype(int)]
    return value, np.maximum(butt, bed[:, None]).astype(np.float32)


def _slabs(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Cast concrete: joint, dark, light. Large slabs, stains, pores and cracks."""
    size = texture.size
    rows = int(rng.integers(1, 4))
    value, joint = _bonds(texture, rng, rows, rng.uniform(0.6, 1.8), 0.0, rng.uniform(0.008, 0.03) * rows)
    weight = (
        1.5
        + 0.3 * (value - 0.5)
        + _mixed(size, rng, fractal=rng.uniform(0.5, 1.2), patches=rng.uniform(0.4, 1.2), grain=rng.uniform(0.2, 0.7))
    )
    weight = np.clip(weight, 0.8, 2.0)
    for _ in range(int(rng.integers(0, 3))):
        _wander(weight, rng, 0.3, 1)
    return way_through(_upright(_over(weight, joint, rng.uniform(0.0, 0.5)), texture), 3)


def _pavers(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Paving stones: joint, dark, light. Every stone of its own shade, stains over all."""
    size = texture.size
    rows = 2 * int(rng.integers(2, 8))
    value, joint = _bonds(texture, rng, rows, rng.uniform(0.9, 2.2), rng.choice((0.0, 0.5)), rng.uniform(0.05, 0.14))
    weight = 1.5 + rng.uniform(0.3, 0.9) * (value - 0.5)
    weight += _mixed(size, rng, fractal=rng.uniform(0.5, 1.0), patches=rng.uniform(0.1, 0.6), grain=0.5)
    return way_through(_upright(_over(np.clip(weight, 0.7, 2.0), joint, rng.uniform(0.0, 0.6)), texture), 3)


def _cobbles(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Natural stones set beside each other, or cracked earth: gap, dark, light."""
    size = texture.size
    stones = window(str(rng.choice(("stones12", "stones40"))), size, rng)
    weight = 2.4 * stones + _mixed(size, rng, fractal=0.8, grain=0.5, patches=0.4)
    return way_through(weight, 3)


def _pebbles(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Gravel: dark, middle, light. Stones of two sizes, bare patches."""
    size = texture.size
    coarse = window("stones12", size, rng)
    weight = 1.7 * np.where(coarse > rng.uniform(0.5, 0.9), coarse, window("stones4", size, rng))
    return way_through(weight + _mixed(size, rng, fractal=0.9, patches=rng.uniform(0.2, 0.9), grain=0.4), 3)


def _litter(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Forest floor, yard, field: dark soil, light soil, two colours of leaves, which lie singly or cover it."""
    size = texture.size
    weight = 0.5 + _mixed(size, rng, fractal=1.4, grain=0.7, patches=0.6, stones12=rng.uniform(0.0, 0.8))
    weight = np.clip(weight, 0.0, 1.0)
    if rng.random() < 0.7:
        count = int(np.exp(rng.uniform(np.log(20), np.log(500))))
        length = rng.uniform(0.008, 0.025) * size + 1.0
        at, turn = rng.integers(0, size, (count, 2)), rng.uniform(0.0, 360.0, count)
        axes = np.round(rng.uniform((0.6, 0.25), (1.2, 0.6), (count, 2)) * length).astype(int)
        for (x, y), angle, (a, b), value in zip(
            at.tolist(), turn.tolist(), axes.tolist(), rng.uniform(1.6, 3.0, count).tolist(), strict=True
        ):
            cv2.ellipse(weight, (x, y), (a, b), angle, 0, 360, value, -1)
    return way_through(weight, 4)


def _sand(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Sand, or snow: shadow, middle, light. Drawn as lit from one side: hollows, ripples, trodden places."""
    size = texture.size
    relief = _mixed(size, rng, fractal=rng.uniform(0.4, 1.5), patches=rng.uniform(0.5, 3.0))
    if rng.random() < 0.3:
        ripples = _axes(size)[None] * rng.integers(6, 30) + rng.uniform(0.5, 1.5) * window("patches", size, rng)
        relief += rng.uniform(0.02, 0.06) * np.sin(2.0 * np.pi * ripples)
    slope = relief - np.roll(relief, (2, 3), (0, 1))
    weight = 1.0 + rng.uniform(0.2, 0.45) * slope / (float(slope.std()) + 1e-6)
    return way_through(weight + _mixed(size, rng, grain=rng.uniform(0.3, 1.0), patches=0.5, fractal=0.4), 3)


def _boards(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Floor boards, laminate, parquet: joint, dark, light. Grain along them, every board of its own shade."""
    size = texture.size
    rows = 2 * int(rng.integers(2, 9))
    value, joint = _bonds(texture, rng, rows, rng.uniform(3.0, 9.0), rng.uniform(0.2, 0.6), rng.uniform(0.02, 0.08))
    weight = 1.5 + rng.uniform(0.2, 0.8) * (value - 0.5) + _mixed(size, rng, strands=rng.uniform(0.6, 1.5), patches=0.2)
    return way_through(_upright(_over(np.clip(weight, 0.8, 2.0), joint, rng.uniform(0.0, 0.8)), texture), 3)


def _court(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Sports floors: dark, light, a painted field, lines. Boards or seamless, with lines of one or two colours."""
    size = texture.size
    if rng.random() < 0.5:
        value, joint = _bonds(texture, rng, 2 * int(rng.integers(6, 14)), rng.uniform(5.0, 12.0), 0.4, 0.05)
        weight = 0.5 + 0.35 * (value - 0.5) + _mixed(size, rng, strands=0.8, patches=0.3)
        weight = _over(weight, joint, 0.0)
    else:
        weight = 0.5 + _mixed(size, rng, grain=rng.uniform(0.2, 1.0), fractal=rng.uniform(0.2, 0.9), patches=0.6)
    weight = np.clip(weight, 0.0, 1.0)
    if rng.random() < 0.5:
        (x0, x1), (y0, y1) = np.sort(rng.integers(0, size, (2, 2)), axis=1)
        weight[y0:y1, x0:x1] = 2.0 + 0.25 * (weight[y0:y1, x0:x1] - 0.5)
    if rng.random() < 0.4:
        weight = _over(weight, markings(size, rng, 0.008, 0.03), 2.0)
    return way_through(_upright(_over(weight, markings(size, rng, 0.008, 0.035), 3.0), texture), 4)


def _rug(u: np.ndarray, v: np.ndarray, texture: Texture, rng: np.random.Generator) -> np.ndarray:
    """Carpet: dark, light, and two more that some have in fields or stripes. Loops, tracks, stains; tiles on some."""
    size = texture.size
    loops = str(rng.choice(("grain", "stones4", "blades")))
    weight = 0.5 + _mixed(size, rng, **{loops: rng.uniform(0.7, 1.4)}, fractal=rng.uniform(0.3, 0.9), patches=0.4)
    kind = rng.random()
    if kind < 0.35:
        value, _ = _bonds(texture, rng, int(rng.integers(2, 5)), 1.0, 0.0, 0.0)
        weight += rng.uniform(0.1, 0.5) * (value - 0.5)
    elif kind < 0.5:
        value, joint = _bonds(texture, rng, int(rng.integers(2, 7)), rng.uniform(0.8, 1.5), 0.5, 0.15)
        weight = np.clip(weight, 0.0, 1.0) + np.round(2.0 * value) * (1.0 - joint)
    return way_through(weight, 4)


TERRAIN: dict[str, Pattern] = {
    "boards": _boards,
    "cobbles": _cobbles,
    "court": _court,
    "litter": _litter,
    "meadow": _meadow,
    "pavers": _pavers,
    "pebbles": _pebbles,
    "road": _road,
    "rug": _rug,
    "sand": _sand,
    "slabs": _slabs,
    "turf": _turf,
}

LYING = frozenset(TERRAIN) - {"boards", "pavers", "slabs"}
"""Patterns that no wall has."""

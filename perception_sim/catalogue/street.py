"""Signs on poles and boards that stand by themselves. They face +x."""

from __future__ import annotations

import numpy as np

from ..scene import Material
from ..shapes import Shape, forms
from ..shapes.assembly import Assembly, Block, Disc, Part, Plate, Rod
from ..textures import Color
from . import looks
from .kinds import Kind

_Outline = tuple[tuple[float, float], ...]


def _outline(points: np.ndarray) -> _Outline:
    return tuple((float(x), float(y)) for x, y in points)


def _face(style: str, reach: float, rng: np.random.Generator) -> np.ndarray:
    """The outline [P, 2] of a sign's face about its middle, ``reach`` metres from middle to side."""
    if style == "round":
        return forms.circle(reach, 24)
    if style == "triangle":
        # A flat side of the polygon looks towards +x; turned, it is the base.
        points = forms.rounded_polygon(3, 0.5, 0.06, 3) @ np.array([[0.0, -1.0], [1.0, 0.0]])
        return points * 1.25 * reach / points.max()
    if style == "octagon":
        return forms.rounded_polygon(8, reach, 0.03 * reach, 2)
    if style == "diamond":
        return forms.circle(1.1 * reach, 4)
    tall = rng.uniform(0.6, 1.5) if style == "panel" else 1.0
    return forms.rounded_rectangle(reach / np.sqrt(tall), reach * np.sqrt(tall), 0.08 * reach, 2)


def _sign(size: float, rng: np.random.Generator) -> Assembly:
    """A face on a pole on a foot, ``size`` metres tall."""
    h = size * rng.uniform(0.92, 1.06)
    style = str(
        rng.choice(("round", "triangle", "octagon", "diamond", "square", "panel"), p=(0.3, 0.2, 0.12, 0.1, 0.13, 0.15))
    )
    reach = h * (rng.uniform(0.1, 0.16) if h > 1.1 else rng.uniform(0.14, 0.24))
    outline = _face(style, reach, rng)
    thick, tube = 0.006 * h, h * rng.uniform(0.01, 0.016)
    middle = h - float(outline[:, 1].max())
    front = Plate(_outline(outline), thick, (tube + 1.5 * thick, 0.0, middle))
    back = Plate(_outline(outline * 0.995), thick, (tube + 0.5 * thick, 0.0, middle))
    frame: list[Part] = [back, Rod((0, 0, 0.01 * h), (0, 0, middle + 0.6 * float(outline[:, 1].max())), tube)]
    fate, wide = rng.random(), h * rng.uniform(0.13, 0.22)
    if fate < 0.4:
        foot: list[Part] = [Disc(((0, 0), (wide, 0), (wide, 0.02 * h), (0.5 * wide, 0.05 * h), (tube, 0.06 * h)))]
    elif fate < 0.75:
        foot = [Block((0, 0, 0.035 * h), (0.8 * wide, 1.2 * wide, 0.035 * h), (0.0, 0.0, 0.0), 0.012 * h)]
    else:
        foot = [
            Block((0, 0, 0.012 * h), (1.2 * wide, tube, 0.012 * h)),
            Block((0, 0, 0.012 * h), (tube, 1.2 * wide, 0.0115 * h)),
        ]
    if rng.random() < 0.2 and h > 1.1:
        low = middle - float(outline[:, 1].max()) - 0.09 * h
        plate = forms.rounded_rectangle(0.8 * reach, 0.05 * h, 0.01 * h, 2)
        extra = Plate(_outline(plate), 2 * thick, (tube + thick, 0.0, low))
        return Assembly(((front,), tuple(frame), tuple(foot), (extra,)), style)
    return Assembly(((front,), tuple(frame), tuple(foot)), style)


def _dress_sign(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Assembly)
    field, border, symbol = _SCHEMES[int(rng.choice(len(_SCHEMES), p=_SCHEME_CHANCES))]
    patterns = {"round": "sign_round", "triangle": "sign_triangle", "octagon": "sign_emblem", "diamond": "sign_emblem"}
    pattern = patterns.get(shape.style, "sign_panel")
    if shape.style == "octagon":
        field, border, symbol = _RED, _WHITE, _WHITE
    if shape.style == "triangle" and field != _YELLOW:
        field, border, symbol = _WHITE, _RED, _BLACK
    colors = (
        looks.vary(field, rng, 0.01, 0.08, 0.08),
        looks.vary(border, rng, 0.01, 0.08, 0.08),
        looks.vary(symbol, rng),
    )
    face = looks.material(rng, colors, pattern, contrast=1.0, gloss=(0.1, 0.6), size=128)
    steel = looks.vary((0.6, 0.61, 0.62), rng, 0.0, 0.03, 0.15)
    frame = looks.material(
        rng, (steel, looks.mix(steel, (0.3, 0.2, 0.15), 0.5)), "noise", contrast=0.4, gloss=(0.2, 0.7), metallic=0.5
    )
    foot = looks.one_of(((0.5, _BLACK), (0.3, (0.55, 0.54, 0.52)), (0.2, steel)), rng)
    base = looks.material(rng, (foot, looks.mix(foot, (0.5, 0.47, 0.42), 0.5)), "noise", gloss=(0.0, 0.2))
    extra = looks.material(rng, (_WHITE, _BLACK, _BLACK), "sign_panel", contrast=1.0)
    return (face, frame, base, extra)[: len(shape.surfaces)]


def _a_board(size: float, rng: np.random.Generator) -> Assembly:
    """Two panels that lean on each other, ``size`` metres tall."""
    h = size * rng.uniform(0.92, 1.08)
    style = str(rng.choice(("caution", "chalk", "poster"), p=(0.5, 0.2, 0.3)))
    lean = rng.uniform(0.14, 0.3)
    half = h / 2 / np.cos(lean)
    wide = half * (rng.uniform(0.4, 0.56) if style == "caution" else rng.uniform(0.5, 0.75))
    thick = h * rng.uniform(0.012, 0.03)
    top = rng.uniform(0.45, 1.0) if style == "caution" else 1.0
    corners = np.array([[1.0, -1.0], [top, 1.0], [-top, 1.0], [-1.0, -1.0]]) * [wide, half]
    foot = rng.uniform(0.0, 0.12) * half
    outline = _outline(corners)
    panels: list[Part] = []
    backs: list[Part] = []
    for side in (1, -1):
        at = side * half * np.sin(lean)
        shift = np.array([np.cos(lean), 0.0, np.sin(lean)]) * [side, 0, 1] * 0.5 * thick
        x, y, z = (np.array([at, 0.0, h / 2]) + 0.5 * shift).tolist()
        panels.append(Plate(outline, 0.5 * thick, (x, y, z), -side * lean))
        x, y, z = (np.array([at, 0.0, h / 2]) - 0.5 * shift).tolist()
        backs.append(Plate(_outline(corners * 0.998), 0.5 * thick, (x, y, z), -side * lean))
    hinge = 0.8 * top * wide
    frame: list[Part] = [*backs, Rod((0.0, -hinge, h - 0.4 * thick), (0.0, hinge, h - 0.4 * thick), 0.8 * thick)]
    if style != "caution":
        for side in (1, -1):
            for sy in (-1, 1):
                at = side * (half * np.sin(lean) + 0.2 * thick)
                rail = (0.9 * thick, 0.06 * wide, half + 0.5 * foot)
                frame.append(Block((at, sy * wide, h / 2), rail, (0.0, -side * lean, 0.0)))
    return Assembly((tuple(panels), tuple(frame)), style)


def _dress_board(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    assert isinstance(shape, Assembly)
    if shape.style == "caution":
        color = looks.one_of(((0.85, (0.98, 0.82, 0.08)), (0.1, (1.0, 0.4, 0.06)), (0.05, _WHITE)), rng)
        red = looks.vary(_RED, rng)
        ink = looks.vary(_BLACK if rng.random() < 0.85 else (0.5, 0.08, 0.06), rng)
        face = looks.material(rng, (color, red, ink), "sign_warning", contrast=1.0, gloss=(0.1, 0.5), size=128)
        return face, looks.material(rng, (looks.mix(color, _BLACK, 0.1),), gloss=(0.1, 0.5))
    if shape.style == "chalk":
        board = looks.vary((0.1, 0.11, 0.11), rng)
        chalk = looks.vary((0.85, 0.85, 0.8), rng)
        face = looks.material(rng, (board, looks.mix(board, chalk, 0.5), chalk), "sign_panel", contrast=0.9, size=128)
        wood = looks.vary((0.5, 0.33, 0.18), rng)
        return face, looks.material(rng, (wood, looks.mix(wood, _BLACK, 0.5)), "wood", gloss=(0.0, 0.3))
    field, border, symbol = _SCHEMES[int(rng.choice(len(_SCHEMES), p=_SCHEME_CHANCES))]
    face = looks.material(
        rng, (looks.vary(field, rng), border, symbol), "sign_panel", contrast=1.0, gloss=(0.1, 0.5), size=128
    )
    frame = looks.one_of(((0.4, (0.7, 0.71, 0.72)), (0.4, _BLACK), (0.2, _WHITE)), rng)
    return face, looks.material(rng, (frame,), gloss=(0.2, 0.7), metallic=0.4)


_WHITE: Color = (0.93, 0.93, 0.92)
_BLACK: Color = (0.06, 0.06, 0.06)
_RED: Color = (0.78, 0.08, 0.08)
_BLUE: Color = (0.06, 0.25, 0.62)
_YELLOW: Color = (0.98, 0.8, 0.08)
_SCHEMES: tuple[tuple[Color, Color, Color], ...] = (
    (_WHITE, _RED, _BLACK),
    (_RED, _RED, _WHITE),
    (_BLUE, _BLUE, _WHITE),
    (_YELLOW, _BLACK, _BLACK),
    (_YELLOW, _RED, _BLACK),
    ((0.1, 0.45, 0.25), _WHITE, _WHITE),
    ((1.0, 0.42, 0.06), _BLACK, _BLACK),
    (_WHITE, _BLACK, _BLACK),
)
_SCHEME_CHANCES = np.array([0.22, 0.12, 0.22, 0.14, 0.06, 0.08, 0.08, 0.08])

KINDS: dict[str, Kind] = {
    "a_board": Kind(_a_board, (0.5, 1.1), _dress_board, upright=0.92, density=150.0, resembles=("traffic_cone",)),
    "sign": Kind(_sign, (0.7, 2.0), _dress_sign, upright=0.95, density=300.0, resembles=("ball",)),
}

"""Look-alikes of dates, figs and hazelnuts: other nuts, pebbles, berries, beans."""

from __future__ import annotations

import numpy as np

from ...scene import Material
from ...shapes import Shape
from ...shapes.grown import Grown, Relief, Stalk, oval
from .. import looks
from ..grown_looks import darker, new_seed, plain_skin
from ..kinds import Kind
from ..looks import Palette

_NUTS = ("date", "fig", "hazelnut")


_BROWNS: Palette = ((3, (0.42, 0.25, 0.14)), (2, (0.55, 0.36, 0.2)), (1, (0.3, 0.17, 0.1)), (1, (0.66, 0.48, 0.3)))


def _walnut(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.85, 1.05)
    profile = oval(h * rng.uniform(0.38, 0.46), 0.0, h, 20, rng.uniform(-0.1, 0.1), 0.85)
    depth = rng.uniform(0.02, 0.05)
    reliefs = Relief(0.04, 3, 4), Relief(depth, 4, 9, True), Relief(depth, 6, 13, True)
    return Grown(profile, reliefs, new_seed(rng), furrow=-rng.uniform(0.05, 0.1), segments=30)


def _dress_walnut(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    shell = looks.one_of(((3, (0.62, 0.46, 0.3)), (1, (0.5, 0.36, 0.22)), (1, (0.72, 0.58, 0.42))), rng)
    colors = darker(shell, 0.5), shell, looks.mix(shell, (0.9, 0.8, 0.65), 0.5)
    return (
        looks.material(rng, colors, "wrinkled", contrast=1.0, scale=rng.uniform(6.0, 9.0), gloss=(0.0, 0.25), size=96),
    )


def _almond(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.9, 1.05)
    profile = oval(h * rng.uniform(0.28, 0.34), 0.0, h, 18, rng.uniform(0.15, 0.35), rng.uniform(0.85, 1.0))
    return Grown(
        profile, (Relief(0.03, 3, 4), Relief(0.02, 2, 10, True)), new_seed(rng), stretch=(1.0, rng.uniform(0.5, 0.7))
    )


def _dress_almond(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(((3, (0.56, 0.33, 0.17)), (1, (0.66, 0.45, 0.26)), (1, (0.9, 0.82, 0.66))), rng)
    colors = darker(skin, 0.6), skin, looks.mix(skin, (0.85, 0.7, 0.5), 0.5)
    return (
        looks.material(rng, colors, "veined", contrast=1.0, scale=rng.uniform(18.0, 34.0), gloss=(0.0, 0.3), size=96),
    )


def _peanut(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.9, 1.05)
    outline = np.array(oval(h * rng.uniform(0.18, 0.23), 0.0, h, 22, rng.uniform(-0.1, 0.1), 0.6))
    waist = rng.uniform(0.12, 0.35) * np.exp(-np.square((outline[:, 1] / h - rng.uniform(0.42, 0.58)) / 0.13))
    outline[:, 0] *= 1.0 - waist
    profile = tuple((float(r), float(z)) for r, z in outline)
    return Grown(profile, (Relief(0.04, 3, 4),), new_seed(rng), ribs=(10, 0.05), bend=rng.uniform(0.0, 0.6) / h)


def _dress_peanut(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    shell = looks.vary((0.74, 0.57, 0.35), rng)
    colors = darker(shell, 0.6), shell, looks.mix(shell, (0.95, 0.85, 0.65), 0.5)
    return (
        looks.material(rng, colors, "ribbed", contrast=1.0, scale=rng.uniform(9.0, 12.0), gloss=(0.0, 0.1), size=96),
    )


def _pebble(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.75, 1.05)
    profile = oval(h * rng.uniform(0.3, 0.48), 0.0, h, 14, rng.uniform(-0.25, 0.25), rng.uniform(0.65, 1.0))
    return Grown(
        profile,
        (Relief(rng.uniform(0.05, 0.15), 2, 4),),
        new_seed(rng),
        stretch=(1.0, rng.uniform(0.5, 1.0)),
        segments=20,
    )


def _dress_pebble(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    stone = looks.one_of(
        (
            (3, (0.5, 0.48, 0.45)),
            (2, (0.3, 0.29, 0.28)),
            (2, (0.62, 0.52, 0.42)),
            (1, (0.42, 0.24, 0.2)),
            (1, (0.85, 0.84, 0.8)),
        ),
        rng,
    )
    other = looks.one_of(((1, (0.85, 0.83, 0.78)), (1, (0.2, 0.19, 0.18)), (1, darker(stone, 0.7))), rng)
    pattern = str(rng.choice(("noise", "speckle", "marble", "wood")))
    return (
        looks.material(
            rng, (stone, other), pattern, contrast=rng.uniform(0.2, 0.8), scale=rng.uniform(2.0, 6.0), gloss=(0.0, 0.6)
        ),
    )


def _acorn_cup(size: float, rng: np.random.Generator) -> Grown:
    """The cup alone: a thick-walled bowl with scales and a stub of its stalk."""
    r = size * rng.uniform(0.42, 0.5)
    h = r * rng.uniform(0.75, 1.15)
    out = [(r * np.sin(a) ** 0.9, h * (1.0 - np.cos(a))) for a in np.linspace(0.0, 0.5 * np.pi, 8)]
    inner = [(0.78 * r * np.sin(a), h * (1.0 - 0.82 * np.cos(a))) for a in np.linspace(0.46 * np.pi, 0.0, 6)]
    profile = tuple((float(max(x, 0.0)), float(z)) for x, z in (*out, *inner))
    reach = r * rng.uniform(0.2, 1.2)
    lean = rng.uniform(-0.4, 0.4) * reach
    stalk = Stalk(
        ((0.0, 0.0, 0.08 * r), (0.4 * lean, 0.0, -0.5 * reach), (lean, 0.0, -reach)), (0.16 * r, 0.1 * r, 0.12 * r)
    )
    return Grown(profile, (Relief(0.05, 4, 9),), new_seed(rng), stalks=(stalk,), lying=False)


def _dress_acorn_cup(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    bark = looks.one_of(_BROWNS, rng)
    scales = looks.material(
        rng,
        (bark, looks.mix(bark, (0.75, 0.7, 0.58), 0.6)),
        "dots",
        contrast=0.45,
        scale=17.0,
        gloss=(0.0, 0.1),
        size=96,
    )
    return scales, plain_skin(darker(bark, 0.8), rng)


def _chestnut(size: float, rng: np.random.Generator) -> Grown:
    """A flattened drop: pointed above, a broad pale scar below."""
    r = size * rng.uniform(0.42, 0.5)
    h = r * rng.uniform(1.3, 1.7)
    outline = np.array(oval(r, 0.0, h, 18, rng.uniform(0.1, 0.25), 0.72))
    low = 0.14 * h
    outline[:, 1] = np.maximum(outline[:, 1], low + 0.3 * (outline[:, 1] - low))
    outline[-1, 1] += 0.08 * h
    cut = r * rng.uniform(0.55, 0.72)
    bottom = float(outline[0, 1])
    scar = ((0.0, bottom - 0.03 * h), (0.8 * cut, bottom - 0.02 * h), (cut, bottom + 0.03 * h))
    profile = tuple((float(a), float(b)) for a, b in outline)
    return Grown(
        profile,
        (Relief(0.04, 3, 4),),
        new_seed(rng),
        flat=rng.uniform(0.0, 0.35),
        stretch=(1.0, rng.uniform(0.8, 1.0)),
        parts=(scar,),
    )


def _dress_chestnut(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    shell = looks.one_of(((3, (0.33, 0.14, 0.07)), (2, (0.25, 0.11, 0.07)), (1, (0.43, 0.2, 0.1))), rng)
    colors = darker(shell, 0.5), shell, looks.mix(shell, (0.7, 0.45, 0.3), 0.4)
    body = looks.material(rng, colors, "veined", contrast=1.0, scale=26.0, gloss=(0.5, 1.0), size=96)
    return body, plain_skin(looks.vary((0.72, 0.6, 0.46), rng), rng)


def _olive(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.9, 1.05)
    profile = oval(h * rng.uniform(0.33, 0.42), 0.0, h, 16, rng.uniform(-0.1, 0.1), 0.92)
    dot = 0.06 * h
    return Grown(
        profile,
        (Relief(0.02, 3, 4),),
        new_seed(rng),
        parts=(((dot, 0.985 * h), (0.6 * dot, 1.01 * h), (0.0, 1.01 * h)),),
    )


def _dress_olive(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(
        ((2, (0.45, 0.47, 0.16)), (2, (0.12, 0.09, 0.11)), (1, (0.35, 0.2, 0.2)), (1, (0.3, 0.12, 0.2))), rng
    )
    stalk = looks.one_of(((1, (0.7, 0.3, 0.15)), (1, darker(skin, 0.5))), rng)
    return plain_skin(skin, rng, contrast=0.5, gloss=(0.4, 1.0)), plain_skin(stalk, rng)


def _raisin(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.85, 1.05)
    profile = oval(h * rng.uniform(0.28, 0.42), 0.0, h, 20, rng.uniform(-0.2, 0.2), 0.85)
    reliefs = Relief(0.18, 2, 3), Relief(0.07, 3, 6, True), Relief(0.05, 4, 9, True)
    return Grown(profile, reliefs, new_seed(rng), pressed=rng.uniform(0.05, 0.3))


def _dress_raisin(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(((3, (0.17, 0.09, 0.09)), (1, (0.28, 0.13, 0.08)), (1, (0.55, 0.38, 0.14))), rng)
    colors = darker(skin, 0.4), skin, looks.mix(skin, (0.65, 0.5, 0.5), 0.4)
    return (looks.material(rng, colors, "wrinkled", contrast=1.0, scale=rng.uniform(6.0, 10.0), gloss=(0.1, 0.6)),)


def _coffee_bean(size: float, rng: np.random.Generator) -> Grown:
    h = size * rng.uniform(0.9, 1.05)
    profile = oval(h * rng.uniform(0.34, 0.4), 0.0, h, 14, 0.0, 0.9)
    return Grown(profile, (), new_seed(rng), furrow=rng.uniform(0.12, 0.2), flat=rng.uniform(0.4, 0.6), segments=26)


def _dress_coffee_bean(shape: Shape, rng: np.random.Generator) -> tuple[Material, ...]:
    skin = looks.one_of(((3, (0.22, 0.12, 0.07)), (2, (0.33, 0.19, 0.1)), (0.5, (0.5, 0.5, 0.36))), rng)
    return (plain_skin(skin, rng, contrast=0.6, gloss=(0.2, 0.9)),)


KINDS: dict[str, Kind] = {
    "walnut": Kind(_walnut, (0.03, 0.045), _dress_walnut, density=500.0, resembles=_NUTS),
    "almond": Kind(_almond, (0.018, 0.032), _dress_almond, density=900.0, resembles=_NUTS),
    "peanut": Kind(_peanut, (0.028, 0.048), _dress_peanut, density=300.0, resembles=_NUTS),
    "pebble": Kind(_pebble, (0.012, 0.05), _dress_pebble, density=2500.0, resembles=_NUTS),
    "acorn_cup": Kind(_acorn_cup, (0.014, 0.024), _dress_acorn_cup, density=400.0, resembles=_NUTS),
    "chestnut": Kind(_chestnut, (0.024, 0.038), _dress_chestnut, upright=0.7, density=900.0, resembles=_NUTS),
    "olive": Kind(_olive, (0.016, 0.03), _dress_olive, density=1000.0, resembles=_NUTS),
    "raisin": Kind(_raisin, (0.009, 0.018), _dress_raisin, density=1000.0, resembles=_NUTS),
    "coffee_bean": Kind(_coffee_bean, (0.009, 0.014), _dress_coffee_bean, density=700.0, resembles=_NUTS),
}

"""People as obstacles: dressed figures of smooth limbs in everyday poses.

Proportions are the usual eight-head canon (hip joint at 0.52 of the height, knee at 0.285, shoulder at 0.82),
varied; x is forwards, y is to the left.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from .. import shapes
from ..scene import Material
from ..shapes import Collider, Solid, forms, many
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh
from . import bodies, clothes
from .kinds import Kind

_TORSO = np.array(  # height above the hip, half width, half depth; shares of the body's height
    [[-0.055, 0.0, 0.0], [-0.05, 0.06, 0.045], [0.0, 0.092, 0.066], [0.07, 0.088, 0.062], [0.11, 0.082, 0.058],
     [0.2, 0.1, 0.068], [0.25, 0.105, 0.063], [0.28, 0.096, 0.053], [0.3, 0.07, 0.045], [0.318, 0.036, 0.036],
     [0.335, 0.0, 0.0]]
)  # fmt: skip
_LEG = np.array([0.6, 1.0, 0.9, 0.76, 0.75, 0.7, 0.5])
_ARM = np.array([0.9, 1.05, 1.0, 0.86, 0.84, 0.82, 0.55]) * 0.03
_LIMB_AT = np.array([0.0, 0.12, 0.5, 0.92, 1.08, 1.5, 2.0])


@dataclasses.dataclass(frozen=True)
class Person:
    """A figure of a ``height`` (standing); angles in radians, forwards positive, for (left, right).

    ``girth`` widens body and limbs; ``lean`` tips the trunk; ``wear`` names what is worn on the body (shirt, coat,
    skirt), ``head`` what is on the head; ``sleeve`` ends at the elbow (1) or the wrist (2).
    """

    height: float
    girth: float
    thighs: tuple[float, float]
    knees: tuple[float, float]
    lean: float
    arms: tuple[float, float]
    spread: float
    elbows: tuple[float, float]
    stance: float
    wear: str
    vest: bool
    head: str
    sleeve: float
    turn: float

    @classmethod
    def sample(cls, size: float, rng: np.random.Generator) -> Person:
        """Draw one of a nominal ``size`` in metres."""
        pose = str(rng.choice(("stand", "walk", "reach", "crouch", "sit"), p=(0.36, 0.34, 0.12, 0.09, 0.09)))
        swing = rng.uniform(0.2, 0.6)
        small = rng.normal(size=6) * 0.06
        thighs, knees, lean = (small[0], small[1]), (abs(small[2]), abs(small[3])), 0.0
        arms, elbows = (small[4], small[5]), (rng.uniform(0.05, 0.5), rng.uniform(0.05, 0.5))
        if pose == "walk":
            side = rng.choice((-1.0, 1.0))
            thighs, knees = (
                (side * swing, -side * swing),
                (0.15 + 0.6 * swing * (side < 0), 0.15 + 0.6 * swing * (side > 0)),
            )
            arms, elbows, lean = (-side * swing, side * swing), (rng.uniform(0.2, 0.9), rng.uniform(0.2, 0.9)), 0.06
        elif pose == "reach":
            arms = (rng.uniform(-0.2, 2.6), rng.uniform(0.3, 1.7))
            elbows, lean = (rng.uniform(0.0, 1.6), rng.uniform(0.0, 1.6)), rng.uniform(0.0, 0.35)
        elif pose == "crouch":
            fold = rng.uniform(1.0, 1.5)
            thighs, knees, lean = (fold, fold + small[0]), (1.75 * fold, 1.75 * fold), rng.uniform(0.4, 0.8)
            arms = (rng.uniform(0.3, 1.0), rng.uniform(0.3, 1.0))
        elif pose == "sit":
            thighs = (rng.uniform(1.55, 2.3), rng.uniform(1.55, 2.3))
            knees = tuple((2.0 * (thigh - 1.57) + 0.05) for thigh in thighs)
            lean, arms = rng.uniform(-0.3, 0.2), (rng.uniform(-0.4, 0.8), rng.uniform(-0.4, 0.8))
        return cls(
            height=size * rng.uniform(0.94, 1.06),
            girth=rng.uniform(0.88, 1.3),
            thighs=(float(thighs[0]), float(thighs[1])),
            knees=(float(knees[0]), float(knees[1])),
            lean=float(lean),
            arms=(float(arms[0]), float(arms[1])),
            spread=rng.uniform(0.05, 0.25),
            elbows=elbows,
            stance=rng.uniform(0.0, 0.09),
            wear=str(
                rng.choice(("shirt", "coat", "skirt"), p=(0.68, 0.2, 0.12) if pose in ("stand", "walk") else (1, 0, 0))
            ),
            vest=bool(rng.random() < 0.2),
            head=str(rng.choice(("hair", "long", "hat", "bald"), p=(0.5, 0.2, 0.22, 0.08))),
            sleeve=float(rng.choice((0.55, 1.95), p=(0.4, 0.6))),
            turn=rng.uniform(-0.5, 0.5),
        )

    def build(self) -> Solid:
        """Make its surfaces (skin, upper, lower, shoes, head-gear, and a vest where it is worn) and colliders."""
        h, wide = self.height, self.girth
        legs = np.array([self._leg(side) for side in (0, 1)])
        arms = np.array([self._arm(side) for side in (0, 1)])
        trunk = self._trunk_turn()
        calf, thigh = 0.033 * h * wide, 0.052 * h * wide
        sleeves = _limbs(arms, 1.12 * _ARM * h * wide, 0.0, self.sleeve)
        skin = [_limbs(arms, _ARM * h * wide, max(self.sleeve - 0.06, 0.0), 2.0)] if self.sleeve < 1.5 else []
        skin += [self._hand(arm) for arm in arms]
        upper = [sleeves, self._torso(1.0).moved(rotation=trunk)]
        if self.wear != "shirt":
            upper.append(self._hem(legs).moved(rotation=trunk))
        shoes = [self._shoe(leg) for leg in legs]
        surfaces = [
            meshes.merge([*skin, _sized(bodies.FACE, h, trunk)]),
            meshes.merge(upper),
            _limbs(legs, _LEG * thigh, 0.0, 2.0),
            meshes.merge(shoes),
        ]
        surfaces += [_sized(bodies.HEADGEAR[self.head], h, trunk)] if self.head != "bald" else []
        surfaces += [self._torso(1.09, slice(2, 8)).moved(rotation=trunk)] if self.vest else []
        colliders = [c for leg in legs for c in _bones(leg, (0.9 * thigh, 1.05 * calf))]
        # Forearms reach into the hands.
        reach = arms + np.array([0.0, 0.0, 0.35])[:, None] * (arms - np.roll(arms, 1, 1))
        colliders += [c for arm in reach for c in _bones(arm, (0.03 * h * wide, 0.022 * h * wide))]
        chest = (trunk @ [0.0, 0.0, 0.23 * h], 0.066 * h * wide)
        colliders += [shapes.rod((0.0, 0.0, 0.01 * h), chest[0], chest[1])]
        colliders += [shapes.ball(0.06 * h, trunk @ [0.01 * h, 0.0, 0.41 * h])]
        return shapes.solid(surfaces, [*colliders, *self._soles(shoes, colliders)])

    def _trunk_turn(self) -> np.ndarray:
        cos, sin = np.cos(self.lean), np.sin(self.lean)
        return np.array([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])

    def _leg(self, side: int) -> np.ndarray:
        """Hip, knee and ankle [3, 3], metres from the middle of the hips."""
        sign = 1.0 if side == 0 else -1.0
        hip = np.array([0.0, sign * 0.05 * self.girth, 0.0])
        out = sign * self.stance
        knee = hip + 0.235 * _hanging(self.thighs[side], out)
        ankle = knee + 0.24 * _hanging(self.thighs[side] - self.knees[side], out)
        return np.array([hip, knee, ankle]) * self.height

    def _arm(self, side: int) -> np.ndarray:
        """Shoulder, elbow and wrist [3, 3], metres from the middle of the hips."""
        sign = 1.0 if side == 0 else -1.0
        trunk = self._trunk_turn()
        shoulder = trunk @ [0.0, sign * (0.088 * self.girth + 0.008), 0.262]
        elbow = shoulder + 0.17 * _hanging(self.arms[side], sign * self.spread)
        wrist = elbow + 0.15 * _hanging(self.arms[side] + self.elbows[side], sign * 0.5 * self.spread)
        return np.array([shoulder, elbow, wrist]) * self.height

    def _torso(self, scale: float, part: slice = slice(None)) -> Mesh:
        rows = _TORSO[part] * [1.0, self.girth * scale, self.girth * scale] * self.height
        angle = np.arange(12) * 2 * np.pi / 12
        # A little squarer than an ellipse.
        cos, sin = (np.sign(f) * np.abs(f) ** 0.85 for f in (np.cos(angle), np.sin(angle)))
        points = np.stack([np.outer(rows[:, 2], cos), np.outer(rows[:, 1], sin), np.outer(rows[:, 0], cos * 0 + 1)], -1)
        return clothes.spread(forms.skin(points))

    def _hem(self, legs: np.ndarray) -> Mesh:
        """The skirt of a coat or dress: a ring about both legs, open below."""
        h = self.height
        low = -h * (0.2 if self.wear == "coat" else 0.24)
        reach = max(abs(leg[1, 0]) for leg in legs) + 0.075 * h * self.girth
        wide = h * self.girth
        outline = forms.circle(1.0, 12)
        bottom = forms.ring(outline * [reach, 0.125 * wide], low)
        hips = forms.ring(outline * [0.076 * wide, 0.102 * wide], 0.0)
        waist = forms.ring(outline * [0.068 * wide, 0.094 * wide], 0.08 * h)
        return clothes.spread(forms.loft([hips * [0.96, 0.96, 1.0], bottom, hips, waist]))

    def _hand(self, arm: np.ndarray) -> Mesh:
        along = arm[2] - arm[1]
        along = along / np.linalg.norm(along)
        turn = meshes.rotation_between((0.0, 0.0, 1.0), along)
        return _sized(bodies.HAND, self.height, turn, arm[2] + along * 0.03 * self.height)

    def _shoe(self, leg: np.ndarray) -> Mesh:
        shin = leg[2] - leg[1]
        # Feet stay level unless the shin lies down.
        pitch = max(0.0, np.arctan2(shin[0], -shin[2]) - 0.7)
        turn = np.array([[np.cos(pitch), 0, -np.sin(pitch)], [0, 1.0, 0], [np.sin(pitch), 0, np.cos(pitch)]])
        return _sized(bodies.SHOE, self.height, turn, leg[2])

    def _soles(self, shoes: list[Mesh], others: list[Collider]) -> list[Collider]:
        """Boxes for the shoes, and one thin plate under them that reaches to below the centre of mass.

        People balance, stiff bodies fall over: the plate stands in for balance.
        """
        low, high = (np.array([f(s.vertices, axis=0) for s in shoes]) for f in (np.min, np.max))
        boxes = [shapes.block((b - a) / 2, (a + b) / 2) for a, b in zip(low, high, strict=True)]
        ground = low[:, 2].min()
        solid = [*others, *boxes]
        mass = np.array([_volume(c) for c in solid])
        centre = (mass[:, None] * np.array([c.position for c in solid])).sum(0) / mass.sum()
        if min(c.position[2] for c in others) - ground < 0.12 * self.height:
            return boxes
        margin = 0.06 * self.height
        a = np.minimum(low[:, :2].min(0), centre[:2] - margin)
        b = np.maximum(high[:, :2].max(0), centre[:2] + margin)
        half = np.array([*(b - a) / 2, 0.004 * self.height])
        return [*boxes, shapes.block(half, [*(a + b) / 2, ground + half[2]])]

    def dress(self, rng: np.random.Generator) -> tuple[Material, ...]:
        """A material for each surface of the solid."""
        return clothes.outfit(self.head, self.vest, rng)


def _hanging(forwards: float, outwards: float) -> np.ndarray:
    """The direction of a limb that hangs, swung forwards and outwards (radians)."""
    return np.array([np.sin(forwards) * np.cos(outwards), np.sin(outwards), -np.cos(forwards) * np.cos(outwards)])


def _limbs(joints: np.ndarray, radii: np.ndarray, low: float, high: float) -> Mesh:
    """Tapering tubes through three joints each [N, 3, 3], from ``low`` to ``high`` of 0..2, closed at their end."""
    at = np.unique(np.clip(_LIMB_AT, low, high))
    step = at[:, None, None]
    first, second = np.clip(1.0 - step, 0.0, 1.0), np.clip(step - 1.0, 0.0, 1.0)
    lines = first * joints[:, 0] + (1.0 - first - second) * joints[:, 1] + second * joints[:, 2]
    size = np.interp(at, _LIMB_AT, radii)
    way = lines[-1] - lines[-2]
    tip = lines[-1] + way / np.linalg.norm(way, axis=-1, keepdims=True) * 0.15 * size[-1]
    way = lines[0] - lines[1]
    way /= np.linalg.norm(way, axis=-1, keepdims=True)
    # A round shoulder: two more rings before the first.
    start = [lines[0] + 0.85 * size[0] * way, lines[0] + 0.5 * size[0] * way]
    paths = np.concatenate([start, lines, tip[None]]).transpose(1, 0, 2)
    return many.limbs(paths, np.broadcast_to(np.r_[1e-4, 0.75 * size[0], size, 1e-4], paths.shape[:2]), 7)


def _sized(mesh: Mesh, scale: float, turn: np.ndarray, at: np.ndarray | float = 0.0) -> Mesh:
    """A part given in shares of a body's height, in metres."""
    return dataclasses.replace(mesh, vertices=mesh.vertices * scale).moved(np.zeros(3) + at, turn)


def _bones(joints: np.ndarray, radii: tuple[float, float]) -> list[Collider]:
    return [shapes.rod(joints[0], joints[1], radii[0]), shapes.rod(joints[1], joints[2], radii[1])]


def _volume(collider: Collider) -> float:
    size = collider.size
    if collider.kind == "box":
        return 8.0 * size[0] * size[1] * size[2]
    ball = 4.0 / 3.0 * np.pi * size[0] ** 3
    return float(ball if collider.kind == "sphere" else ball + 2.0 * size[1] * np.pi * size[0] ** 2)


KINDS: dict[str, Kind] = {
    "person": Kind(Person.sample, (1.5, 1.95), Person.dress, upright=0.94, density=900.0),
}

"""Parts of a human figure that only change in size, made once: in shares of the body's height.

Head parts are relative to the middle of the hips of an upright body, the hand to the palm (fingers along z), the
shoe to the ankle (toes along x).
"""

from __future__ import annotations

from ..shapes import forms
from ..shapes import mesh as meshes
from ..shapes.mesh import Mesh

_CROWN = (0.002, 0.0, 0.425)


def _ball(radius: float, stretch: tuple[float, float, float], at: tuple[float, float, float], fine: int) -> Mesh:
    return forms.scaled(meshes.sphere(radius, fine, fine * 2 // 3), stretch).moved(at)


def _hair() -> Mesh:
    x, y, z = _CROWN
    return _ball(0.05, (1.08, 0.98, 1.18), (x - 0.002, y, z + 0.012), 12)


def _hat() -> Mesh:
    x, y, z = _CROWN
    crown = meshes.lathe([(0.052, 0.0), (0.05, 0.03), (0.03, 0.056), (0.0, 0.062)], 14)
    brim = meshes.lathe([(0.0, 0.0), (0.06, 0.0), (0.06, 0.006), (0.05, 0.008)], 14)
    brim = forms.scaled(brim, (1.15, 0.95, 1.0)).moved((0.012, 0.0, 0.0))
    return meshes.merge([forms.scaled(crown, (1.15, 0.98, 1.0)), brim]).moved((x + 0.008, y, z + 0.012))


FACE = meshes.merge(
    [
        _ball(0.047, (1.12, 0.92, 1.36), (0.012, 0.0, 0.415), 12),
        _ball(0.009, (1.2, 0.8, 1.6), (0.066, 0.0, 0.408), 5),
        meshes.capsule((0.0, 0.0, 0.29), (0.008, 0.0, 0.36), 0.03, 8),
    ]
)
HAND = _ball(0.022, (0.7, 1.1, 1.9), (0.0, 0.0, 0.0), 7)
SHOE = forms.rounded_box((0.075, 0.028, 0.022), 0.018).moved((0.035, 0.0, -0.012))
HEADGEAR = {
    "hair": _hair(),
    "long": meshes.merge([_hair(), _ball(0.045, (0.7, 1.0, 2.0), (_CROWN[0] - 0.03, 0.0, _CROWN[2] - 0.05), 10)]),
    "hat": _hat(),
}

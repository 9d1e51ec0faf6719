"""What a measured difference means for the synthetic world and for training: one table, and nothing but the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .comparing import CLASSES, CLEAR, FOUND, LESS, MORE, TRUTH, UNIFORM, VARIED, Compared, Difference
from .distances import FeatureDistance
from .measures import CONTENT, LOOK

LOWER, HIGHER, WIDER, ALIKE = "lower", "higher", "wider", "like the source's"
FEATURES = "features"
#: Advice is given where at least this share of the source lies beyond what the synthetic set covers.
_UNCOVERED = 0.1
#: Features: how many times the distance of two halves, and which share outside, is a difference.
_TIMES, _OUTSIDE = 3.0, 0.25
_MOST_NAMES = 5


@dataclass(frozen=True)
class Change:
    """A name, and where its values have to go: `LOWER`, `HIGHER`, `WIDER` or `ALIKE`."""

    name: str
    way: str


@dataclass(frozen=True)
class Rule:
    """If a measure is to a side (`LESS`, `MORE`), these are what may be changed.

    Attributes:
        measure: its key.
        side: where the source lies.
        world: axes of a preset of `perception-sim`, as section.axis.
        training: parameters of `perception-train run`.
    """

    measure: str
    side: str
    world: tuple[Change, ...]
    training: tuple[Change, ...] = ()


@dataclass(frozen=True)
class Advice:
    """What differs, what to change; ``distance`` as of `Difference`, ``now`` are the axes as they were, if known."""

    source: str
    measure: str
    distance: float
    what: str
    world: tuple[Change, ...]
    training: tuple[Change, ...]
    now: Mapping[str, Any]


def _to(way: str, *names: str) -> tuple[Change, ...]:
    return tuple(Change(name, way) for name in names)


RULES = (
    Rule("brightness", LESS, _to(LOWER, "light.brightness", "light.ambient", "sensor.exposure"),
         _to(HIGHER, "brightness", "gamma")),
    Rule("brightness", MORE, _to(HIGHER, "light.brightness", "light.ambient", "sensor.exposure"),
         _to(HIGHER, "brightness", "gamma")),
    Rule("contrast", LESS, _to(LOWER, "sensor.contrast", "surface.contrast", "surface.stage_contrast"),
         _to(HIGHER, "contrast")),
    Rule("contrast", MORE, _to(HIGHER, "sensor.contrast", "surface.contrast", "surface.stage_contrast"),
         _to(HIGHER, "contrast")),
    Rule("saturation", LESS, _to(LOWER, "sensor.saturation", "surface.saturation", "surface.stage_saturation"),
         _to(HIGHER, "saturation", "grey")),
    Rule("saturation", MORE, _to(HIGHER, "sensor.saturation", "surface.saturation", "surface.stage_saturation"),
         _to(HIGHER, "saturation")),
    Rule("warmth", LESS, _to(WIDER, "sensor.white_balance", "light.tint"), _to(HIGHER, "gain")),
    Rule("warmth", MORE, _to(WIDER, "sensor.white_balance", "light.tint"), _to(HIGHER, "gain")),
    Rule("tint", LESS, _to(WIDER, "sensor.white_balance", "light.tint"), _to(HIGHER, "gain")),
    Rule("tint", MORE, _to(WIDER, "sensor.white_balance", "light.tint"), _to(HIGHER, "gain")),
    Rule("edge_blur", MORE, _to(HIGHER, "sensor.blur", "sensor.defocus", "sensor.motion", "sensor.downscale"),
         _to(HIGHER, "blur", "blur_sigma", "motion_blur", "downscale")),
    Rule("edge_blur", LESS, (*_to(LOWER, "sensor.blur", "sensor.defocus"), *_to(HIGHER, "sensor.sharpening")),
         _to(HIGHER, "sharpen")),
    Rule("noise", LESS, _to(LOWER, "sensor.noise", "sensor.shot_noise", "sensor.read_noise"), _to(LOWER, "noise")),
    Rule("noise", MORE, _to(HIGHER, "sensor.noise", "sensor.shot_noise", "sensor.read_noise"),
         _to(HIGHER, "noise", "noise_level")),
    Rule("blockiness", MORE, _to(WIDER, "sensor.jpeg"), (*_to(HIGHER, "jpeg"), *_to(LOWER, "jpeg_quality"))),
    Rule("objects_per_image", LESS, (*_to(LOWER, "content.objects"), *_to(HIGHER, "content.negatives")),
         _to(HIGHER, "negatives")),
    Rule("objects_per_image", MORE, _to(HIGHER, "content.objects"), _to(HIGHER, "copy_paste", "mosaic")),
    Rule("size_relative", LESS, _to(LOWER, "camera.fill", "camera.apparent"), _to(HIGHER, "scale", "mosaic")),
    Rule("size_relative", MORE, _to(HIGHER, "camera.fill", "camera.apparent"), _to(HIGHER, "scale", "crop")),
    Rule("center_x", LESS, _to(WIDER, "camera.aim", "camera.off_centre"), _to(HIGHER, "translate")),
    Rule("center_x", MORE, _to(WIDER, "camera.aim", "camera.off_centre"), _to(HIGHER, "translate")),
    Rule("center_y", LESS, _to(WIDER, "camera.aim", "camera.off_centre", "camera.elevation"),
         _to(HIGHER, "translate")),
    Rule("center_y", MORE, _to(WIDER, "camera.aim", "camera.off_centre", "camera.elevation"),
         _to(HIGHER, "translate")),
    Rule(CLASSES, MORE, _to(ALIKE, "content.classes"), _to(ALIKE, "shares")),
    # Where nothing that has a name differs, it is what things look like and what lies around them.
    Rule(FEATURES, MORE, _to(WIDER, "surface.object_patterns", "surface.stage_patterns", "content.distractor_kinds",
                             "background.images", "background.stage")),
)  # fmt: skip


def advise(compared: Compared, now: Mapping[str, Any]) -> list[Advice]:
    """What to change for a source, the greatest distance first; empty where the synthetic set covers it.

    Args:
        compared: the source beside the synthetic one.
        now: the axes of the preset that the synthetic set was made with, as section.axis; what is known of them.
    """
    label = compared.source.label
    found = []
    for row in compared.differences:
        if row.group not in (LOOK, CONTENT) or not _matters(row):
            continue
        world, training = changes(row.key, row.side)
        if world or training:
            found.append(_advice(label, row.key, row.known, _told(row, compared), world, training, now))
    if not found and compared.features is not None and _unlike(compared.features):
        world, training = changes(FEATURES, MORE)
        what = (
            f"{compared.features.outside:.0%} of the images look like none of the synthetic ones to the model, and none"
            " of what is measured here by name explains it"
        )
        found.append(_advice(label, FEATURES, 0.0, what, world, training, now))
    return found


def changes(measure: str, side: str) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Of the world and of training, by the table; what varies more needs what either side needs, and axes wider."""
    if side == UNIFORM:
        return (), ()
    if side != VARIED:
        rule = next((rule for rule in RULES if (rule.measure, rule.side) == (measure, side)), None)
        return ((), ()) if rule is None else (rule.world, rule.training)
    sides = [changes(measure, other) for other in (LESS, MORE)]
    world, training = ({one.name: one.way for part in parts for one in part} for parts in zip(*sides, strict=True))
    return _to(WIDER, *world), tuple(Change(name, way) for name, way in training.items())


def _matters(row: Difference) -> bool:
    # Another mix of the same classes is worth telling, however well the classes are covered; but not if it is a model
    # that says so, which may take everything there for something else.
    return row.known >= CLEAR and (row.basis == TRUTH if row.key == CLASSES else row.uncovered >= _UNCOVERED)


def _unlike(features: FeatureDistance) -> bool:
    return features.times >= _TIMES and features.outside >= _OUTSIDE


def _told(row: Difference, compared: Compared) -> str:
    if row.key == CLASSES:
        more, less = (compared.mix.more(place) for place in (1, 0))
        shares = f"{row.ks:.0%} of the objects would have to change class"
        return f"{row.title}: more {_some(more)}, less {_some(less)} ({shares})"
    assert row.medians is not None
    beyond = {
        LESS: f"{row.below:.0%} lie below the middle 95 % of the synthetic ones",
        MORE: f"{row.above:.0%} lie above the middle 95 % of the synthetic ones",
        VARIED: f"{row.below + row.above:.0%} lie outside of the middle 95 % of the synthetic ones",
    }[row.side]
    numbers = f"median {row.medians[1]:.3g} against {row.medians[0]:.3g}"
    found = ", as the model finds them" if row.basis == FOUND else ""
    return f"{row.title}: {row.verdict} ({numbers}; {beyond}{found})"


def _advice(
    source: str,
    measure: str,
    distance: float,
    what: str,
    world: Sequence[Change],
    training: Sequence[Change],
    now: Mapping[str, Any],
) -> Advice:
    known = {change.name: now[change.name] for change in world if change.name in now}
    return Advice(source, measure, distance, what, tuple(world), tuple(training), known)


def _some(names: Sequence[str]) -> str:
    left = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {left} more" if left > 0 else "")

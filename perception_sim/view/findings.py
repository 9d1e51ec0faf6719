"""What a practitioner would want to be told about a dataset before training on it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .annotations import Dataset
from .files import Duplicates
from .pixels import MASK_TOLERANCE_PX, Pixels
from .statistics import outside

BAD, ODD, NOTE = "bad", "odd", "note"
# The commonest class has so many times the objects of the rarest: the rare one is hardly learned.
_IMBALANCE = 20
# Box corners may be rounded by half a pixel on their way into a file.
_ROUNDING_PX = 0.5


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line: ``level`` is ``bad`` (an error in the data), ``odd`` (likely to hurt) or ``note``."""

    level: str
    kind: str
    text: str
    count: int


def find(
    dataset: Dataset, numbers: Mapping[str, Any], pixels: Pixels, min_per_class: int, small_px: float
) -> list[Finding]:
    """The findings in one dataset, those with a count of 0 included. ``numbers`` is what `describe` made of it."""
    return [
        *_of_images(numbers, pixels),
        *(Finding(BAD, "faults", f"{kind}: {count}", count) for kind, count in dataset.faults.items()),
        *_of_boxes(dataset, numbers, small_px),
        *_of_masks(pixels),
        *_of_classes(numbers, min_per_class),
    ]


def ranked(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that found something, the worst first."""
    order = (BAD, ODD, NOTE)
    return sorted((finding for finding in findings if finding.count), key=lambda finding: order.index(finding.level))


def find_same_files(
    duplicates: Duplicates, names: Sequence[str], file_names: Sequence[Sequence[str]]
) -> list[list[Finding]]:
    """Per dataset, what identical image files mean: copies inside of it, and overlap with the other (told first)."""
    found: list[list[Finding]] = [[] for _ in names]
    note = (
        ""
        if duplicates.looked_at == duplicates.candidates
        else f" (of the {duplicates.looked_at} files looked at, of {duplicates.candidates} whose size is not unique)"
    )
    for number in range(len(names)):
        groups = [[image for owner, image in group if owner == number] for group in duplicates.groups]
        copies = sum(max(len(group) - 1, 0) for group in groups)
        example = next((group for group in groups if len(group) > 1), [])
        shown = " and ".join(file_names[number][image] for image in example[:2])
        found[number].append(
            Finding(
                ODD,
                "duplicates",
                f"images that are copies of others, byte for byte: {copies}, such as {shown}{note}",
                copies,
            )
        )
    if len(names) == 2:
        shared = [group for group in duplicates.groups if len({owner for owner, _ in group}) == 2]
        leaked = sum(owner == 1 for group in shared for owner, _ in group)
        shown = next((file_names[1][image] for owner, image in (shared[0] if shared else ()) if owner == 1), "")
        text = (
            f"images that {names[0]} holds as well, byte for byte: {leaked}, such as {shown}; no fair validation{note}"
        )
        found[1].insert(0, Finding(BAD, "overlap", text, leaked))
    return found


def find_same_seed(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Finding]:
    """A warning where two generated datasets (their dataset.json) come from the same preset and seed."""
    keys = []
    for one in (first, second):
        config = one.get("config")
        preset = config.get("preset") if isinstance(config, dict) else None
        keys.append((one.get("generator"), one.get("seed"), preset))
    if None in keys[0] or keys[0] != keys[1]:
        return []
    text = (
        f"both were generated with seed {keys[0][1]} and the same preset: their scenes are the same, no fair validation"
    )
    return [Finding(BAD, "same_seed", text, 1)]


def _of_images(numbers: Mapping[str, Any], pixels: Pixels) -> list[Finding]:
    sample = f"of the {len(pixels.readable) + len(pixels.unreadable)} looked at"
    missing, unreadable, other = numbers["missing_images"], len(pixels.unreadable), len(pixels.other_size)
    return [
        Finding(BAD, "missing_images", f"images missing in images/: {missing} of {numbers['images']}", missing),
        Finding(
            BAD,
            "unreadable_images",
            f"images that cannot be read: {unreadable} {sample}, such as {', '.join(pixels.unreadable[:1])}",
            unreadable,
        ),
        Finding(
            BAD,
            "other_size",
            f"images of another size than annotated: {other} {sample}, such as {', '.join(pixels.other_size[:1])}",
            other,
        ),
        Finding(
            NOTE,
            "unlisted_files",
            f"files in images/ that annotations.json does not name: {numbers['unlisted_files']}",
            numbers["unlisted_files"],
        ),
        Finding(
            NOTE,
            "no_negatives",
            "no image is without objects: false alarms on empty scenes are neither trained nor measured",
            int(bool(numbers["images"]) and not numbers["negative_images"]),
        ),
        Finding(BAD, "no_objects", "nothing is labelled", int(not numbers["objects"])),
    ]


def _of_boxes(dataset: Dataset, numbers: Mapping[str, Any], small_px: float) -> list[Finding]:
    labelled = ~dataset.crowd
    extent = dataset.boxes[:, 2:] - dataset.boxes[:, :2]
    tiny = int((labelled & (extent.min(1) < small_px)).sum()) if len(extent) else 0
    beyond = outside(dataset)
    amodal = dataset.amodal
    inside = (amodal[:, :2] > dataset.boxes[:, :2] + _ROUNDING_PX).any(1) | (
        amodal[:, 2:] < dataset.boxes[:, 2:] - _ROUNDING_PX
    ).any(1)
    rows = np.concatenate([dataset.image[:, None], dataset.category[:, None], dataset.boxes], axis=1)[labelled]
    repeated = len(rows) - len(np.unique(rows, axis=0)) if len(rows) else 0
    example = f", such as in {dataset.file_names[dataset.image[beyond][0]]}" if beyond.any() else ""
    return [
        Finding(
            BAD,
            "boxes_outside",
            f"boxes that reach out of their image: {int(beyond.sum())}{example}",
            int(beyond.sum()),
        ),
        Finding(
            BAD,
            "amodal_inside",
            f"amodal boxes that do not hold the visible one: {int(inside.sum())}",
            int(inside.sum()),
        ),
        Finding(ODD, "repeated_boxes", f"objects that are there twice, with the same box: {repeated}", repeated),
        Finding(ODD, "tiny_boxes", f"labelled boxes less than {small_px:g} px wide or high: {tiny}", tiny),
    ]


def _of_masks(pixels: Pixels) -> list[Finding]:
    broken, loose = pixels.broken_masks, pixels.loose_masks
    return [
        Finding(BAD, "broken_masks", f"masks that cannot be decoded: {broken} of the {pixels.masks} looked at", broken),
        Finding(
            ODD,
            "loose_masks",
            f"masks that end {MASK_TOLERANCE_PX:g} px or more from their box: {loose} of the {pixels.masks} looked at",
            loose,
        ),
    ]


def _of_classes(numbers: Mapping[str, Any], min_per_class: int) -> list[Finding]:
    counts = {row["name"]: row["labelled"] for row in numbers["classes"]}
    empty = [name for name, count in counts.items() if not count]
    few = [f"{name} ({count})" for name, count in counts.items() if 0 < count < min_per_class]
    found = [
        Finding(ODD, "empty_classes", f"no object of {_some(empty)}", len(empty)),
        Finding(ODD, "rare_classes", f"fewer than {min_per_class} objects of {_some(few)}", len(few)),
    ]
    present = sorted((count, name) for name, count in counts.items() if count)
    if present and present[-1][0] >= _IMBALANCE * present[0][0]:
        (least, rare), (most, common) = present[0], present[-1]
        text = f"{common} has {most / least:.0f} times as many objects as {rare} ({most} to {least})"
        found.append(Finding(ODD, "imbalance", text, 1))
    return found


def _some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")

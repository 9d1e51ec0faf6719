"""What a validation tells, whatever the model does, and the figure by which one is better than another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from perception_common.errors import UserError
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..models.network import Task
from .detection import DetectionValidation, validate_detection
from .segmentation import SegmentationValidation, validate_segmentation

Outcome = DetectionValidation | SegmentationValidation
"""What a validation tells: ``metrics()``, ``per_class``, ``thresholds``, ``images``, and itself in words."""


def validate(predictor: Predictor, dataset: CocoDataset) -> Outcome:
    """Score a predictor (which should have threshold 0) on a dataset, by what its model does.

    Raises:
        UserError: the classes differ, or an image or mask cannot be read.
    """
    if predictor.task == "segmentation":
        return validate_segmentation(predictor, dataset)
    return validate_detection(predictor, dataset)


def headline(chosen: str, task: Task) -> str:
    """The validation figure that says what is better.

    Raises:
        UserError: it is not one of the task.
    """
    figures = {"detection": ("map", "map50", "map75"), "segmentation": ("miou",)}[task]
    if chosen not in ("auto", *figures):
        raise UserError(f"metric '{chosen}' is not one of {task}", fix=f"use auto or {', '.join(figures)}")
    return figures[0] if chosen == "auto" else chosen


def by_class(result: Outcome, classes: Sequence[str]) -> dict[str, Any]:
    """A validation's figure and threshold of every class, for a summary."""
    kind, figures = result.per_class
    return {f"per_class_{kind}": figures, "thresholds": dict(zip(classes, result.thresholds, strict=True))}


def outcome(values: dict[str, Any]) -> Outcome:
    """What `dataclasses.asdict` made of a validation."""
    kind: type[Outcome] = SegmentationValidation if "miou" in values else DetectionValidation
    return msgspec.convert(values, kind)

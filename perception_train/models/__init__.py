"""Architectures: one explicit table from name to builder."""

from __future__ import annotations

from collections.abc import Callable

from perception_common.errors import UserError, did_you_mean

from .yolo import SIZES, Yolo

BUILDERS: dict[str, Callable[[int], Yolo]] = {
    "yolo_n": lambda classes: Yolo(classes, SIZES["n"]),
    "yolo_s": lambda classes: Yolo(classes, SIZES["s"]),
}


def build_model(architecture: str, classes: int) -> Yolo:
    """A freshly initialised model.

    Raises:
        UserError: no architecture has this name.
    """
    if architecture not in BUILDERS:
        raise UserError(f"unknown architecture '{architecture}'", fix=did_you_mean(architecture, BUILDERS))
    return BUILDERS[architecture](classes)

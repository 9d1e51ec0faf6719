"""What of a model's answers is wanted: classes, from what score on, in which part of the image. No ROS here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError, did_you_mean

from .contract.detections import Detections, Result, Segmentation
from .contract.geometry import Pixels
from .predictor import Predictor, Prepared, prepare
from .tiling import Rectangle, Tiling, merge_detections, merge_masks

_WHOLE = (0.0, 0.0, 1.0, 1.0)


class Look(NamedTuple):
    """What is looked at of an image: rectangles of it, letterboxed for a network of that width and height."""

    rgb: Pixels
    network: tuple[int, int]
    tiles: Sequence[Rectangle]
    parts: Sequence[Prepared]


@dataclass(frozen=True)
class Selection:
    """Asks a predictor for a part of what it can tell.

    Attributes:
        threshold: score for all classes; None for the bundle's own, per class.
        by_class: scores of single classes, by name; they win over ``threshold``.
        classes: names of the classes that are wanted; none for all.
        region: left, top, width and height of the part of the image that is looked at, as shares of its sides.
        tiling: how that part is cut.
    """

    threshold: float | None = None
    by_class: Mapping[str, float] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    region: tuple[float, float, float, float] = _WHOLE
    tiling: Tiling = field(default_factory=Tiling)

    def unknown(self, known: Sequence[str]) -> str | None:
        """One line about names that a model does not have, or None."""
        strange = [name for name in dict.fromkeys((*self.by_class, *self.classes)) if name not in known]
        if not strange:
            return None
        return f"the model has no class {', '.join(map(repr, strange))}: {did_you_mean(strange[0], known)}"

    def thresholds(self, own: Sequence[float], classes: Sequence[str]) -> npt.NDArray[np.float32]:
        """float32 [classes]: the score that each must reach; infinite for those that are not wanted."""
        values = np.asarray(own if self.threshold is None else [self.threshold] * len(own), np.float32)
        for index, name in enumerate(classes):
            if self.classes and name not in self.classes:
                values[index] = np.inf
            elif name in self.by_class:
                values[index] = self.by_class[name]
        return values

    def look(self, rgb: Pixels, network: tuple[int, int]) -> Look:
        """What is to be looked at of RGB uint8 [H, W, 3], prepared for a network of that width and height."""
        tiles = self.tiling.tiles(self.pixels(rgb.shape[1], rgb.shape[0]), network)
        parts = [prepare(rgb[top:bottom, left:right], network) for left, top, right, bottom in tiles]
        return Look(rgb, network, tiles, parts)

    def ask(self, predictor: Predictor, rgb: Pixels) -> Result:
        """`ask_all`, of one image."""
        return self.ask_all(predictor, [self.look(rgb, predictor.network)])[0]

    def ask_all(self, predictor: Predictor, looks: Sequence[Look]) -> list[Result]:
        """What the predictor finds in images, in pixels of each; see `Predictor.infer` for the errors.

        Outside of the region nothing is found, and pixels of classes that are not wanted are background. What was
        prepared for another network is prepared anew.
        """
        fitting = [
            look if look.network == predictor.network else self.look(look.rgb, predictor.network) for look in looks
        ]
        if predictor.task == "detection":
            predictor.set_thresholds(self.thresholds(predictor.bundle.manifest.thresholds, predictor.classes))
        answers = iter(predictor.infer([part for look in fitting for part in look.parts]))
        return [self._joined([next(answers) for _ in look.parts], look, predictor.classes) for look in fitting]

    def _joined(self, parts: Sequence[Result], look: Look, classes: Sequence[str]) -> Result:
        height, width = look.rgb.shape[:2]
        detections = [part for part in parts if isinstance(part, Detections)]
        if detections:
            return merge_detections(detections, look.tiles)
        masks = [part for part in parts if isinstance(part, Segmentation)]
        if len(masks) == 1 and look.tiles[0] == (0, 0, width, height):
            joined = masks[0]
        else:
            joined = merge_masks(masks, look.tiles, (width, height))
        return Segmentation(self._wanted(joined.mask, classes), joined.confidence)

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Left, top, right and bottom edge of the region in an image of that size: at least one pixel."""
        left, top = min(int(self.region[0] * width), width - 1), min(int(self.region[1] * height), height - 1)
        right = max(left + 1, min(width, round((self.region[0] + self.region[2]) * width)))
        bottom = max(top + 1, min(height, round((self.region[1] + self.region[3]) * height)))
        return left, top, right, bottom

    def _wanted(self, mask: Pixels, classes: Sequence[str]) -> Pixels:
        if not self.classes:
            return mask
        table = np.zeros(256, np.uint8)
        for index, name in enumerate(classes, 1):
            table[index] = index if name in self.classes else 0
        return np.asarray(cv2.LUT(mask, table), np.uint8)


def thresholds_from(told: Sequence[str]) -> dict[str, float]:
    """Scores by class, of texts like ``mug=0.4``.

    Raises:
        UserError: one is not of this form, or no score from 0 to 1.
    """
    found: dict[str, float] = {}
    for text in told:
        name, _, score = text.rpartition("=")
        try:
            found[name] = float(score)
        except ValueError:
            found[name] = -1.0
        if not name or not 0.0 <= found[name] <= 1.0:
            raise UserError(f"'{text}' is no threshold of a class", fix="write NAME=SCORE, with a score from 0 to 1")
    return found


def region_from(told: Sequence[float]) -> tuple[float, float, float, float]:
    """The region of four numbers; the whole image of none.

    Raises:
        UserError: there are not four, or they reach out of the image.
    """
    if not told:
        return _WHOLE
    if len(told) != 4 or told[2] <= 0 or told[3] <= 0 or told[0] + told[2] > 1 + 1e-9 or told[1] + told[3] > 1 + 1e-9:
        raise UserError(
            f"{list(told)} is no region of an image",
            fix="give left, top, width and height as shares of its sides, such as [0.0, 0.4, 1.0, 0.6]",
        )
    left, top, width, height = told
    return left, top, width, height

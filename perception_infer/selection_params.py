"""The parameters that say what of a model's answers is wanted; nodes and commands share them."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.params import param

from .selection import Selection, region_from, thresholds_from
from .tiling import Tiling


@dataclass(frozen=True)
class SelectionParams:
    """Classes, from what score on, and in which part of the image."""

    score_threshold: float = param(
        -1.0,
        "score that a detection must reach; -1 takes the model's own, per class",
        minimum=-1.0,
        maximum=1.0,
        live=True,
    )
    class_thresholds: tuple[str, ...] = param(
        (), "scores of single classes, as NAME=SCORE; they win over score_threshold", live=True, alone=True
    )
    classes: tuple[str, ...] = param(
        (), "names of the classes that are wanted; none: all of the model's", live=True, alone=True
    )
    region: tuple[float, ...] = param(
        (),
        "left, top, width and height of the part of the image that is looked at, as shares of its sides (none: all)",
        minimum=0.0,
        maximum=1.0,
        live=True,
    )
    tile_width: int = param(
        0,
        "width of the tiles into which images are cut, in pixels; their height follows from the network's (0: not cut)",
        minimum=0,
        maximum=65536,
        live=True,
    )
    tile_overlap: float = param(
        0.2, "share of a tile that the next one covers too, at least", minimum=0.0, maximum=0.9, live=True
    )
    tile_whole: bool = param(
        True, "beside the tiles, look at the whole image, for what is larger than a tile", live=True
    )

    def selection(self) -> Selection:
        """What of a model's answers is wanted.

        Raises:
            UserError: a threshold or the region is not of the form that it has to have.
        """
        threshold = None if self.score_threshold < 0 else self.score_threshold
        by_class = thresholds_from(self.class_thresholds)
        tiling = Tiling(self.tile_width, self.tile_overlap, self.tile_whole)
        return Selection(threshold, by_class, tuple(self.classes), region_from(self.region), tiling)

"""What a user asks for beside float32: precisions, a budget, and pictures to calibrate with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .budget import BUDGET
from .bundle import Precision
from .calibration import calibration_images, calibration_pictures
from .variants import Variant, check_precisions

if TYPE_CHECKING:
    from ..training.validation import Outcome
    from .candidate import Candidate


@dataclass(frozen=True)
class Further:
    """Further precisions of an export.

    Attributes:
        precisions: names of `GRAPH_FILES`; fp32 is there anyway.
        budget: mAP (or mIoU) that each may lose.
        accept_drop: publish also what loses more.
        calibration: a folder of pictures, a dataset or a bag; None for the training images.
        topic: image topic of the bag (empty: the only one).
        images: how many pictures at most.
    """

    precisions: tuple[str, ...] = ()
    budget: float = BUDGET
    accept_drop: bool = False
    calibration: Path | None = None
    topic: str = ""
    images: int = 128

    def variants(self, candidate: Candidate, validation: Outcome) -> Mapping[Precision, Variant]:
        """The candidate's graphs in these precisions, proven; ``validation`` is that of the float32 graph.

        Raises:
            UserError: a precision is unknown or not fit to be published, or the pictures cannot be read.
        """
        if not check_precisions(self.precisions):
            return {}
        source = candidate.source
        network = (source.width, source.height)
        if self.calibration is None:
            images = list(calibration_images(source.train, network, self.images))
        else:
            images = calibration_pictures(self.calibration, self.topic, network, self.images)
        return candidate.variants(self.precisions, images, self.budget, validation, self.accept_drop)

"""The parameters of evaluate_node; ROS parameters and the YAML reference are derived from this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

from .transport_params import TransportParams


@dataclass(frozen=True)
class EvaluateParams(TransportParams):
    """Score live detections against ground truth."""

    output: str = param(
        "", "JSON file of the results, written every write_period and at the end; pictures go to a directory beside it"
    )
    write_period: float = param(10.0, "seconds between two writes of the results", minimum=0.5)
    window: int = param(40, "scored frames per point of the timeline", minimum=1)
    swap_window: float = param(
        2.0, "seconds before and after a model swap in which gaps between outputs count as the swap's", minimum=0.0
    )
    samples: int = param(
        6, "pictures kept of each model version (0: none; the image is then not subscribed)", minimum=0
    )
    sample_period: float = param(4.0, "seconds between two pictures", minimum=0.0)
    silence: float = param(5.0, "seconds without a message after which a topic is reported as silent", minimum=0.5)
    truth_names: tuple[str, ...] = param(
        (),
        "class names of ids in the ground truth, as ID=NAME: other simulators send numbers (none: ids are names)",
    )

    def __post_init__(self) -> None:
        """Refuse what single ranges cannot."""
        names_from(self.truth_names)


def names_from(told: Sequence[str]) -> dict[str, str]:
    """Class names by id, of texts like ``1=mug``.

    Raises:
        UserError: one is not of this form.
    """
    found: dict[str, str] = {}
    for text in told:
        number, _, name = text.partition("=")
        if not number or not name:
            raise UserError(f"'{text}' is no name of an id", fix="write ID=NAME, as in 1=mug")
        found[number] = name
    return found

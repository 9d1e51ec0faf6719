"""The parameters of evaluate_node; ROS parameters and the YAML reference are derived from this."""

from __future__ import annotations

from dataclasses import dataclass

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

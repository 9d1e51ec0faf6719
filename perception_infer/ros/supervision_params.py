"""Parameters of what watches over infer_node's camera and model."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.params import param


@dataclass(frozen=True)
class SupervisionParams:
    """When a camera counts as silent, and a model as hung."""

    camera_timeout: float = param(
        5.0,
        "seconds without an image from a camera after which /diagnostics warns, while the node is active; 0 never does",
        minimum=0.0,
        maximum=86400.0,
        live=True,
    )
    hang_seconds: float = param(
        30.0,
        "seconds after which an inference that has not ended is left behind: the model before serves again, or the same"
        " is loaded anew; when that hangs too, the node goes back to unconfigured. 0 waits for ever",
        minimum=0.0,
        maximum=86400.0,
        live=True,
    )

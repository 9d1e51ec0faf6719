"""The parameters of infer_node; flags, ROS parameters and the YAML reference are derived from this."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

from ..fetching import FetchParams
from ..running import RunningParams
from ..selection_params import SelectionParams
from ..spatial import floor_of
from ..trust_params import StateParams, TrustParams
from .transport_params import TransportParams


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


@dataclass(frozen=True)
class InferParams(
    FetchParams, StateParams, TrustParams, SupervisionParams, TransportParams, SelectionParams, RunningParams
):
    """Parameters of infer_node: which model, how it runs, and what is published."""

    model_root: str = param(
        "", "directory of model bundles, MODEL_REPO/<name>/<version>; nothing is loaded from elsewhere"
    )
    model: str = param("", "name of the model to serve; announcements of other names are ignored")
    version: int = param(
        0,
        "version to start with; 0 is the newest that works, or, where there is none, the first that is announced."
        " Set while the node runs, it is loaded and swapped in, also an older one (0: the newest)",
        minimum=0,
        maximum=2147483647,
        live=True,
    )
    pin: bool = param(
        False,
        "stay with the model that serves, whatever is announced; the last announcement is taken when this ends",
        live=True,
    )
    side_by_side: bool = param(
        True,
        "answer two frames at once, each on one thread, while frames come faster than one after another is answered"
        " (ONNX Runtime or OpenVINO on two CPU threads; a second session takes 50 to 100 MiB then)",
    )
    engine_build: str = param(
        "at_once",
        "when TensorRT's engines are built, while what is there serves: at_once, when_idle (nobody subscribes to"
        " results, or the node is inactive), or never",
        choices=("at_once", "when_idle", "never"),
    )
    detections_3d: str = param(
        "off",
        "publish detections_3d: where things are in space, from an aligned depth image (topics depth/image and"
        " camera_info) or from the floor on which they stand (camera_info and the parameter floor)",
        choices=("off", "depth", "floor"),
    )
    depth_slop_ms: float = param(
        20.0, "how far stamps of image and depth may differ", minimum=0.0, maximum=1e5, live=True
    )
    min_depth: float = param(0.1, "metres; nearer depth is not believed", minimum=0.0, maximum=1e4, live=True)
    max_depth: float = param(
        20.0, "metres; farther depth, or floor, is not believed", minimum=0.0, maximum=1e5, live=True
    )
    floor: tuple[float, ...] = param(
        (),
        "the camera's height above a level floor in metres, and how far it looks down and leans right in degrees, such"
        " as [0.9, 20.0, 0.0]",
        live=True,
    )
    class_id_format: str = param("name", "what class_id holds: the class name, or its index", choices=("name", "index"))
    on_class_change: str = param(
        "refuse", "what to do with a newer model of other classes", choices=("refuse", "accept")
    )
    allow_downgrade: bool = param(False, "accept versions older than the newest accepted one that never served here")
    watch_frames: int = param(
        30,
        "frames of a new model over which the one before stays loaded, and takes over again if the new one fails"
        " (0: it is freed at once)",
        minimum=0,
        maximum=1000000,
    )
    canary_frames: int = param(
        0,
        "frames that a new model answers beside the one that serves before it may take over (0: none)",
        minimum=0,
        maximum=1000000,
    )
    canary_agreement: float = param(
        0.5,
        "how far both must agree on these frames, on average: the F1 score of one's boxes against the other's at an IoU"
        " of 0.5, or the share of equal pixels",
        minimum=0.0,
        maximum=1.0,
    )
    cameras: tuple[str, ...] = param(
        (),
        "names of several cameras that one model serves in turn: their topics are <camera>/image, <camera>/detections"
        " and so on (none: one camera, whose topics are image, detections and so on)",
        alone=True,
    )
    max_age_ms: float = param(
        0.0,
        "frames whose stamp is older than this when their turn comes are left out; 0 takes all, as do frames without"
        " a stamp",
        minimum=0.0,
        maximum=3.6e6,
        live=True,
    )
    only_when_watched: bool = param(
        False, "leave frames out while nobody subscribes to any of their results", live=True
    )
    overlay_scores: bool = param(True, "write the score behind the class name on the overlay", live=True)
    overlay_opacity: float = param(
        0.45, "opacity of the colours of a mask on the overlay", minimum=0.0, maximum=1.0, live=True
    )
    autostart: bool = param(True, "configure and activate at start; otherwise wait for a lifecycle manager")

    def __post_init__(self) -> None:
        """Refuse what single ranges cannot."""
        self.selection()
        if self.detections_3d == "floor" or self.floor:
            floor_of(self.floor)
        if len(set(self.cameras)) < len(self.cameras):
            raise UserError("a camera is named twice", fix="give each a name of its own in cameras")

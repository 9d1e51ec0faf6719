"""Parameters of `perception-train export`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

from ..signing.params import SigningParams


@dataclass(frozen=True)
class ExportParams(SigningParams):
    """Parameters of `perception-train export`."""

    run_directory: str = param("runs/train", "directory of the training run whose checkpoint is exported")
    model_root: str = param("", "model repository to export into (empty: the run's own)")
    weights: str = param(
        "last", "which weights: those of the last checkpoint, or of the best validation", choices=("last", "best")
    )
    precisions: tuple[str, ...] = param(
        ("fp32",),
        "graphs in the bundle: fp32 (always there), fp16, int8 (for TensorRT), int8_cpu",
        choices=("fp32", "fp16", "int8", "int8_cpu"),
    )
    budget: float = param(
        0.01,
        "mAP or, of segmenters, mIoU that each further precision may lose; sensitive layers stay in float for it",
        minimum=0.0,
        maximum=1.0,
    )
    accept_drop: bool = param(False, "publish a further precision also when it loses more than the budget")
    calibration: str = param(
        "",
        "pictures to calibrate 8-bit graphs with: a folder, a dataset, or a recording (a rosbag2 directory, or a "
        ".bag of ROS 1); empty for the training images",
    )
    calibration_topic: str = param("", "image topic of that recording (empty: the only one)")
    calibration_images: int = param(128, "of more pictures than these, evenly spaced ones are taken", minimum=1)
    layout: str = param(
        "bundle",
        "bundle: the next version in the model repository; isaac: a graph for Isaac ROS's decoders (YOLO at 640x640, "
        "U-Net), written into output",
        choices=("bundle", "isaac"),
    )
    output: str = param("", "folder that the isaac layout is written into; it must not exist yet")

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: parameters contradict each other, or the key that is to sign cannot be used.
        """
        self.signer()
        isaac = self.layout == "isaac"
        if isaac != bool(self.output):
            what = (
                "no output folder is given" if isaac else "an output folder is given, but a bundle goes to model_root"
            )
            raise UserError(what, fix="give --output DIR" if isaac else "give --layout isaac, or leave --output out")
        if self.calibration_topic and not self.calibration:
            raise UserError("a topic is given without a recording", fix="give --calibration BAG")

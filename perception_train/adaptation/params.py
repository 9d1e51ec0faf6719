"""Parameters of `perception-train adapt`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

from ..signing.params import SigningParams

#: Which parts of a detector are adapted: the beginnings of their modules' names.
LAYERS: dict[str, tuple[str, ...]] = {"stem": ("stem.",), "backbone": ("stem.", "stage"), "all": ("",)}


@dataclass(frozen=True)
class AdaptParams(SigningParams):
    """Parameters of `perception-train adapt`."""

    model_root: str = param("models", "model repository")
    model: str = param("detector", "name of the model in the repository; the adapted one becomes its next version")
    version: int = param(0, "version that is adapted (0: the newest)", minimum=0)
    images: str = param("", "folder of pictures from the camera; labels are not needed and not read")
    bag: str = param("", "recording from the camera instead of a folder: a rosbag2 directory, or a .bag of ROS 1")
    topic: str = param("", "image topic of the bag (empty: the only one)")
    max_images: int = param(256, "of more pictures than these, evenly spaced ones are taken", minimum=1, maximum=100000)
    views: int = param(
        64, "views to measure on; fewer pictures are also shown mirrored, shifted and zoomed", minimum=1, maximum=100000
    )
    blend: float = param(
        0.5, "share of the pictures' statistics, the rest stays the trained model's", minimum=0.0, maximum=1.0
    )
    layers: str = param("stem", "which layers' statistics are adapted, from the first on", choices=tuple(LAYERS))
    validation: str = param(
        "", "labelled dataset to score and to choose thresholds on (empty: no score; as many objects as before)"
    )
    self_training: bool = param(
        False, "train on the pictures with what an average of the model finds in them, instead of statistics alone"
    )
    synthetic: str = param("", "labelled dataset that self-training also shows, best the one of the training")
    replay: float = param(0.5, "share of the labelled dataset in what self-training shows", minimum=0.0, maximum=0.95)
    precision_target: float = param(
        0.0,
        "self-training believes detections from the score on at which so large a share is right, measured on the "
        "validation set or else the labelled dataset (0: the bundle's recommended scores)",
        minimum=0.0,
        maximum=1.0,
    )
    steps: int = param(400, "steps of self-training", minimum=1)
    batch: int = param(8, "pictures of a step of self-training, the labelled ones included", minimum=2, maximum=1024)
    learning_rate: float = param(0.0002, "peak learning rate of self-training", minimum=1e-7, maximum=1.0)
    teacher_decay: float = param(
        0.996, "decay of the weights' average that labels the pictures", minimum=0.0, maximum=0.99999
    )
    validations: int = param(
        4, "validations of self-training, if there is a set; it ends when two in a row are worse than before", minimum=1
    )
    seed: int = param(1, "seed of the order and of the changed views", minimum=0)
    threads: int = param(0, "torch threads (0: all cores)", minimum=0, maximum=1024)

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: not exactly one source of pictures is given, or something without what it needs.
        """
        if bool(self.images) == bool(self.bag):
            what = "both images and bag are given" if self.images else "no pictures are given"
            raise UserError(what, fix="give one of --images DIR and --bag BAG")
        if self.topic and not self.bag:
            raise UserError("a topic is given without a bag", fix="give --bag, or leave --topic out")
        if self.synthetic and not self.self_training:
            raise UserError("synthetic is for self-training", fix="add --self-training, or leave --synthetic out")
        if self.precision_target and not (self.validation or self.synthetic):
            raise UserError("precision_target needs labels", fix="give --validation DIR or --synthetic DIR")

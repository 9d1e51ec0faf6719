"""Parameters of `perception-train gap`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param
from perception_infer.running import RunningParams


@dataclass(frozen=True)
class GapParams(RunningParams):
    """Parameters of `perception-train gap`."""

    model: str = param(
        "",
        "NAME or NAME:VERSION in model_root, or the directory of a bundle; settings of its own may follow, such as"
        " NAME:3,precision=int8_cpu",
    )
    model_root: str = param("models", "model repository in which names of models are looked up")
    synthetic: str = param("", "directory of a labelled synthetic dataset that the model was not trained on")
    real: tuple[str, ...] = param((), "real pictures: labelled datasets, or folders of photographs", alone=True)
    bag: tuple[str, ...] = param(
        (), "recordings: rosbag2 directories, or .mcap, .db3 or .bag files of ROS 1", alone=True
    )
    topic: str = param("", "image topic (empty: each recording's only camera's; its raw images where there are both)")
    truth: tuple[str, ...] = param(
        (),
        "what is true in the recordings, for each or for all of them: a COCO file or dataset directory, a topic"
        " (Detection2DArray, or masks in mono8), or none (empty: the topic ground_truth beside the images)",
        alone=True,
    )
    output: str = param("", "directory for gap.html and gap.json; it must not exist")
    most: int = param(
        300, "of more images of a source than these, evenly spaced ones are taken", minimum=2, maximum=2000
    )
    embedding: str = param(
        "auto",
        "what images are compared by: features of the model's backbone, or colours and gradients of the picture; auto:"
        " the model's where this version of the suite knows its architecture",
        choices=("auto", "model", "picture"),
    )
    pictures: int = param(4, "pictures of each kind in the page", minimum=0, maximum=60)

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: model, sources or output are not named, or the truths are not as many as the recordings.
        """
        for name, what in (("model", "MODEL"), ("synthetic", "DATASET"), ("output", "DIR")):
            if not getattr(self, name):
                raise UserError(f"no {name} is given", fix=f"give --{name} {what}")
        if not self.real and not self.bag:
            raise UserError("nothing real is given", fix="give --real DATASET|FOLDER … or --bag BAG …")
        if len(self.truth) > 1 and len(self.truth) != len(self.bag):
            raise UserError(
                f"{len(self.truth)} truths for {len(self.bag)} recordings", fix="give one for all, or one for each"
            )
        if self.truth and not self.bag:
            raise UserError("a truth is given without a recording", fix="give --bag BAG …")

    def truth_of(self, number: int) -> str:
        """What is true in a recording, by its place in ``bag``."""
        if not self.truth:
            return ""
        return self.truth[0] if len(self.truth) == 1 else self.truth[number]

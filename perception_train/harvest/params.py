"""Parameters of `perception-train harvest`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from perception_common.errors import UserError
from perception_common.params import param
from perception_infer.running import RunningParams


@dataclass(frozen=True)
class HarvestParams(RunningParams):
    """Parameters of `perception-train harvest`."""

    bag: tuple[str, ...] = param(
        (), "the recordings: rosbag2 directories, or .mcap, .db3 or .bag files of ROS 1", alone=True
    )
    topic: str = param("", "image topic (empty: each recording's only camera's; its raw images where there are both)")
    model: str = param(
        "",
        "NAME or NAME:VERSION in model_root, or the directory of a bundle; settings of its own may follow, such as"
        " NAME:3,precision=int8_cpu",
    )
    against: str = param(
        "",
        "another version or model with the same classes, written as in `model`: frames in which the two find different"
        " things are worth more (empty: none)",
    )
    model_root: str = param("models", "model repository in which names of models are looked up")
    output: str = param("", "directory of the new dataset; it must not exist")
    count: int = param(100, "frames to pick", minimum=1, maximum=100_000)
    known: tuple[str, ...] = param(
        (),
        "datasets that the model knows, or that are labelled already: what looks like them is not novel, and what is in"
        " them is not picked",
        alone=True,
    )
    tiles: int = param(
        0,
        "look also at tiles of this width in pixels: frames in which they show other things than the whole image are"
        " worth more, and labels come of both (0: the whole image alone)",
        minimum=0,
        maximum=65536,
    )
    score_threshold: float = param(
        -1.0, "score that a detection must reach; -1 takes the model's own, per class", minimum=-1.0, maximum=1.0
    )
    uncertainty: float = param(
        0.7, "weight of what the model is in doubt about; 0 leaves it out", minimum=0.0, maximum=1.0
    )
    disagreement: float = param(
        0.7, "weight of what `against` or tiles answer otherwise; 0 leaves it out", minimum=0.0, maximum=1.0
    )
    inconsistency: float = param(
        0.7, "weight of what comes and goes from frame to frame; 0 leaves it out", minimum=0.0, maximum=1.0
    )
    novelty: float = param(0.7, "weight of how unlike all that is known a frame is", minimum=0.0, maximum=1.0)
    embedding: str = param(
        "auto",
        "what frames are compared by: colours and edges of the picture, and (auto) features of the model's backbone"
        " where this version of the suite knows its architecture",
        choices=("auto", "picture"),
    )
    similar: float = param(
        12.0,
        "frames of which no part (of 24 by 24) differs by more grey levels than this are one picture, picked once",
        minimum=0.0,
        maximum=255.0,
    )
    apart: float = param(1.0, "least seconds between two picks of a recording", minimum=0.0, maximum=86400.0)
    random: float = param(
        0.1,
        "share of the picks that are drawn at random instead, so that labels also tell how good the model usually is",
        minimum=0.0,
        maximum=1.0,
    )
    seed: int = param(0, "seed of the random picks", minimum=0)

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: recordings, model or output are not named, or a recording is named twice.
        """
        if not self.bag:
            raise UserError("no bag was named", fix="give --bag BAG … (directories, or .mcap, .db3 or .bag files)")
        for name in ("model", "output"):
            if not getattr(self, name):
                raise UserError(f"no {name} is given", fix=f"give --{name} {'DIR' if name == 'output' else 'MODEL'}")
        places = [Path(bag).expanduser().resolve() for bag in self.bag]
        for bag, place in zip(self.bag, places, strict=True):
            if places.count(place) > 1:
                raise UserError("the bag is given twice", where=bag, fix="name every recording once")

    def weights(self) -> dict[str, float]:
        """What each of `scores.REASONS` counts."""
        return {
            "uncertainty": self.uncertainty,
            "disagreement": self.disagreement,
            "inconsistency": self.inconsistency,
            "novelty": self.novelty,
        }

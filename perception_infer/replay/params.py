"""The parameters of `perception-infer replay`."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.params import param

from ..running import RunningParams
from ..selection_params import SelectionParams


@dataclass(frozen=True)
class ReplayParams(SelectionParams, RunningParams):
    """Parameters of `perception-infer replay`."""

    bag: str = param("", "the recording: a rosbag2 directory, or a .mcap, .db3 or .bag file")
    model: str = param(
        "",
        "NAME or NAME:VERSION in model_root, or the directory of a bundle; settings of its own may follow, such as"
        " NAME:3,precision=int8_cpu,backend=onnxruntime",
    )
    model_root: str = param("models", "model repository in which names of models are looked up")
    topic: str = param("", "image topic (empty: the only camera's; its raw images where there are both)")
    truth: str = param(
        "",
        "what is true: a COCO file or dataset directory, or a topic of the recording (Detection2DArray, or masks in"
        " mono8); none: nothing (empty: the topic ground_truth beside the images, where there is one)",
    )
    output: str = param("runs/replay", "directory for replay.json, frames.jsonl and report.html; made anew every time")
    compare: tuple[str, ...] = param(
        (), "models to compare, the one to beat first, written as in `model`: a directory each, and comparison.json"
    )
    gate: str = param(
        "",
        'conditions that set the exit status, such as "map50>=0.8, p99_ms<=50" and, with compare, "drop(map)<=0.01" or'
        ' "not worse(map50)"',
    )
    resamples: int = param(
        1000, "resamples of the bootstrap behind a comparison's intervals", minimum=10, maximum=1_000_000
    )
    sessions: int = param(
        0,
        "frames that are answered side by side, each by a session of its own; 1 times them as the node would"
        " (0: one for each core, four at most, of one thread each, where a CPU runs the graph)",
        minimum=0,
        maximum=64,
    )
    frames: int = param(0, "end after so many frames (0: all)", minimum=0)
    min_score: float = param(
        0.001, "detections that score less are neither scored nor written", minimum=0.0, maximum=1.0
    )
    report: bool = param(True, "write report.html")
    pictures: int = param(120, "frames whose picture is in the report", minimum=0, maximum=5000)
    picture_width: int = param(640, "width of these pictures in pixels", minimum=64, maximum=4096)
    with_images: str = param("", "directory for pictures of all frames, which the report links (empty: none)")
    bag_output: str = param(
        "",
        "write what was found into a new recording (mcap): this directory, with compare one in it for each (empty: no)",
    )
    overlay: bool = param(False, "write the images with what was found drawn over them into that recording too")

"""The parameters of `perception_sim`'s commands and node; needs neither OpenGL nor ROS."""

from __future__ import annotations

import dataclasses

from perception_common.params import param


@dataclasses.dataclass(frozen=True)
class GenerateParams:
    """Parameters of `perception-sim generate`."""

    output: str = param("", "directory of the dataset; an interrupted run continues when it is started again")
    preset: str = param("demo", "difficulty: a preset's name, or the path of a YAML file")
    images: int = param(1000, "how many images", minimum=1, maximum=1_000_000)
    seed: int = param(1, "fixes everything that is random", minimum=0, maximum=2**53)
    workers: int = param(0, "processes; 0 is one per core", minimum=0, maximum=256)
    width: int = param(320, "image width in pixels", minimum=32, maximum=4096)
    height: int = param(240, "image height in pixels", minimum=32, maximum=4096)
    views_per_scene: int = param(4, "images of each scene, from different sides", minimum=1, maximum=1000)
    image_format: str = param("jpg", "file format of the images", choices=("jpg", "png"))
    jpg_quality: int = param(92, "quality of jpg images", minimum=1, maximum=100)
    masks: bool = param(True, "write semantic masks (masks/*.png, uint8, 0 = background, else the category id)")
    min_box_px: float = param(
        -1.0, "least length of the longer side of a labelled box in pixels; -1 as the preset says", minimum=-1.0
    )
    max_occlusion: float = param(
        -1.0, "greatest hidden share of a labelled object; -1 as the preset says", minimum=-1.0, maximum=1.0
    )
    contact_sheet: bool = param(True, "draw contact_sheet.png")


@dataclasses.dataclass(frozen=True)
class ViewParams:
    """Parameters of `perception-sim view`."""

    dataset: str = param("", "directory of a dataset (images/ and annotations.json)")
    output: str = param("", "the PNG to write; by default contact_sheet.png in the current directory")
    columns: int = param(6, "pictures side by side", minimum=1, maximum=40)
    rows: int = param(4, "pictures below each other", minimum=1, maximum=40)
    first: int = param(0, "number of the first image; 0 spreads the pictures over the whole dataset", minimum=0)


@dataclasses.dataclass(frozen=True)
class SimCameraParams:
    """Parameters of sim_camera_node."""

    preset: str = param("demo", "difficulty: a preset's name, or the path of a YAML file")
    seed: int = param(700_001, "fixes scenes, camera path and noise", minimum=0, maximum=2**53)
    rate: float = param(10.0, "frames a second", minimum=0.1, maximum=1000.0)
    width: int = param(320, "image width in pixels", minimum=32, maximum=4096)
    height: int = param(240, "image height in pixels", minimum=32, maximum=4096)
    scene_seconds: float = param(6.0, "how long a scene lasts, in seconds", minimum=0.5, maximum=86_400.0)
    frame_id: str = param("sim_camera_optical_frame", "frame of the camera's optical axes (x right, y down, z forward)")
    encoding: str = param("bgr8", "encoding of the image", choices=("bgr8", "rgb8"))
    max_frames: int = param(0, "end after so many frames; 0 is never", minimum=0)

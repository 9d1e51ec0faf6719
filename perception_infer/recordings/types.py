"""The message types that we read and write, for `rosbags`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_common.shipped import share_folders

IMAGE, COMPRESSED_IMAGE = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"
IMAGES = (IMAGE, COMPRESSED_IMAGE)
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
DETECTIONS = "vision_msgs/msg/Detection2DArray"
LABEL_INFO, VISION_INFO = "vision_msgs/msg/LabelInfo", "vision_msgs/msg/VisionInfo"
_PACKAGE = "vision_msgs"
_SOURCE = Path(__file__).resolve().parents[2]


def rosbags() -> Any:
    """The library, imported when it is needed first.

    Raises:
        UserError: it is not installed.
    """
    try:
        import rosbags
    except ImportError as error:
        raise UserError("bags need the Python package rosbags", fix="pip install rosbags") from error
    return rosbags


@lru_cache(maxsize=1)
def ros2_types() -> Any:
    """A store of ROS 2's common types and those of vision_msgs 4.

    Raises:
        UserError: rosbags is not installed, or the definitions of vision_msgs are nowhere to be found.
    """
    rosbags()
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    store = get_typestore(Stores.LATEST)
    found: dict[str, Any] = {}
    for path in sorted(_definitions().glob("*.msg")):
        found |= get_types_from_msg(path.read_text(encoding="utf-8"), f"{_PACKAGE}/msg/{path.stem}")
    store.register({name: fields for name, fields in found.items() if name.startswith(f"{_PACKAGE}/")})
    return store


def full_name(kind: str) -> str:
    """``sensor_msgs/msg/Image`` of that or of the older ``sensor_msgs/Image``."""
    package, _, rest = kind.partition("/")
    return kind if rest.startswith("msg/") or not rest else f"{package}/msg/{rest}"


def _definitions() -> Path:
    """The directory of vision_msgs' .msg files: of the ROS that is sourced, of this installation, or of the sources."""
    shared = share_folders()
    candidates = [
        _SOURCE / "overlay" / _PACKAGE / "msg",
        *(share / "perception_suite" / _PACKAGE for share in shared),
        *(share / _PACKAGE / "msg" for share in shared),
    ]
    for directory in candidates:
        if (directory / "Detection2DArray.msg").is_file():
            return directory
    raise UserError(
        f"the definitions of {_PACKAGE} are not installed",
        where=candidates[-1],
        fix="install ros-$ROS_DISTRO-vision-msgs, or install perception_suite again",
    )

"""Camera drivers of others, and how infer_node listens to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from perception_common import topics
from perception_common.errors import UserError
from perception_common.launching.arguments import image_topic, joined

_IMAGE, _INFO, _DEPTH = topics.IMAGE.name, topics.CAMERA_INFO.name, topics.DEPTH.name
#: The namespace of the driver's topics, below that of the robot.
CAMERA = "camera"


@dataclass(frozen=True)
class Driver:
    """What starts a driver, and its topics below the camera's namespace.

    A driver has an ``executable``, or else it is a component, ``plugin``. ``for_depth`` holds the parameters without
    which it publishes no depth image with the view of its colour camera.
    """

    package: str
    executable: str = ""
    plugin: str = ""
    image: str = "image_raw"
    info: str = "camera_info"
    depth: str = ""
    for_depth: dict[str, Any] = field(default_factory=dict)


DRIVERS = {
    "v4l2_camera": Driver("v4l2_camera", "v4l2_camera_node"),
    "usb_cam": Driver("usb_cam", "usb_cam_node_exe"),
    "realsense": Driver(
        "realsense2_camera",
        "realsense2_camera_node",
        image="camera/color/image_raw",
        info="camera/color/camera_info",
        depth="camera/aligned_depth_to_color/image_raw",
        for_depth={"align_depth.enable": True},
    ),
    "argus": Driver(
        "isaac_ros_argus_camera",
        plugin="nvidia::isaac_ros::argus::ArgusMonoNode",
        image="left/image_raw",
        info="left/camera_info",
    ),
}
NONE = "none"


@dataclass(frozen=True)
class Hearing:
    """What infer_node is told to hear a camera, and what the driver is told for it."""

    parameters: dict[str, Any]
    remappings: dict[str, str]
    of_driver: dict[str, Any]


def hearing(camera: str, image: str = "", info: str = "", depth: bool = False, depth_image: str = "") -> Hearing:
    """How infer_node hears a camera.

    Args:
        camera: one of `DRIVERS`, or ``none``.
        image: topic in the place of the driver's; it may end in ``/compressed``.
        info: likewise, of the calibration.
        depth: place detections in space with the camera's depth image.
        depth_image: topic in the place of the driver's.

    Raises:
        UserError: there is no depth image.
    """
    driver = DRIVERS.get(camera, Driver("", image="", info=""))
    own = {name: joined(CAMERA, topic) if topic else "" for name, topic in _topics(driver).items()}
    topic, compressed = image_topic(image or own[_IMAGE])
    names = {_IMAGE: topic, _INFO: info or own[_INFO]}
    parameters: dict[str, Any] = {"image_transport": "compressed"} if compressed else {}
    if depth:
        names[_DEPTH] = depth_image or own[_DEPTH]
        if not names[_DEPTH]:
            raise UserError(
                f"camera:={camera} has no depth image that is known here", fix="name its topic: depth_image"
            )
        parameters["detections_3d"] = "depth"
    kept = {name: target for name, target in names.items() if target}
    return Hearing(parameters, kept, driver.for_depth if depth and not depth_image else {})


def _topics(driver: Driver) -> dict[str, str]:
    return {_IMAGE: driver.image, _INFO: driver.info, _DEPTH: driver.depth}

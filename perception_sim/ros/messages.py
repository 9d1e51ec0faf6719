"""Frames of live cameras as ROS messages."""

from __future__ import annotations

import cv2
import numpy as np
from geometry_msgs.msg import Pose, PoseStamped, TransformStamped, Vector3
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, Detection3DArray

from perception_common.ros.images import image_to_msg
from perception_common.ros.vision import boxes_3d_to_msg, detections_to_msg, pose

from ..camera import View
from ..depth import in_millimetres
from ..live import Frame
from ..live.boxes import quaternion


def picture(frame: Frame, encoding: str, header: Header) -> Image:
    """The picture as rgb8 or bgr8."""
    pixels = frame.rgb if encoding == "rgb8" else cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2BGR)
    return image_to_msg(pixels, encoding, header)


def camera_info(frame: Frame, header: Header) -> CameraInfo:
    """The calibration.

    A rectified image keeps the camera matrix. The right one of two parallel cameras side by side tells its distance
    from the left one in ``p``, as stereo processing reads it.
    """
    height, width = frame.rgb.shape[:2]
    k, d, model = frame.model
    p = np.zeros((3, 4))
    p[:, :3] = np.reshape(k, (3, 3))
    if frame.mount.sideways:
        p[0, 3] = -p[0, 0] * frame.mount.right
    return CameraInfo(
        header=header,
        width=width,
        height=height,
        distortion_model=model,
        d=list(d),
        k=list(k),
        r=np.eye(3).ravel().tolist(),
        p=p.ravel().tolist(),
    )


def boxes(frame: Frame, header: Header) -> Detection2DArray:
    """The labelled objects as boxes in the image; an id is the same while a scene lasts."""
    corners = np.array([instance.box for instance in frame.instances], np.float32).reshape(-1, 4)
    names = [instance.label for instance in frame.instances]
    return detections_to_msg(header, corners, np.ones(len(names), np.float32), names, _ids(frame))


def boxes_3d(frame: Frame, header: Header) -> Detection3DArray:
    """The same objects, in the same order and with the same ids, as boxes in the optical frame."""
    found = frame.boxes_3d()
    names = [instance.label for instance in frame.instances]
    poses = [pose(box.center.tolist(), box.orientation) for box in found]
    sizes = np.array([box.size for box in found]).reshape(-1, 3)
    return boxes_3d_to_msg(header, poses, sizes, np.ones(len(names), np.float32), names, _ids(frame))


def depth_image(frame: Frame, encoding: str, header: Header) -> Image:
    """The depth as 16UC1 or 32FC1."""
    if frame.depth is None:
        raise ValueError("the frame was made without depth")
    return image_to_msg(in_millimetres(frame.depth) if encoding == "16UC1" else frame.depth, encoding, header)


def camera_pose(view: View) -> Pose:
    """Where the optical frame is in the world."""
    return pose(view.position, quaternion(view.axes.T))


def pose_stamped(view: View, header: Header, world: str) -> PoseStamped:
    """The same with the time of ``header``, in the frame ``world``."""
    return PoseStamped(header=Header(stamp=header.stamp, frame_id=world), pose=camera_pose(view))


def transform(view: View, header: Header, world: str) -> TransformStamped:
    """The transform from the optical frame, that of ``header``, to ``world``."""
    message = TransformStamped(header=Header(stamp=header.stamp, frame_id=world), child_frame_id=header.frame_id)
    x, y, z = view.position
    message.transform.translation = Vector3(x=x, y=y, z=z)
    message.transform.rotation = camera_pose(view).orientation
    return message


def _ids(frame: Frame) -> list[str]:
    return [f"{frame.scene}.{instance.thing}" for instance in frame.instances]

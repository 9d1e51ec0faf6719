"""Detections and labels to and from vision_msgs.

Boxes are xyxy pixels with the whole image 0, 0, W, H; boxes in space are in metres in the camera's optical frame.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import Point, Pose, Quaternion, Vector3
from std_msgs.msg import Header
from vision_msgs.msg import (
    Detection2D,
    Detection2DArray,
    Detection3D,
    Detection3DArray,
    LabelInfo,
    ObjectHypothesisWithPose,
    VisionClass,
)


def detections_to_msg(
    header: Header,
    boxes: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    class_ids: Sequence[str],
    ids: Sequence[str] = (),
) -> Detection2DArray:
    """Boxes float [N, 4], scores float [N] and class ids as a message; every detection carries ``header``.

    ``ids`` say which object it is, the same from message to message, where that is known.
    """
    message = Detection2DArray(header=header)
    tracks = ids or [""] * len(class_ids)
    for (left, top, right, bottom), score, class_id, track in zip(
        boxes.tolist(), scores.tolist(), class_ids, tracks, strict=True
    ):
        detection = Detection2D(header=header, results=[_hypothesis(class_id, score)], id=track)
        detection.bbox.center.position.x = (left + right) / 2
        detection.bbox.center.position.y = (top + bottom) / 2
        detection.bbox.size_x = right - left
        detection.bbox.size_y = bottom - top
        message.detections.append(detection)
    return message


def boxes_3d_to_msg(
    header: Header,
    poses: Sequence[Pose],
    sizes: npt.NDArray[np.floating],
    scores: npt.NDArray[np.floating],
    class_ids: Sequence[str],
    ids: Sequence[str] = (),
) -> Detection3DArray:
    """Boxes in the frame of ``header`` as a message: the pose of each one's middle, and sizes float [N, 3] in metres.

    The hypothesis has the same pose, and every detection carries ``header``.
    """
    message = Detection3DArray(header=header)
    tracks = ids or [""] * len(class_ids)
    for middle, (x, y, z), score, class_id, track in zip(
        poses, sizes.tolist(), scores.tolist(), class_ids, tracks, strict=True
    ):
        result = _hypothesis(class_id, score)
        result.pose.pose = middle
        detection = Detection3D(header=header, results=[result], id=track)
        detection.bbox.center = middle
        detection.bbox.size = Vector3(x=x, y=y, z=z)
        message.detections.append(detection)
    return message


def pose(position: Sequence[float], orientation: Sequence[float]) -> Pose:
    """A pose from a position in metres and a unit quaternion x, y, z, w."""
    (x, y, z), (a, b, c, d) = map(float, position), map(float, orientation)
    return Pose(position=Point(x=x, y=y, z=z), orientation=Quaternion(x=a, y=b, z=c, w=d))


def detections_from_msg(
    message: Detection2DArray,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], list[str]]:
    """Boxes float32 [N, 4], scores float32 [N] and class ids of the best hypothesis of each detection."""
    boxes, scores, class_ids = [], [], []
    for detection in message.detections:
        if not detection.results:
            continue
        best = max(detection.results, key=lambda result: result.hypothesis.score).hypothesis
        center, half_x, half_y = detection.bbox.center.position, detection.bbox.size_x / 2, detection.bbox.size_y / 2
        boxes.append((center.x - half_x, center.y - half_y, center.x + half_x, center.y + half_y))
        scores.append(best.score)
        class_ids.append(best.class_id)
    return np.asarray(boxes, np.float32).reshape(-1, 4), np.asarray(scores, np.float32), class_ids


def label_info(header: Header, classes: Sequence[str], threshold: float, background: bool = False) -> LabelInfo:
    """Class names by id; with ``background``, id 0 is the background and the classes start at 1."""
    names = ["background", *classes] if background else list(classes)
    return LabelInfo(
        header=header,
        class_map=[VisionClass(class_id=i, class_name=name) for i, name in enumerate(names)],
        threshold=float(threshold),
    )


def _hypothesis(class_id: str, score: float) -> ObjectHypothesisWithPose:
    result = ObjectHypothesisWithPose()
    result.hypothesis.class_id = class_id
    result.hypothesis.score = score
    return result

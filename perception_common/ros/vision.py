"""Detections and labels to and from vision_msgs. Boxes are xyxy pixels with the whole image 0, 0, W, H."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from std_msgs.msg import Header
from vision_msgs.msg import Detection2D, Detection2DArray, LabelInfo, ObjectHypothesisWithPose, VisionClass


def detections_to_msg(
    header: Header, boxes: npt.NDArray[np.floating], scores: npt.NDArray[np.floating], class_ids: Sequence[str]
) -> Detection2DArray:
    """Boxes float [N, 4], scores float [N] and class ids as a message; every detection carries ``header``."""
    message = Detection2DArray(header=header)
    for (left, top, right, bottom), score, class_id in zip(boxes.tolist(), scores.tolist(), class_ids, strict=True):
        result = ObjectHypothesisWithPose()
        result.hypothesis.class_id = class_id
        result.hypothesis.score = score
        detection = Detection2D(header=header, results=[result])
        detection.bbox.center.position.x = (left + right) / 2
        detection.bbox.center.position.y = (top + bottom) / 2
        detection.bbox.size_x = right - left
        detection.bbox.size_y = bottom - top
        message.detections.append(detection)
    return message


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

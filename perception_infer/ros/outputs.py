"""What infer_node publishes: results of a frame, pictures for viewers, and which model serves."""

from __future__ import annotations

from collections.abc import Sequence

from rclpy.node import Node
from std_msgs.msg import Header
from vision_msgs.msg import VisionInfo

from perception_common.ros.images import Pixels, image_to_msg
from perception_common.ros.vision import detections_to_msg, label_info

from ..contract.detections import Result, Segmentation
from ..draw import colour_mask, draw_detections, draw_mask
from ..predictor import Predictor
from . import ends
from .infer_params import InferParams
from .spatial import Places


class Outputs:
    """The publishers of infer_node, ordinary ones that live as long as the node.

    Args:
        node: theirs.
        prefixes: what stands before the names of each camera's topics, such as ``front/``.
    """

    def __init__(self, node: Node, prefixes: Sequence[str]) -> None:
        self._cameras = [CameraOutputs(node, prefix) for prefix in prefixes]
        #: By camera; none where places are not asked for.
        self.places: list[Places] = []
        self._label_info = ends.LABEL_INFO.create(node)
        self._model_status = ends.MODEL_STATUS.create(node)

    def of(self, source: int) -> CameraOutputs:
        """Those of a camera."""
        return self._cameras[source]

    def watched(self, source: int | None = None) -> bool:
        """Whether anybody subscribes to a result of a camera's frames, or of any camera's."""
        chosen = slice(None) if source is None else slice(source, source + 1)
        places = self.places[chosen]
        return any(camera.watched() for camera in self._cameras[chosen]) or any(place.watched() for place in places)

    def publish_model(self, header: Header, predictor: Predictor) -> None:
        """Say which model serves from the image of ``header`` on; called before that image's result."""
        manifest = predictor.bundle.manifest
        segments = manifest.task == "segmentation"
        self._label_info.publish(
            label_info(header, manifest.classes, float(predictor.thresholds.min()), background=segments)
        )
        self._model_status.publish(
            VisionInfo(
                header=header,
                method=manifest.name,
                database_location=predictor.bundle.uri,
                database_version=manifest.version,
            )
        )


class CameraOutputs:
    """The publishers of what is found in one camera's images."""

    def __init__(self, node: Node, prefix: str) -> None:
        self._detections = ends.DETECTIONS.create(node, prefix)
        self._mask = ends.MASK.create(node, prefix)
        self._mask_colour = ends.MASK_COLOR.create(node, prefix)
        self._overlay = ends.OVERLAY.create(node, prefix)

    def watched(self) -> bool:
        """Whether anybody subscribes to a result of a frame."""
        results = (self._detections, self._mask, self._mask_colour, self._overlay)
        return any(publisher.get_subscription_count() for publisher in results)

    def publish_result(self, header: Header, result: Result, predictor: Predictor, params: InferParams) -> list[str]:
        """Publish what was found in the image of ``header``, also when it is nothing; the class ids of detections."""
        if isinstance(result, Segmentation):
            self._mask.publish(image_to_msg(result.mask, "mono8", header))
            return []
        names = predictor.classes
        by_name = params.class_id_format == "name"
        class_ids = [names[label] if by_name else str(label) for label in result.labels.tolist()]
        self._detections.publish(detections_to_msg(header, result.boxes, result.scores, class_ids))
        return class_ids

    def publish_pictures(
        self, header: Header, rgb: Pixels, result: Result, predictor: Predictor, params: InferParams
    ) -> None:
        """Draw and publish pictures, each only when someone looks at it."""
        if isinstance(result, Segmentation):
            if self._mask_colour.get_subscription_count():
                self._mask_colour.publish(image_to_msg(colour_mask(result.mask), "rgb8", header))
            if self._overlay.get_subscription_count():
                self._overlay.publish(image_to_msg(draw_mask(rgb, result.mask, params.overlay_opacity), "rgb8", header))
        elif self._overlay.get_subscription_count():
            scores = result.scores if params.overlay_scores else None
            drawn = draw_detections(rgb, result.boxes, result.labels, predictor.classes, scores)
            self._overlay.publish(image_to_msg(drawn, "rgb8", header))

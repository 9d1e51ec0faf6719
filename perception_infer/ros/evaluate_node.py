"""Node ``evaluate_node``: scores live detections against ground truth, by stamp, version and over time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Float64
from vision_msgs.msg import Detection2DArray, VisionInfo

from perception_common import durable
from perception_common.errors import UserError
from perception_common.ros import compat, diagnostics, node
from perception_common.ros.images import ImageError, image_from_msg
from perception_common.ros.parameters import NodeParameters
from perception_common.ros.vision import detections_from_msg
from perception_common.stamps import stamp_of

from ..evaluation.live import Boxes, LiveEvaluation, ScoredFrame
from ..evaluation.metrics import finite
from ..evaluation.reports import Reports
from ..evaluation.samples import SampleStore
from ..evaluation.summary import summarise
from . import ends
from .evaluate_params import EvaluateParams, names_from
from .frames import SequenceGaps
from .transports import image_topic

NAME = "evaluate_node"
TRUTH, DETECTIONS, IMAGE = (end.topic.name for end in (ends.HEARD_TRUTH, ends.HEARD_DETECTIONS, ends.SEEN_IMAGE))
_THROTTLE_S = 10.0


class EvaluateNode(Node):
    """Wiring only: subscriptions feed `LiveEvaluation`, timers publish and write what it found."""

    def __init__(self) -> None:
        super().__init__(NAME)
        self.params = NodeParameters(self, EvaluateParams).value
        self._live, self._names = LiveEvaluation(self.params.window), names_from(self.params.truth_names)
        self._output = Path(self.params.output).resolve() if self.params.output else None
        self._samples: SampleStore | None = None
        self._reports, self._gaps = Reports(), SequenceGaps()
        self._answering: set[str] = set()
        self._heard: dict[str, float] = {}
        self._started = time.monotonic()
        self._told: tuple[list[str], float] = ([], 0.0)
        self._published = 0
        if self._output is not None:
            durable.ensure_writable(self._output.parent)
            if self.params.samples:
                self._samples = SampleStore(
                    self._output.with_suffix(".samples"), self.params.samples, self.params.sample_period
                )
        self._subscribe()
        self._map50 = ends.LIVE_MAP50.create(self)
        self._diagnostics = diagnostics.Diagnostics(self, NAME, self._report)
        # Real time: a recording that has ended leaves simulated time standing still.
        steady = compat.steady_clock()
        self.create_timer(1.0, self._every_second, clock=steady)
        if self._output is not None:
            self.create_timer(self.params.write_period, self.write, clock=steady)

    def write(self) -> None:
        """Write the results now; a failure is logged and the node goes on."""
        if self._output is None:
            return
        result = summarise(self._live, self.params.swap_window)
        result["samples_directory"] = str(self._samples.directory) if self._samples else None
        result["samples"] = self._samples.listing(self._live.version_of) if self._samples else []
        result["diagnostics"] = self._reports.newest
        result["drops"] = self._reports.drops(self._answering, self._gaps.lost)
        result["parameters"] = asdict(self.params)
        try:
            durable.write_text(self._output, json.dumps(result) + "\n")
        except UserError as error:
            self.get_logger().error(str(error), throttle_duration_sec=_THROTTLE_S)

    def close(self) -> None:
        """Write the final results."""
        self.write()
        self._diagnostics.close()

    def _subscribe(self) -> None:
        with_info = compat.with_message_info
        ends.HEARD_TRUTH.create(self, self._on_truth)
        ends.HEARD_DETECTIONS.create(self, with_info(self._on_detections))
        ends.HEARD_STATUS.create(self, with_info(self._on_status))
        ends.HEARD_DIAGNOSTICS.create(self, self._on_diagnostics)
        if self._samples is not None:
            kind, self._image_topic = image_topic(self, IMAGE, self.params.image_transport)
            ends.SEEN_IMAGE.create(self, with_info(self._on_image), kind=kind, full=self._image_topic)

    def _on_truth(self, message: Detection2DArray) -> None:
        self._hear(TRUTH)
        boxes, _, ids = detections_from_msg(message)
        names = [self._names.get(one, one) for one in ids]
        self._keep_sample(self._live.add_truth(stamp_of(message), Boxes(boxes, names)))

    def _on_detections(self, message: Detection2DArray, info: Mapping[str, Any]) -> None:
        self._hear(DETECTIONS)
        self._gaps.observe(compat.publisher_gid(info), compat.publication_sequence_number(info))
        boxes, scores, names = detections_from_msg(message)
        found, received = Boxes(boxes, names, scores), compat.received_ns(info) or 0
        self._keep_sample(self._live.add_detections(stamp_of(message), self._arrival(info), found, received))

    def _on_status(self, message: VisionInfo, info: Mapping[str, Any]) -> None:
        if self._live.add_serving(message.database_version, stamp_of(message), self._arrival(info)):
            self.get_logger().info(f"version {message.database_version} of '{message.method}' serves")

    def _on_image(self, message: Image | CompressedImage, info: Mapping[str, Any]) -> None:
        self._hear(IMAGE)
        received = compat.received_ns(info)
        if received is not None:
            self._live.add_image(stamp_of(message), received)
        if self._samples is not None:
            self._samples.offer(stamp_of(message), lambda: image_from_msg(message))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        # Asked while they are there: at the end of this node, theirs may have ended.
        publishers = self.get_publishers_info_by_topic(self.resolve_topic_name(DETECTIONS))
        self._answering |= {f"{one.node_namespace.rstrip('/')}/{one.node_name}" for one in publishers}
        for status in message.status:
            values = {entry.key: entry.value for entry in status.values}
            self._reports.add(status.name, status.message, stamp_of(message), values)

    def _keep_sample(self, frame: ScoredFrame | None) -> None:
        if frame is None or self._samples is None:
            return
        try:
            self._samples.take(frame, self._live.version_of(frame.stamp))
        except (ImageError, UserError) as error:
            self.get_logger().warning(f"no sample picture: {error}", throttle_duration_sec=_THROTTLE_S)

    def _arrival(self, info: Mapping[str, Any]) -> int:
        received = compat.received_ns(info)
        # The middleware stamps with system time, which is not the clock of the images under simulated time.
        if received is None or self.get_parameter("use_sim_time").value:
            return int(self.get_clock().now().nanoseconds)
        return received

    def _hear(self, topic: str) -> None:
        self._heard[topic] = time.monotonic()

    def _silent(self) -> list[str]:
        """Topics from which nothing came for too long, resolved, with the number of their publishers."""
        topics = {name: self.resolve_topic_name(name) for name in (TRUTH, DETECTIONS)}
        if self._samples is not None:
            topics[IMAGE] = self._image_topic
        now = time.monotonic()
        late = [
            topic for name, topic in topics.items() if now - self._heard.get(name, self._started) > self.params.silence
        ]
        return [f"{topic} ({self.count_publishers(topic)} publishers)" for topic in late]

    def _every_second(self) -> None:
        self._tell_of(self._silent())
        if len(self._live.scored) != self._published:
            self._published = len(self._live.scored)
            map50 = finite(self._live.recent().map50)
            if map50 is not None:
                self._map50.publish(Float64(data=map50))

    def _tell_of(self, silent: list[str]) -> None:
        """Log a line now and then, and at once when it is about other topics than the one before."""
        told, at = self._told
        now = time.monotonic()
        if silent and (silent != told or now - at >= _THROTTLE_S):
            self.get_logger().warning(f"nothing came for {self.params.silence:g} s on: {', '.join(silent)}")
            at = now
        self._told = silent, at

    def _report(self) -> tuple[bytes, str, dict[str, Any]]:
        silent = self._silent()
        live = self._live
        values = {
            "frames_truth": live.truth_count,
            "frames_detections": len(live.outputs),
            "frames_scored": len(live.scored),
            "frames_without_detections": live.unanswered + live.waiting(),
            "serving_version": live.serving[-1].version if live.serving else 0,
        }
        level = diagnostics.WARN if silent else diagnostics.OK
        return level, "silent: " + ", ".join(silent) if silent else "scoring", values


def main(args: list[str] | None = None) -> int:
    """Run the node until it is stopped."""
    return node.run(EvaluateNode, NAME, EvaluateParams, args, interface=ends.EVALUATE)


if __name__ == "__main__":
    sys.exit(main())

"""infer_node: camera images in, detections out, with a model that is replaced while it runs. Wiring only."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from vision_msgs.msg import VisionInfo

from perception_common.errors import UserError
from perception_common.flood import FloodGate
from perception_common.heap import keep_few_heaps
from perception_common.ros import compat, secured
from perception_common.ros.diagnostics import ERROR, OK, WARN, Diagnostics
from perception_common.ros.node import run
from perception_common.ros.parameters import NodeParameters

from ..cancelling import Cancelled
from ..serving import Announcement, ModelServer, Watchdog
from . import ends, report
from .cameras import Cameras
from .infer_params import InferParams
from .opening import open_server
from .outputs import Outputs
from .pipeline import Pipeline
from .spatial import Places
from .transports import image_topic
from .worker import FrameWorker

_THROTTLE_SECONDS = 5.0
_WATCH_SECONDS = 0.25
_SWITCH_SECONDS = 0.001
#: From the signal on which the node is to end; what does not end by then is left.
_END_SECONDS = 1.8
_LEVELS = {"ok": OK, "warn": WARN, "error": ERROR}
_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class InferNode(LifecycleNode):
    """Wires `InferParams`, `FrameWorker`, `Pipeline` and `ModelServer` to topics and the lifecycle."""

    def __init__(self) -> None:
        super().__init__("infer_node")
        self._params = NodeParameters(self, InferParams, self._on_change)
        for name in ("model_root", "model"):
            if not getattr(self._params.value, name):
                raise UserError(f"parameter '{name}' is not set", where="node infer_node", fix=f"-p {name}:=VALUE")
        self._server: ModelServer | None = None
        self._listeners: list[Any] = []
        self._state, self._failure, self._starting, self._broken = "unconfigured", "", False, False
        self._ending, self._gate = threading.Event(), FloodGate()
        self._times = report.Times()
        clock = self.get_clock()
        self._cameras = [f"{name}/" for name in self._params.value.cameras] or [""]
        self._outputs = Outputs(self, self._cameras)
        self._pipeline = Pipeline(
            self._outputs, lambda: self._server, lambda: self._params.value, lambda: clock.now().nanoseconds,
            self._times, self._arriving, self._complain,
        )  # fmt: skip
        self._worker = FrameWorker(
            self._pipeline, lambda: self._server is not None and self._server.replacing, self._on_failure,
            len(self._cameras), self._batch,
        )  # fmt: skip
        self._images = Cameras(self, self.get_logger().warning, len(self._cameras))
        self._watchdog = Watchdog(
            lambda: self._server, lambda: self._params.value.hang_seconds, self._worker.replace, self._fail
        )
        # Real time: simulated time may not run.
        steady = compat.steady_clock()
        self.create_timer(_WATCH_SECONDS, self._watchdog.look, clock=steady)
        self._diagnostics = Diagnostics(self, "perception_infer", self._report)
        if self._params.value.autostart:
            self._starter = self.create_timer(0.0, self._start, clock=steady)

    def on_configure(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Load and check the model; listen for images and announcements."""
        params = self._params.value
        name = self.get_fully_qualified_name()
        try:
            self._server = open_server(lambda: self._params.value, name, self._tell, self._idle, self._ending)
            with secured.told():
                self._listen(params)
        except (UserError, Cancelled) as error:
            self._free()
            self._failure = str(error) or "told to end"
            # At autostart the process ends with this line; told once is enough.
            if not self._starting and not self._ending.is_set():
                self.get_logger().error(self._failure)
            return _FAILURE
        self._params.lock()
        self._state, self._failure = "inactive", ""
        return _SUCCESS

    def on_activate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Answer frames."""
        self._worker.resume()
        self._images.watch.begin()
        self._state = "active"
        return _SUCCESS

    def on_deactivate(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Stop answering frames; models, subscriptions and loading go on."""
        self._worker.pause()
        self._images.watch.end()
        self._state = "inactive"
        return TransitionCallbackReturn.ERROR if self._broken else _SUCCESS

    def on_cleanup(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and stop listening."""
        if self._broken:
            # What is to be done is done by `on_error`.
            return TransitionCallbackReturn.ERROR
        self._free()
        return _SUCCESS

    def on_shutdown(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything."""
        self._free()
        return _SUCCESS

    def on_error(self, _state: LifecycleState) -> TransitionCallbackReturn:
        """Free everything; the node may be configured again."""
        self._free()
        self._broken = False
        return _SUCCESS

    def _listen(self, params: InferParams) -> None:
        callbacks = [compat.with_message_info(partial(self._on_image, source)) for source in range(len(self._cameras))]
        name = ends.IMAGE.topic.name
        topics = [image_topic(self, prefix + name, params.image_transport) for prefix in self._cameras]
        self._images.listen([(*topic, callback) for topic, callback in zip(topics, callbacks, strict=True)])
        if params.detections_3d != "off":
            self._outputs.places = [
                Places(self, prefix, lambda: self._params.value, self._complain) for prefix in self._cameras
            ]
        self._listeners.append(ends.CHECKPOINT.create(self, self._on_checkpoint))

    def _free(self) -> None:
        if not self._worker.pause():
            # Another model will need another thread.
            self._worker.replace()
        self._images.close()
        for subscription in self._listeners:
            self.destroy_subscription(subscription)
        self._listeners.clear()
        for places in self._outputs.places:
            places.close(self)
        self._outputs.places = []
        if self._server is not None:
            self._server.close()
        self._server, self._state = None, "unconfigured"
        self._params.lock(False)

    def interrupt(self) -> None:
        """Give up loading; called by the handler of a signal, in the midst of whatever the node does."""
        self._ending.set()

    def close(self) -> None:
        """End the threads, as far as they end within 2 s; called once before the node is destroyed."""
        self._ending.set()
        self._worker.stop(timeout=0.6)
        if self._server is not None:
            self._server.close(timeout=0.6)
        self._diagnostics.close()

    def _idle(self) -> bool:
        """Whether nobody needs answers now."""
        return self._state != "active" or not self._outputs.watched()

    def _on_change(self, old: InferParams, new: InferParams) -> None:
        """Parameters that act on the model at once; an error refuses the change."""
        if new.cameras != old.cameras:
            raise UserError("cameras can only be given at the start", fix="start the node again")
        if self._server is None:
            return
        if new.version != old.version:
            self._server.choose(new.version)
        if new.pin != old.pin:
            self._server.pin(new.pin)

    def _start(self) -> None:
        self.destroy_timer(self._starter)
        self._starting = True
        if self.trigger_configure() != _SUCCESS or self.trigger_activate() != _SUCCESS:
            if self._ending.is_set():
                return
            raise UserError(self._failure or "the node could not be started")
        self._starting = False

    def _fail(self, reason: str) -> None:
        """No model can go on: back to unconfigured by the lifecycle's error path, with the reason on /diagnostics."""
        self._failure, self._broken = reason, True
        self.get_logger().error(f"{reason}; the node is unconfigured until somebody configures it again")
        (self.trigger_deactivate if self._state == "active" else self.trigger_cleanup)()

    def _on_image(self, source: int, message: Any, info: Mapping[str, Any]) -> None:
        self._images.watch.heard(source)
        self._worker.put(message, compat.publisher_gid(info), compat.publication_sequence_number(info), source)

    def _on_checkpoint(self, message: VisionInfo) -> None:
        if self._server is not None:
            self._server.announce(Announcement(message.method, message.database_location, message.database_version))

    def _arriving(self) -> float:
        return self._worker.arriving()

    def _batch(self) -> int:
        expected = self._server.expected() if self._server is not None else None
        return expected.batch if expected is not None else 1

    def _on_failure(self, error: Exception) -> None:
        self._complain(f"frame failed: {error!r}")

    def _complain(self, line: str) -> None:
        self.get_logger().error(line, throttle_duration_sec=_THROTTLE_SECONDS)

    def _tell(self, line: str, is_error: bool) -> None:
        # Announcements are anybody's, and each is answered with a line.
        passed = self._gate(line)
        if passed is not None:
            self.get_logger().error(passed) if is_error else self.get_logger().info(passed)

    def _report(self) -> tuple[bytes, str, Mapping[str, Any]]:
        problems, seen = self._images.report(self._params.value.camera_timeout)
        expected = self._server.expected() if self._server is not None else None
        abreast = expected.abreast if expected is not None else None
        if abreast is not None and abreast.problem:
            problems.append(f"frames are not answered side by side: {abreast.problem}")
        health, message, values = report.diagnostics(
            self._state,
            self._params.value.model,
            self._server.status() if self._server is not None else None,
            self._worker.counts(),
            self._watchdog.replacements,
            self._times,
            self._failure,
            problems,
        )
        values = {**values, **seen, "frames_at_once": self._pipeline.at_once}
        if self._outputs.places:
            values = {**values, "frames_unplaced": sum(places.unplaced for places in self._outputs.places)}
        if len(self._cameras) > 1:
            named = zip(self._params.value.cameras, self._worker.processed(), strict=True)
            values = {**values, **{f"frames_processed.{name}": count for name, count in named}}
        return _LEVELS[health], message, values


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    keep_few_heaps()
    # A frame needs Python's lock some ten times on its way, and a thread that loads a model gives it up so often only.
    sys.setswitchinterval(_SWITCH_SECONDS)
    return run(InferNode, "infer_node", InferParams, args, within=_END_SECONDS, interface=ends.INFER)


if __name__ == "__main__":
    raise SystemExit(main())

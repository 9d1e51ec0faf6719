"""train_node: trains in a process of its own, publishes metrics, and announces every exported bundle. Wiring only."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from std_msgs.msg import Float64
from std_srvs.srv import Trigger
from vision_msgs.msg import VisionInfo

from perception_common import durable
from perception_common.errors import UserError
from perception_common.ros.compat import steady_clock
from perception_common.ros.diagnostics import ERROR, OK, WARN, Diagnostics
from perception_common.ros.node import run
from perception_common.ros.parameters import NodeParameters

from ..data.coco import CocoDataset
from ..data.mixture import Mixture
from ..training.process import TrainingProcess
from ..training.restarts import Restarts
from . import ends
from .params import TrainNodeParams

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_POLL_SECONDS = 0.1


class TrainNode(LifecycleNode):
    """Configure checks datasets and directories, activate trains, deactivate pauses, cleanup ends with a checkpoint."""

    def __init__(self) -> None:
        super().__init__("train_node")
        self._params = NodeParameters(self, TrainNodeParams)
        self._process: TrainingProcess | None = None
        self._restarts = Restarts(self._params.value.restarts)
        self._values: dict[str, Any] = {"state": "unconfigured", "last_error": ""}
        self._checkpoint = ends.CHECKPOINT.create(self)
        self._metrics = {name: ends.METRICS.create(self, name=name) for name in ends.METRICS_NAMES}
        self._diagnostics = Diagnostics(self, "perception_train", self._report)
        # Real time: simulated time may not run yet.
        steady = steady_clock()
        self._poller = self.create_timer(_POLL_SECONDS, self._poll, clock=steady)
        self._service = self.create_service(Trigger, ends.EXPORT, self._on_export)
        self._starting = False
        if self._params.value.autostart:
            self._starter = self.create_timer(0.0, self._start, clock=steady)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Check what can be checked before the first step."""
        params = self._params.value
        try:
            params.require_usable()
            train = Mixture.open(params.dataset, params.shares)
            validation = CocoDataset.open(Path(params.validation))
            validation.require_classes(train.classes, "training dataset")
            for directory in (params.run_directory, params.model_root):
                durable.ensure_writable(Path(directory))
        except UserError as error:
            self._values["last_error"] = str(error)
            # At autostart the process ends with this line; told once is enough.
            if not self._starting:
                self.get_logger().error(str(error))
            return _FAILURE
        self._params.lock()
        self._values |= {"state": "inactive", "last_error": ""}
        self.get_logger().info(
            f"{len(train.samples)} images to train on, {len(validation.samples)} to validate, "
            f"classes: {', '.join(train.classes)}"
        )
        return _SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Start training, or go on with it."""
        if self._process is None:
            self._restarts = Restarts(self._params.value.restarts)
            self._process = TrainingProcess(self._params.value)
            self._values["training_pid"] = self._process.pid
        else:
            self._process.go()
        self._values["state"] = "training"
        return _SUCCESS

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Pause; nothing is lost."""
        if self._process is not None:
            self._process.pause()
        self._values["state"] = "paused"
        return _SUCCESS

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the training process; its checkpoint stays."""
        self._end_training()
        self._values["state"] = "unconfigured"
        self._params.lock(False)
        return _SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """End the training process."""
        return self.on_cleanup(state)

    def close(self) -> None:
        """End the training process; called once before the node is destroyed."""
        self._end_training()
        self._diagnostics.close()

    def _end_training(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _start(self) -> None:
        self.destroy_timer(self._starter)
        self._starting = True
        if self.trigger_configure() != _SUCCESS or self.trigger_activate() != _SUCCESS:
            raise UserError(self._values["last_error"] or "the node could not be started")
        self._starting = False

    def _poll(self) -> None:
        while self._process is not None and not self._process.events.empty():
            self._on_event(self._process.events.get())

    def _on_event(self, event: Mapping[str, Any]) -> None:
        kind = event["event"]
        self._restarts.hear(event)
        for name in (name for name in ends.METRICS_OF.get(kind, ()) if name in event):
            self._values[name] = event[name]
            self._metrics[name].publish(Float64(data=float(event[name])))
        if kind == "step":
            self._values["step"] = event["step"]
        elif kind == "start":
            self.get_logger().info(
                f"training from step {event['step']} in {event['precision']}, {event['parameters']:,} parameters"
            )
            if event["initial"] is not None:
                self.get_logger().info(event["initial"]["text"])
        elif kind == "validation":
            self.get_logger().info(f"step {event['step']}: {event['text']}")
        elif kind in ("export", "exported_before"):
            # A resumed run announces its last version again: the latched message died with the node before.
            self._announce(event)
        elif kind in ("refused", "recovered", "less_memory"):
            self.get_logger().warning(f"step {event['step']}: {event['message']}")
        elif kind == "observer_failed":
            self.get_logger().warning(event["message"])
        elif kind == "done":
            self._values["state"] = str(event["state"])
            self.get_logger().info(
                f"training {event['state']} after {event['steps']} steps; versions {event['versions']}"
            )
        elif kind == "exit" and event["status"]:
            self._on_death(event["status"])

    def _on_death(self, status: int) -> None:
        again = self._restarts.after(status)
        reason = self._restarts.last
        if not again:
            self._values |= {"state": "failed", "last_error": reason}
            self.get_logger().error(f"training failed: {reason}")
            return
        self.get_logger().error(f"training died: {reason}: going on from its last checkpoint")
        self._end_training()
        self._process = TrainingProcess(replace(self._params.value, resume=True))
        self._values |= {"training_pid": self._process.pid, "deaths": self._restarts.deaths, "last_death": reason}
        if self._values["state"] == "paused":
            self._process.pause()

    def _announce(self, event: Mapping[str, Any]) -> None:
        message = VisionInfo(
            method=event["name"],
            database_location=self._params.value.location(event),
            database_version=event["version"],
        )
        message.header.stamp = self.get_clock().now().to_msg()
        self._checkpoint.publish(message)
        self._values["version"] = event["version"]
        self.get_logger().info(f"announced {event['name']} v{event['version']}")

    def _on_export(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success = self._process is not None and self._values["state"] == "training"
        response.message = (
            "a bundle follows after the present step"
            if response.success
            else f"nothing to export: {self._values['state']}"
        )
        if response.success and self._process is not None:
            self._process.export()
        return response

    def _report(self) -> tuple[bytes, str, Mapping[str, Any]]:
        failed, state = self._values["last_error"], str(self._values["state"])
        if failed:
            return ERROR, failed, self._values
        if self._restarts.deaths:
            return (
                WARN,
                f"{state}; training has died {self._restarts.deaths} times: {self._restarts.last}",
                self._values,
            )
        return OK, state, self._values


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped."""
    return run(TrainNode, "train_node", TrainNodeParams, args, interface=ends.TRAIN)


if __name__ == "__main__":
    sys.exit(main())

"""Who hears what a train_node says, and asks it for something."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_msgs.msg import Float64
from vision_msgs.msg import VisionInfo

from perception_common.ros import qos

PATIENCE = 100.0
NAMESPACE = "trained"


class Listener:
    """Hears what a train_node says."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.node = Node("listener", namespace=NAMESPACE, context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.executor.add_node(self.node)
        self.checkpoints: list[VisionInfo] = []
        self.served: list[VisionInfo] = []
        self.losses: list[float] = []
        self.maps: list[float] = []
        self.values: dict[str, str] = {}
        self.node.create_subscription(VisionInfo, "model_status", self.served.append, qos.LATCHED)
        self.node.create_subscription(Float64, "metrics/loss", lambda m: self.losses.append(m.data), qos.RESULTS)
        self.node.create_subscription(Float64, "metrics/map50", lambda m: self.maps.append(m.data), qos.RESULTS)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)

    def join_checkpoint(self) -> None:
        """Subscribe to `checkpoint` only now, as one who comes late."""
        self.node.create_subscription(VisionInfo, "checkpoint", self.checkpoints.append, qos.LATCHED)

    def until(self, condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> None:
        end = time.monotonic() + patience
        while not condition():
            assert time.monotonic() < end, f"timed out waiting for {what}; diagnostics: {self.values}"
            self.executor.spin_once(timeout_sec=0.05)

    def call(self, kind: type[Any], name: str, request: Any) -> Any:
        client = self.node.create_client(kind, name)
        assert client.wait_for_service(timeout_sec=PATIENCE)
        future = client.call_async(request)
        self.until(future.done, name)
        return future.result()

    def transition(self, number: int) -> bool:
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self.call(ChangeState, "train_node/change_state", request).success)

    def close(self) -> None:
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name.endswith("train_node"):
                self.values = {value.key: value.value for value in status.values}

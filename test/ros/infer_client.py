"""The other side of infer_node for tests: a camera, a trainer and a listener in the test's own process."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header
from vision_msgs.msg import Detection2DArray, LabelInfo, VisionInfo
from waiting import PATIENCE, until

from perception_common.ros import qos
from perception_common.ros.images import image_to_msg

NODE = "perception_infer.ros.infer_node"
RECTANGLES = {"red": (40, 40, 100, 80), "blue": (200, 60, 240, 200)}
Stamp = tuple[int, int]
Start = Callable[..., subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Received:
    """A message and when its sender published it, in nanoseconds."""

    message: Any
    sent_ns: int

    @property
    def stamp(self) -> Stamp:
        return self.message.header.stamp.sec, self.message.header.stamp.nanosec


class Client:
    """Talks to the infer_node of one namespace."""

    def __init__(self, world: World, namespace: str) -> None:
        self._world, self.namespace = world, namespace
        self.node = Node("client", namespace=namespace, context=world.context)
        self.detections: list[Received] = []
        self.statuses: list[Received] = []
        self.labels: list[Received] = []
        self.overlays: list[Received] = []
        self._diagnostics: list[dict[str, str]] = []
        self._frame = 0
        self.image = self.node.create_publisher(Image, "image", qos.SENSOR)
        self.compressed = self.node.create_publisher(CompressedImage, "image/compressed", qos.SENSOR)
        self.checkpoint = self.node.create_publisher(VisionInfo, "checkpoint", qos.LATCHED)
        self.look()
        self._subscribe(VisionInfo, "model_status", qos.LATCHED, self.statuses)
        self._subscribe(LabelInfo, "label_info", qos.LATCHED, self.labels)
        self.node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        world.executor.add_node(self.node)

    def _subscribe(self, kind: type[Any], topic: str, profile: Any, into: list[Received]) -> Any:
        def callback(message: Any, info: Any) -> None:
            into.append(Received(message, info["source_timestamp"]))

        return self.node.create_subscription(kind, topic, callback, profile)

    def look_away(self) -> None:
        """No longer subscribe to detections."""
        self.node.destroy_subscription(self._watching)

    def look(self) -> None:
        """Subscribe to detections again."""
        self._watching = self._subscribe(Detection2DArray, "detections", qos.RESULTS, self.detections)

    def watch_overlay(self) -> None:
        """Become a viewer of the overlay."""
        self._subscribe(Image, "overlay", qos.PICTURE, self.overlays)

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            if status.name == f"{self.namespace}/infer_node":
                values = {value.key: value.value for value in status.values}
                self._diagnostics.append(values | {"message": status.message, "level": str(status.level[0])})

    def header(self) -> Header:
        """A header that no other frame has."""
        self._frame += 1
        header = Header(frame_id=f"camera_{self._frame}")
        header.stamp.sec, header.stamp.nanosec = 1000 + self._frame, self._frame
        return header

    def send(self, pixels: npt.NDArray[np.uint8], encoding: str = "rgb8") -> Stamp:
        """Publish a picture once; its stamp."""
        message = image_to_msg(pixels, encoding, self.header())
        self.image.publish(message)
        return message.header.stamp.sec, message.header.stamp.nanosec

    def flood(self, pictures: Sequence[npt.NDArray[np.uint8]], rate: float, seconds: float) -> dict[Stamp, int]:
        """A camera of ``rate`` Hz for so long, which shows pictures in turn: which of them went out with each stamp."""
        sent: dict[Stamp, int] = {}
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            index = len(sent) % len(pictures)
            sent[self.send(pictures[index])] = index
            time.sleep(max(0.0, began + len(sent) / rate - time.monotonic()))
        return sent

    def answer(self, pixels: npt.NDArray[np.uint8], encoding: str = "rgb8") -> Detection2DArray:
        """Publish a picture until the node answers it (best effort may lose one); the answer."""
        return self.answer_to(lambda: self.send(pixels, encoding))

    def answer_to(self, send: Callable[[], Stamp]) -> Detection2DArray:
        """Call ``send`` until one of the frames it sent is answered; the answer."""
        sent: set[Stamp] = set()
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit:
            sent.add(send())
            for _ in range(25):
                time.sleep(0.01)
                for received in reversed(self.detections):
                    if received.stamp in sent:
                        return received.message
        raise AssertionError(f"no answer from {self.namespace}; last diagnostics: {self._diagnostics[-1:]}")

    def announce(self, directory: Path, uri: str = "") -> None:
        """Announce a bundle as a trainer does, where it lies or where else it can be had."""
        uri = uri or (directory / "manifest.json").as_uri()
        self.checkpoint.publish(
            VisionInfo(method=directory.parent.name, database_location=uri, database_version=int(directory.name))
        )

    def diagnostics(self, wanted: Callable[[dict[str, str]], bool] = lambda values: True) -> dict[str, str]:
        """The first values published from now on that are as wanted."""
        begin = len(self._diagnostics)
        until(lambda: any(wanted(values) for values in self._diagnostics[begin:]), lambda: str(self._diagnostics[-1:]))
        return next(values for values in self._diagnostics[begin:] if wanted(values))

    def set_parameter(self, name: str, value: Any) -> tuple[bool, str]:
        """Whether the node took the value, and its reason."""
        request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        result = self._call(SetParameters, "infer_node/set_parameters", request).results[0]
        return result.successful, result.reason

    def transition(self, number: int) -> bool:
        """Ask for a lifecycle transition; whether it succeeded."""
        request = ChangeState.Request()
        request.transition.id = number
        return bool(self._call(ChangeState, "infer_node/change_state", request).success)

    def _call(self, kind: Any, service: str, request: Any) -> Any:
        client = self.node.create_client(kind, service)
        assert client.wait_for_service(timeout_sec=PATIENCE), f"no service {service}"
        future = client.call_async(request)
        until(future.done, lambda: f"{service} did not answer")
        self.node.destroy_client(client)
        return future.result()


class World:
    """One ROS context of the test process, spun by a thread of its own."""

    def __init__(self) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.executor = SingleThreadedExecutor(context=self.context)
        self._clients: list[Client] = []
        self._stop = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def client(self, namespace: str) -> Client:
        """A client of the node in a namespace."""
        self._clients.append(Client(self, namespace))
        return self._clients[-1]

    def close(self) -> None:
        """Stop spinning and leave the graph."""
        self._stop = True
        self._thread.join()
        self.executor.shutdown()
        for client in self._clients:
            client.node.destroy_node()
        rclpy.shutdown(context=self.context)

    def _spin(self) -> None:
        while not self._stop:
            # A test destroys what it no longer wants from its own thread, and the wait may have begun with it.
            with contextlib.suppress(InvalidHandle):
                self.executor.spin_once(timeout_sec=0.05)


def ends_within_two_seconds(process: subprocess.Popen[bytes], number: signal.Signals) -> int:
    """Send a signal to a node; its exit status."""
    began = time.monotonic()
    process.send_signal(number)
    status = process.wait(10)
    assert time.monotonic() - began < 2
    return status


def boxes(message: object) -> list[list[float]]:
    found = []
    for detection in message.detections:  # type: ignore[attr-defined]
        center, box = detection.bbox.center.position, detection.bbox
        left, top = center.x - box.size_x / 2, center.y - box.size_y / 2
        found.append([left, top, left + box.size_x, top + box.size_y])
    return found

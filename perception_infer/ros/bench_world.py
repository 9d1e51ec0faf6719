"""The other side of a benchmarked node, in a process of its own: a camera, and a listener for what is found.

It reads commands as JSON, one a line, and answers each with a line of JSON (`Stream`, `Streamed`). It listens to the
suite's own results, and to whatever else has a header and is named as ``TOPIC=TYPE``, so that another node can be
measured by the very same process. As ``null`` it is a subscriber that does nothing with the camera's images but take
their age, and answers every line with the milliseconds of those that came since the last (``{"ms": […]}``).
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import rclpy
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from perception_common import cli
from perception_common.errors import UserError
from perception_common.ros import dds, qos
from perception_common.ros.ends import message_type
from perception_common.ros.images import image_to_msg
from perception_common.stamps import stamp_of
from perception_common.topics import DETECTIONS, IMAGE, MASK, Topic

#: How long results are waited for after the last image.
_AFTER_SECONDS = 1.0
_SETTLE_SECONDS = 0.5


@dataclass(frozen=True)
class Stream:
    """Publish the picture in a file at ``rate`` Hz for so long, or, with ``until_first``, until the first result."""

    picture: str
    rate: float
    seconds: float
    until_first: bool = False


@dataclass(frozen=True)
class Streamed:
    """What came of it: images sent, results received, and milliseconds from an image's stamp to its result's arrival.

    ``first_unix_s`` is when the first result arrived, 0 when none did; ``rate_hz`` results per second, after the first
    half second.
    """

    sent: int
    received: int
    rate_hz: float
    ms: list[float]
    first_unix_s: float


class World:
    """The camera's and the listener's node.

    Args:
        node: has both.
        others: what else is listened to than the suite's results.

    Raises:
        UserError: the type of one of these is not installed.
    """

    def __init__(self, node: Node, others: Sequence[Topic] = ()) -> None:
        self._node = node
        self._publisher = node.create_publisher(Image, IMAGE.name, qos.SENSOR)
        self._arrived: list[tuple[int, int]] = []
        for topic, profile in ((DETECTIONS, qos.RESULTS), (MASK, qos.PICTURE), *((one, qos.RESULTS) for one in others)):
            node.create_subscription(_type_of(topic), topic.name, self._on_result, profile)

    def stream(self, wish: Stream) -> Streamed:
        """Do it; called by another thread than the one that spins."""
        begin = time.time_ns()
        self._arrived.clear()
        image = image_to_msg(np.load(wish.picture, allow_pickle=False), "bgr8", Header(frame_id="camera"))
        # On the machine's clock, so that a late image does not delay the ones after it.
        began = due = time.perf_counter()
        sent = 0
        while time.perf_counter() - began < wish.seconds and not (wish.until_first and self._since(begin)):
            now = time.time_ns()
            image.header.stamp.sec, image.header.stamp.nanosec = divmod(now, 10**9)
            self._publisher.publish(image)
            sent += 1
            due += 1.0 / wish.rate
            time.sleep(max(0.0, due - time.perf_counter()))
        if not wish.until_first:
            time.sleep(_AFTER_SECONDS)
        # Without late answers to images of the stream before.
        arrived = self._since(begin)
        settled = [moment for _, moment in arrived if moment > arrived[0][1] + _SETTLE_SECONDS * 1e9]
        span = (settled[-1] - settled[0]) / 1e9 if len(settled) > 1 else 0.0
        return Streamed(
            sent=sent,
            received=len(arrived),
            rate_hz=(len(settled) - 1) / span if span else 0.0,
            ms=[(moment - stamp) / 1e6 for stamp, moment in arrived],
            first_unix_s=arrived[0][1] / 1e9 if arrived else 0.0,
        )

    def _since(self, begin: int) -> list[tuple[int, int]]:
        return [(stamp, moment) for stamp, moment in self._arrived[:] if stamp >= begin]

    def _on_result(self, message: Any) -> None:
        self._arrived.append((stamp_of(message), time.time_ns()))


def _type_of(topic: Topic) -> Any:
    try:
        return message_type(topic.type)
    except (ImportError, AttributeError, ValueError) as error:
        raise UserError(f"no messages of type '{topic.type}' here: {error}", fix="source their workspace") from error


def other_topic(word: str) -> Topic:
    """A topic that is told as ``TOPIC=TYPE``, such as ``peer/detections=yolo_msgs/msg/DetectionArray``."""
    name, _, kind = word.partition("=")
    return Topic(name, kind, "results of another node")


def serve(world: World) -> None:
    """Answer commands until there are no more."""
    for line in sys.stdin:
        answer = world.stream(Stream(**json.loads(line)))
        print(json.dumps(asdict(answer)), flush=True)


class Null:
    """A node that takes the age of images as they arrive, from stamp to callback."""

    def __init__(self, node: Node) -> None:
        self._ages: list[float] = []
        node.create_subscription(Image, IMAGE.name, self._on_image, qos.NEWEST)

    def serve(self) -> None:
        """Answer lines until there are no more."""
        for _ in sys.stdin:
            ages, self._ages = self._ages, []
            print(json.dumps({"ms": ages}), flush=True)

    def _on_image(self, message: Any) -> None:
        self._ages.append((time.time_ns() - stamp_of(message)) / 1e6)


def main(arguments: list[str]) -> int:
    """``null`` or ``world``, further topics, and ROS's own arguments, which begin with ``--ros-args``."""
    dds.begin()
    begin = arguments.index("--ros-args") if "--ros-args" in arguments else len(arguments)
    role, others, ros = arguments[0], [other_topic(word) for word in arguments[1:begin]], arguments[begin:]
    rclpy.init(args=ros)
    node = Node(f"bench_{role}")
    work: Callable[[], None]
    if role == "null":
        work = Null(node).serve
    else:
        world = World(node, others)
        work = lambda: serve(world)  # noqa: E731
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    try:
        work()
    except KeyboardInterrupt:
        return 130
    finally:
        executor.shutdown(timeout_sec=1.0)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    raise SystemExit(cli.guard(lambda: main(sys.argv[1:]), "bench_world"))

"""`ros2 bag play --clock` for tests, where ROS comes without it: ``python bag_player.py BAG RATE``.

Waits until somebody listens to every topic. Messages go out as the bytes that were recorded, in their rhythm: on a busy
machine later, but never closer together, so that what is lost is not the player's doing.
"""

from __future__ import annotations

import importlib
import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from builtin_interfaces.msg import Time
from rosgraph_msgs.msg import Clock

from perception_common.ros import dds, qos
from perception_infer.recordings.bag import Recording
from perception_infer.recordings.types import IMAGES, LABEL_INFO, VISION_INFO

PROFILES = dict.fromkeys(IMAGES, qos.SENSOR) | dict.fromkeys((LABEL_INFO, VISION_INFO), qos.LATCHED)
PATIENCE, TICK = 50.0, 0.02
NANOSECONDS = 1_000_000_000


def message_class(kind: str) -> type[Any]:
    package, _, name = kind.split("/")
    found: type[Any] = getattr(importlib.import_module(f"{package}.msg"), name)
    return found


def play(bag: Path, rate: float) -> None:
    node = rclpy.create_node("bag_player")
    clock = node.create_publisher(Clock, "/clock", qos.CLOCK)

    def tell(now: int) -> None:
        clock.publish(Clock(clock=Time(sec=now // NANOSECONDS, nanosec=now % NANOSECONDS)))

    with Recording(bag) as recording:
        publishers = {
            topic.name: node.create_publisher(
                message_class(topic.type), topic.name, PROFILES.get(topic.type, qos.RESULTS)
            )
            for topic in recording.topics.values()
        }
        limit = time.monotonic() + PATIENCE
        while not all(publisher.get_subscription_count() for publisher in (clock, *publishers.values())):
            if time.monotonic() > limit:
                raise SystemExit("nobody listens")
            tell(recording.start)
            time.sleep(0.02)
        now, count = recording.start, 0
        for message in recording.messages(publishers):
            while (ahead := (message.time - now) / NANOSECONDS / rate) > 0:
                pause = min(ahead, TICK)
                time.sleep(pause)
                now = min(message.time, now + round(pause * rate * NANOSECONDS))
                tell(now)
            publishers[message.topic].publish(bytes(message.data))
            count += 1
        for publisher in publishers.values():
            publisher.wait_for_all_acked()
        # Images in shared memory go with their sender.
        time.sleep(1.0)
    print(f"{count} messages")
    node.destroy_node()


if __name__ == "__main__":
    dds.enable()
    rclpy.init()
    play(Path(sys.argv[1]), float(sys.argv[2]))
    rclpy.shutdown()

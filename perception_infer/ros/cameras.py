"""The subscriptions of images under supervision: do images come, and is there a publisher that cannot match?"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rclpy.node import Node

from perception_common.ros import compat

from . import ends
from .silence import CameraWatch

_REPEAT_SECONDS = 60.0


class Cameras:
    """Subscribes images, and says on /diagnostics what is wrong with their coming.

    The subscription asks for the least, best effort, so that it matches publishers of either reliability. Who overrides
    that may ask for more than a camera offers: then no image comes, and a line says why.

    Args:
        node: whose subscriptions they are.
        warn: logs a line.
        count: how many cameras there are.
    """

    def __init__(self, node: Node, warn: Callable[[str], object], count: int) -> None:
        self._node, self._warn = node, warn
        self._subscriptions: list[Any] = []
        self._told: dict[tuple[str, str], float] = {}
        self._events = 0 if compat.HAS_QOS_EVENTS else -1
        self.watch = CameraWatch(count)

    def listen(self, topics: Sequence[tuple[type[Any], str, Any]]) -> None:
        """Subscribe for every camera: type of the messages, topic, and callback."""
        for kind, topic, callback in topics:
            watching = compat.on_incompatible_qos(self._on_event(len(self._subscriptions)))
            subscription = ends.IMAGE.create(self._node, callback, kind=kind, full=topic, **watching)
            self._subscriptions.append(subscription)

    def close(self) -> None:
        """Subscribe no longer."""
        self.watch.end()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions.clear()

    def report(self, timeout: float) -> tuple[list[str], Mapping[str, Any]]:
        """What is wrong, for people, and values for /diagnostics."""
        problems = []
        for silence in self.watch.look(timeout) if self._subscriptions else ():
            topic = self._subscriptions[silence.source].topic_name
            since = time.strftime("%H:%M:%S", time.localtime(time.time() - silence.seconds))
            count = self._node.count_publishers(topic)
            publishers = f"{count} publisher{'' if count == 1 else 's'}"
            problems.append(f"no image on {topic} since {since} ({silence.seconds:.0f} s), {publishers}")
        unmatched = 0
        for subscription in self._subscriptions:
            topic, found = subscription.topic_name, self._unmatched(subscription)
            unmatched += len(found)
            for policy, words in found.items():
                self._tell(topic, policy, words)
                problems.append(f"a publisher of {topic} cannot be matched ({policy})")
        return problems, {
            "camera_silences": self.watch.silences,
            "incompatible_publishers": unmatched,
            "incompatible_qos_events": self._events,
        }

    def _on_event(self, index: int) -> Callable[[str], None]:
        def happened(policy: str) -> None:
            self._events += 1
            if index < len(self._subscriptions):
                subscription = self._subscriptions[index]
                # The graph may know of the publisher a moment later only.
                words = self._unmatched(subscription).get(policy, f"its {policy} is less than we ask for")
                self._tell(subscription.topic_name, policy, words)

        return happened

    def _unmatched(self, subscription: Any) -> dict[str, str]:
        """Policy → words, of the publishers of a topic that cannot be matched."""
        found: dict[str, str] = {}
        for publisher in self._node.get_publishers_info_by_topic(subscription.topic_name):
            refused = compat.mismatch(publisher.qos_profile, subscription.qos_profile)
            if refused is not None:
                found[refused[0]] = refused[1]
        return found

    def _tell(self, topic: str, policy: str, words: str) -> None:
        now = time.monotonic()
        if now - self._told.get((topic, policy), -_REPEAT_SECONDS) < _REPEAT_SECONDS:
            return
        self._told[topic, policy] = now
        fix = f"set qos_overrides.{topic}.subscription.reliability to best_effort, or have the camera offer reliable"
        if policy != "reliability":
            fix = "have the camera offer what we ask for"
        self._warn(f"no image can come from a publisher of {topic}: {words}; {fix}")

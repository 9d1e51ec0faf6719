"""The ends of topics: a node's publishers and subscriptions, declared as data and made from it.

Every one can be changed by ROS's parameters for quality of service (``qos_overrides.<topic>.subscription.depth``).
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions

from ..topics import Topic


@dataclass(frozen=True)
class _End:
    """One end of a topic.

    ``when`` names the parameters on which it depends, in words; empty: it is always there. With ``per_camera``, a node
    of several cameras has one below the name of each. ``variants`` are topics that take its place: what is appended to
    its name, and when.
    """

    topic: Topic
    profile: QoSProfile
    when: str = ""
    per_camera: bool = False
    variants: tuple[tuple[str, str], ...] = ()

    def _options(self) -> dict[str, Any]:
        return {"qos_overriding_options": QoSOverridingOptions.with_default_policies()}


class Publication(_End):
    """What a node publishes."""

    def create(self, node: Node, prefix: str = "", name: str = "") -> Any:
        """The publisher: an ordinary one, since that of a lifecycle node loses what is sent before activation.

        Args:
            node: its node.
            prefix: what stands before the topic's name, such as ``front/``.
            name: what ``<name>`` stands for.
        """
        kind, full = message_type(self.topic.type), prefix + self.topic.named(name).name
        # A copy, since rclpy writes overrides into the profile.
        return Node.create_publisher(node, kind, full, copy.copy(self.profile), **self._options())


class Subscription(_End):
    """What a node listens to."""

    def create(
        self, node: Node, callback: Callable[..., None], prefix: str = "", kind: Any = None, full: str = "", **more: Any
    ) -> Any:
        """The subscription; ``kind`` and ``full`` take the place of the declared type and name, if given."""
        kind, full = kind or message_type(self.topic.type), full or prefix + self.topic.name
        return Node.create_subscription(node, kind, full, callback, copy.copy(self.profile), **self._options(), **more)


def message_type(name: str) -> Any:
    """The class of messages of a type such as ``sensor_msgs/msg/Image``.

    Raises:
        ImportError: its package is not installed.
    """
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)

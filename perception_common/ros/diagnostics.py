"""Counters of a node on ``/diagnostics``, once a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.duration import Duration
from rclpy.node import Node

from .. import security, topics
from . import qos
from .compat import steady_clock
from .ends import Publication

DIAGNOSTICS = Publication(topics.DIAGNOSTICS, qos.REPORTS)
_FAREWELL_SECONDS = 0.3
OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


class Diagnostics:
    """Publishes what ``report()`` returns, a tuple of level, message and values, and ``security``, at 1 Hz."""

    def __init__(
        self, node: Node, hardware_id: str, report: Callable[[], tuple[bytes, str, Mapping[str, Any]]]
    ) -> None:
        self._node, self._report, self._hardware_id = node, report, hardware_id
        self._publisher = DIAGNOSTICS.create(node)
        # Real time: with simulated time that stands still, the node must still tell how it is.
        self._timer = node.create_timer(1.0, self.publish, clock=steady_clock())

    def close(self) -> None:
        """Publish the last values, with ``final`` among them, and wait until they are delivered."""
        self.publish(final=True)
        self._publisher.wait_for_all_acked(Duration(seconds=_FAREWELL_SECONDS))

    def publish(self, final: bool = False) -> None:
        """Publish now."""
        level, message, values = self._report()
        values = {"security": security.state(), **values}
        if final:
            values = {**values, "final": True}
        status = DiagnosticStatus(
            level=level,
            name=self._node.get_fully_qualified_name(),
            message=message,
            hardware_id=self._hardware_id,
            values=[KeyValue(key=str(key), value=_text(value)) for key, value in values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(array)


def _text(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)

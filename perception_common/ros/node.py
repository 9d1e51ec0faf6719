"""The main function of every node: transport setting, start, clean stop, one-line errors."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..cli import guard
from ..errors import UserError
from . import dds

#: Python's signal handlers run between two waits of the executor.
_POLL_SECONDS = 0.2


def run(
    factory: Callable[[], Node],
    name: str,
    args: Sequence[str] | None = None,
    done: Callable[[Node], bool] | None = None,
) -> int:
    """Create a node, spin it until SIGINT, SIGTERM or ``done(node)``, and free it.

    ``node.close()`` is called before the node is destroyed, when it has one; publishers still work in it.

    Returns:
        exit status: 0 after a clean stop, 2 after a `UserError`, 1 after an internal failure.
    """
    return guard(lambda: _spin(factory, args, done), name)


def _spin(factory: Callable[[], Node], args: Sequence[str] | None, done: Callable[[Node], bool] | None) -> int:
    dds.enable()
    try:
        # rclpy's own handlers shut the context down at once; ours leave it open for a node's last words.
        rclpy.init(args=list(sys.argv if args is None else args), signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # rclpy has one exception type per kind of mistake; all are the user's here
        raise UserError(f"ROS arguments are not valid: {error}") from error
    told_to_stop = _on_signals()
    node: Any = None
    executor = SingleThreadedExecutor()
    try:
        node = factory()
        executor.add_node(node)
        while rclpy.ok() and not told_to_stop.is_set() and not (done is not None and done(node)):
            executor.spin_once(timeout_sec=_POLL_SECONDS)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    finally:
        if node is not None:
            if hasattr(node, "close"):
                node.close()
            node.destroy_node()
        executor.shutdown(timeout_sec=1.0)
        rclpy.try_shutdown()
    return 0


def _on_signals() -> threading.Event:
    """An event that the first SIGINT or SIGTERM sets; the second one acts as if nothing had been installed."""
    told = threading.Event()

    def stop(number: int, frame: object) -> None:
        told.set()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return told

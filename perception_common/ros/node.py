"""The main function of every node: transport setting, start, clean stop, one-line errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy._rclpy_pybind11 import RCLError  # rclpy gives it no public name
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from ..cli import guard
from ..errors import UserError
from . import dds


def run(
    factory: Callable[[], Node],
    name: str,
    args: Sequence[str] | None = None,
    done: Callable[[Node], bool] | None = None,
) -> int:
    """Create a node, spin it until SIGINT, SIGTERM or ``done(node)``, and free it.

    ``node.close()`` is called before the node is destroyed, when it has one.

    Returns:
        exit status: 0 after a clean stop, 2 after a `UserError`, 1 after an internal failure.
    """
    return guard(lambda: _spin(factory, args, done), name)


def _spin(factory: Callable[[], Node], args: Sequence[str] | None, done: Callable[[Node], bool] | None) -> int:
    dds.enable()
    try:
        rclpy.init(args=list(sys.argv if args is None else args))
    except Exception as error:  # rclpy has one exception type per kind of mistake; all are the user's here
        raise UserError(f"ROS arguments are not valid: {error}") from error
    node: Any = None
    executor = SingleThreadedExecutor()
    try:
        node = factory()
        executor.add_node(node)
        while rclpy.ok() and not (done is not None and done(node)):
            executor.spin_once(timeout_sec=0.2 if done is not None else None)
    except (KeyboardInterrupt, ExternalShutdownException):
        return 0
    except RCLError:
        # A signal shuts the context down at once, also while a callback is publishing.
        if rclpy.ok():
            raise
        return 0
    finally:
        if node is not None:
            if hasattr(node, "close"):
                node.close()
            node.destroy_node()
        executor.shutdown(timeout_sec=1.0)
        rclpy.try_shutdown()
    return 0

"""The main function of every node: transport setting, start, clean stop, one-line errors."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from ..cli import guard
from . import dds, secured
from .policy import Interface
from .words import answered, initialise

#: Python's signal handlers run between two waits of the executor.
_POLL_SECONDS = 0.2
_TIMER = "deadline"


def run(
    factory: Callable[[], Node],
    name: str,
    params: type,
    args: Sequence[str] | None = None,
    done: Callable[[Node], bool] | None = None,
    within: float | None = None,
    interface: Interface | None = None,
) -> int:
    """Create a node, spin it until SIGINT, SIGTERM or ``done(node)``, and free it.

    ``node.close()`` is called before the node is destroyed, when it has one; publishers still work in it. A node's
    ``interrupt()`` is called at once by the handler of the signal, to cut short what keeps the executor.

    Args:
        factory: makes the node.
        name: the node's, with which complaints begin.
        params: the dataclass of its parameters.
        args: words of the command line; None for the process's own.
        done: whether there is nothing left to do.
        within: the process ends so many seconds after the first signal, with status 0, also when a call into a library
            keeps a thread; None: when all is done.
        interface: of the node, for ``--print-policy``.

    Returns:
        exit status: 0 after a clean stop, 2 after a `UserError`, 1 after an internal failure.
    """
    words = list(sys.argv if args is None else args)
    status = guard(lambda: 0 if answered(name, params, words, interface) else _spin(factory, words, done, within), name)
    if within is not None and any(thread.name != _TIMER and thread.daemon for thread in threading.enumerate()):
        # They are in calls that do not end; a library that is torn down under them crashes.
        _leave(status)
    return status


def _spin(
    factory: Callable[[], Node],
    words: Sequence[str],
    done: Callable[[Node], bool] | None,
    within: float | None,
) -> int:
    node: Any = None
    told_to_stop = threading.Event()

    def stop() -> None:
        told_to_stop.set()
        if hasattr(node, "interrupt"):
            node.interrupt()

    _on_signals(stop)
    if within is not None:
        _end_within(within)
    removed = dds.begin()
    # rclpy's own handlers shut the context down at once; ours leave it open for a node's last words.
    initialise(words, signal_handler_options=SignalHandlerOptions.NO)
    get_logger("dds").debug(f"segments of shared memory of killed processes that were removed: {removed}")
    executor = SingleThreadedExecutor()
    try:
        with secured.told(words):
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


def _on_signals(stop: Callable[[], None]) -> None:
    """Have the first SIGINT or SIGTERM call ``stop``; the second one acts as if nothing had been installed."""

    def first(number: int, frame: object) -> None:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, first)


def _end_within(seconds: float) -> None:
    """End the process so long after the first signal, come what may.

    Python's own handlers wait until the main thread is back from what it called; the descriptor is written at once.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)

    def wait() -> None:
        while os.read(reader, 1)[0] not in (signal.SIGINT, signal.SIGTERM):
            pass
        time.sleep(seconds)
        _leave(0)

    threading.Thread(target=wait, name=_TIMER, daemon=True).start()


def _leave(status: int) -> NoReturn:
    """End this process without waiting for its threads; its children end with it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)

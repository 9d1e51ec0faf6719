"""What differs between ROS 2 distributions (Humble to Lyrical), in one place."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import rclpy.clock
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind
from rclpy.subscription import Subscription

#: What ROS's C library refuses; rclpy has no public name for it.
RCL_ERROR: type[Exception] = rclpy_implementation.RCLError
# Humble has no module rclpy.clock_type, and the others do not say that this one has the name too.
_CLOCK: Any = rclpy.clock


def _event_callbacks() -> Any:
    for module in ("rclpy.event_handler", "rclpy.qos_event"):  # the second is Humble's
        with contextlib.suppress(ImportError):
            return getattr(importlib.import_module(module), "SubscriptionEventCallbacks", None)
    return None


_EVENT_CALLBACKS = _event_callbacks()
#: Whether a subscription is told of publishers that it cannot match.
HAS_QOS_EVENTS = _EVENT_CALLBACKS is not None


def steady_clock() -> rclpy.clock.Clock:
    """A clock that goes on evenly, whatever is set: the time of this machine, or simulated time."""
    steady: rclpy.clock.Clock = _CLOCK.Clock(clock_type=_CLOCK.ClockType.STEADY_TIME)
    return steady


def publication_sequence_number(message_info: Any) -> int | None:
    """The sender's running number of a message, or None where the middleware or distribution has none.

    ``message_info`` is the dictionary rclpy hands to two-argument callbacks (Iron and later).
    """
    number = message_info.get("publication_sequence_number") if isinstance(message_info, dict) else None
    unsupported = (1 << 64) - 1
    return None if number is None or number == unsupported else int(number)


def publisher_gid(message_info: Any) -> bytes | None:
    """What tells one sender of a topic from another, or None where the distribution has none (Jazzy and earlier)."""
    gid = message_info.get("publisher_gid") if isinstance(message_info, dict) else None
    return bytes(gid["data"]) if isinstance(gid, dict) and "data" in gid else None


def with_message_info(callback: Callable[[Any, Mapping[str, Any]], None]) -> Callable[..., None]:
    """A subscription's callback that is given (message, info); on Humble, whose rclpy has no info, it is empty."""
    if hasattr(Subscription, "CallbackType"):
        return callback
    return lambda message: callback(message, {})


def on_incompatible_qos(callback: Callable[[str], None]) -> dict[str, Any]:
    """Arguments of ``create_subscription`` that call back with the policy of a publisher that cannot be matched.

    The policy's name is in lower case, such as ``reliability``. Without such events there are no arguments.
    """
    if _EVENT_CALLBACKS is None:
        return {}

    def happened(event: Any) -> None:
        callback(str(qos_policy_name_from_kind(event.last_policy_kind)).lower())

    return {"event_callbacks": _EVENT_CALLBACKS(incompatible_qos=happened)}


def mismatch(offered: QoSProfile, asked: QoSProfile) -> tuple[str, str] | None:
    """The policy for which a publisher's offer does not suffice, and that in words; None when they match.

    Only reliability and durability are compared, which every distribution's graph tells.
    """
    reliability, durability = ReliabilityPolicy, DurabilityPolicy
    if (offered.reliability, asked.reliability) == (reliability.BEST_EFFORT, reliability.RELIABLE):
        return "reliability", "it offers best effort, and we ask for reliable"
    if (offered.durability, asked.durability) == (durability.VOLATILE, durability.TRANSIENT_LOCAL):
        return "durability", "it offers volatile, and we ask for transient local"
    return None


def received_ns(message_info: Mapping[str, Any]) -> int | None:
    """When the middleware received a message, in nanoseconds of system time; None where it does not say.

    Unlike the time at which the callback runs, it does not grow when this process is busy.
    """
    value = message_info.get("received_timestamp")
    return int(value) if value else None


def parameter_overrides(node: Any) -> dict[str, Any]:
    """Values given on the command line or in a parameter file, by name, declared or not.

    rclpy offers no public way to see overrides of undeclared parameters, and ignores them silently.
    """
    overrides = getattr(node, "_parameter_overrides", {})
    return {name: parameter.value for name, parameter in overrides.items()}

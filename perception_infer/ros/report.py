"""What infer_node says about itself on /diagnostics. No rclpy here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from ..serving import ServerStatus
from .frames import FrameCounts, Recent

Health = Literal["ok", "warn", "error"]
_NO_MODEL = ServerStatus()


@dataclass(frozen=True)
class Times:
    """Milliseconds of recent frames: letterbox to detections, and callback to published."""

    inference: Recent = field(default_factory=Recent)
    node: Recent = field(default_factory=Recent)


def diagnostics(
    state: str,
    model: str,
    server: ServerStatus | None,
    frames: FrameCounts,
    replacements: int,
    times: Times,
    failure: str = "",
    problems: Sequence[str] = (),
) -> tuple[Health, str, Mapping[str, Any]]:
    """How the node is, a line for people, and the values.

    Args:
        state: of the lifecycle.
        model: name of the one that is to be served.
        server: None while the node is not configured.
        frames: where they went.
        replacements: workers that were left behind.
        times: of recent frames.
        failure: why the node could not be configured, or is no longer; "" while it was not tried.
        problems: what else is wrong, for people.
    """
    status = server or _NO_MODEL
    health, message = _health(state, model, server, failure, problems)
    values = {
        "state": state,
        "serving_name": status.name,
        "serving_version": status.version,
        "backend": status.backend,
        "signed_by": status.signer,
        "frames_received": frames.received,
        "frames_processed": frames.processed,
        "frames_unprocessed": frames.unprocessed,
        "frames_without_model": frames.without_model,
        "frames_invalid": frames.invalid,
        "frames_stale": frames.stale,
        "frames_unwatched": frames.unwatched,
        "frames_failed": frames.failed,
        "hung_frames": frames.hung,
        "worker_replacements": replacements,
        "frames_lost_in_transport": frames.lost_in_transport,
        "frames_lost_in_swaps": frames.lost_in_swaps,
        "loads": status.loads,
        "swaps": status.swaps,
        "refused": status.refused,
        "ignored": status.ignored,
        "rolled_back": status.rolled_back,
        "pinned": status.pinned,
        "waits_for_engine": status.waits,
        "canary_agreement": status.canary,
        "last_error": status.last_error,
        "inference_ms_p50": times.inference.percentile(0.5),
        "node_ms_p50": times.node.percentile(0.5),
        "node_ms_p99": times.node.percentile(0.99),
        "rate_hz": times.node.rate(),
    }
    return health, message, values


def _health(
    state: str, model: str, server: ServerStatus | None, failure: str, problems: Sequence[str]
) -> tuple[Health, str]:
    """How the node is, and a line for people; arguments as of `diagnostics`."""
    status = server or _NO_MODEL
    serving = f"{status.name} v{status.version}"
    if not status.version:
        message = f"waiting for model '{model}'" if server else state
    else:
        message = f"serving {serving}" if state == "active" else f"{state}, {serving} loaded"
        message += "" if status.signer else ", not signed"
    if status.loading:
        message += ", loading its successor" if status.version else ", loading"
    if status.waits:
        message += f", waiting for the engine of {status.waits}"
    if status.pinned:
        message += ", pinned"
    health: Health = "ok" if state != "active" or status.version > 0 else "warn"
    if failure and state == "unconfigured":
        health, message = "error", failure
    if problems:
        health = "warn" if health == "ok" else health
        message = "; ".join([message, *problems])
    return health, message

"""What infer_node says about itself: log lines of loading and the values on /diagnostics. No rclpy here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..backends.select import Wish
from ..loading import Proven, load_proven
from ..models import Bundle
from ..serving import ServerStatus
from .frames import FrameCounts, Recent

_NO_MODEL = ServerStatus()


@dataclass(frozen=True)
class Times:
    """Milliseconds of recent frames: letterbox to detections, and callback to published."""

    inference: Recent = field(default_factory=Recent)
    node: Recent = field(default_factory=Recent)


def load_logged(
    wish: Wish, log: Callable[[str], Any], bundle: Bundle, cancelled: Callable[[], bool], may_build: bool
) -> Proven:
    """`load_proven`, with a line about what was proven."""
    began = time.perf_counter()
    proven = load_proven(bundle, replace(wish, cancelled=cancelled, may_build=may_build))
    parity = proven.parity
    log(
        f"{bundle.title}: loaded and proven in {time.perf_counter() - began:.2f} s "
        f"({parity.objects} objects in {parity.images} images, worst IoU {parity.min_iou:.4f}, "
        f"worst score error {parity.max_score_error:.4f})"
    )
    return proven


def diagnostics(
    state: str, model: str, server: ServerStatus | None, frames: FrameCounts, replacements: int, times: Times
) -> tuple[bool, str, Mapping[str, Any]]:
    """Whether all is well, a line for people, and the values."""
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
    healthy = state != "active" or status.version > 0
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
    return healthy, message, values

"""What nodes say of themselves on /diagnostics, and what that tells of images without detections. No rclpy here."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

#: Ends of a frame's way in a node that answers images, by the name of its counter there.
_ENDS = {name: f"frames_{name}" for name in ("without_model", "invalid", "stale", "unwatched", "failed")}
_RECEIVED, _PROCESSED, _UNPROCESSED = "frames_received", "frames_processed", "frames_unprocessed"
_LOST = "frames_lost_in_transport"


class Reports:
    """The newest report of every node.

    Attributes:
        newest: message, time and values by the node's full name.
    """

    def __init__(self) -> None:
        self.newest: dict[str, dict[str, Any]] = {}

    def add(self, name: str, message: str, stamp: int, values: Mapping[str, str]) -> None:
        """Take up a report; ``stamp`` is in nanoseconds."""
        self.newest[name] = {"message": message, "stamp_s": stamp * 1e-9, "values": dict(values)}

    def drops(self, publishers: Collection[str], detections_lost: int) -> dict[str, Any]:
        """Where images and detections were lost, as JSON-ready data; None where it cannot be known.

        What came before a reader knew its sender is in none of these numbers, and an image that waits or is in work is
        received, but not processed yet.

        Args:
            publishers: full names of the nodes that publish the detections.
            detections_lost: detections that were sent and did not arrive; -1 when that is not known.
        """
        known: dict[str, Any] = {
            "node": None,
            "received": None,
            "processed": None,
            "dropped_by_node": None,
            "images_lost_in_transport": None,
            "detections_lost_in_transport": None if detections_lost < 0 else detections_lost,
        }
        answering = [name for name in publishers if _RECEIVED in self.newest.get(name, {}).get("values", {})]
        # Of several it is not known whose detections these are.
        if len(answering) == 1:
            values = self.newest[answering[0]]["values"]
            ends = {name: _number(values, counter) for name, counter in _ENDS.items()}
            # `frames_unprocessed` holds those that came before there was a model, too.
            replaced = (_number(values, _UNPROCESSED) or 0) - (ends["without_model"] or 0)
            known |= {
                "node": answering[0],
                "received": _number(values, _RECEIVED),
                "processed": _number(values, _PROCESSED),
                "dropped_by_node": {"replaced_by_newer": replaced, **ends},
                "images_lost_in_transport": _number(values, _LOST),
            }
        return known


def _number(values: Mapping[str, str], name: str) -> int | None:
    """A counter; None where the node has none of this name, or does not know it and says -1."""
    text = values.get(name, "")
    return int(text) if text.isdecimal() else None

"""The parameter of all nodes that take images."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.params import param

RAW, COMPRESSED = "raw", "compressed"
TRANSPORTS = (RAW, COMPRESSED)


@dataclass(frozen=True)
class TransportParams:
    """How images come."""

    image_transport: str = param(RAW, "subscribe <image>, or <image>/compressed", choices=TRANSPORTS)

"""How images come over topics: as they are, or compressed beside them, as image_transport names them."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from .transport_params import COMPRESSED, RAW

_TRANSPORTS: dict[str, tuple[type[Any], str]] = {RAW: (Image, ""), COMPRESSED: (CompressedImage, f"/{COMPRESSED}")}


def image_topic(node: Node, name: str, transport: str) -> tuple[type[Any], str]:
    """The type of the images, and their topic with the node's namespace and remappings.

    Args:
        node: that subscribes.
        name: of the raw images, before remapping; what is appended for compressed ones follows their remapped name.
        transport: one of `transport_params.TRANSPORTS`.
    """
    kind, suffix = _TRANSPORTS[transport]
    return kind, node.resolve_topic_name(name) + suffix

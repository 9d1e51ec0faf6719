"""From the bytes of a recorded message to its fields, in the way in which the recording defines them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .types import CAMERA_INFO, IMAGES, full_name, ros2_types

#: These have been the same ever since ROS 2; whoever reads them relies on their fields.
_SETTLED = (*IMAGES, CAMERA_INFO)


class DecodeError(ValueError):
    """Bytes that are no message of their type; says what refused them."""


def decoder(reader: Any, connection: Any) -> Callable[[bytes], Any]:
    """What makes messages of a connection's bytes, or raises `DecodeError`; both arguments are rosbags'."""
    decode = _decoder(reader, connection)

    def decoded(data: bytes) -> Any:
        try:
            return decode(data)
        except DecodeError:
            raise
        except Exception as error:  # rosbags' own, struct's, NumPy's
            raise DecodeError(f"the message cannot be read ({type(error).__name__})") from error

    return decoded


def _decoder(reader: Any, connection: Any) -> Callable[[bytes], Any]:
    kind = full_name(connection.msgtype)
    if type(reader).__module__.startswith("rosbags.rosbag1"):
        from rosbags.typesys import Stores, get_typestore

        ros1 = get_typestore(Stores.ROS1_NOETIC)
        return lambda data: ros1.deserialize_ros1(data, kind)
    own = _own_types(connection, kind)
    if own is not None and kind in _SETTLED:
        return partial(_refuse, kind)
    store = own or ros2_types()
    return lambda data: store.deserialize_cdr(data, kind)


def _refuse(kind: str, _: bytes) -> Any:
    raise DecodeError(f"the recording defines {kind} in another way than ROS 2 does")


def _own_types(connection: Any, kind: str) -> Any:
    """The types as the recording defines them, where that is in another way than we know them; else None."""
    from rosbags.interfaces import MessageDefinitionFormat
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    if connection.msgdef.format != MessageDefinitionFormat.MSG:
        return None
    known = ros2_types()
    own = get_typestore(Stores.EMPTY)
    try:
        own.register(get_types_from_msg(connection.msgdef.data, kind))
        if kind in known.fielddefs and own.hash_rihs01(kind) == known.hash_rihs01(kind):
            return None
    except Exception:  # a definition that cannot be parsed says nothing
        return None
    return own

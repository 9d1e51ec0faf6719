"""Does an ONNX graph name other files? Found by walking the protobuf, without the onnx package.

Weights kept outside of the graph ("external data") are read from paths that the graph chooses, and no
hash of the manifest covers them.
"""

from __future__ import annotations

from collections.abc import Iterator

from perception_common.errors import UserError

# Message → field number → message of that field; everything else is skipped. From onnx.proto3.
_NESTED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14
_MAX_DEPTH = 64


def refuse_external_data(graph: bytes, where: object = None) -> None:
    """Check that every tensor of an ONNX model lies in the file itself.

    Raises:
        UserError: a tensor names another file, or the bytes are not an ONNX model.
    """
    try:
        external = _external(memoryview(graph), "model", 0)
    except (IndexError, ValueError) as error:
        raise UserError("the file is not an ONNX model", where=where, fix="export the bundle again") from error
    if external:
        raise UserError(
            "the graph keeps weights outside of its file, which is not allowed",
            where=where,
            fix="export it in one file",
        )


def _external(data: memoryview, message: str, depth: int) -> bool:
    if depth > _MAX_DEPTH:
        raise ValueError("nested too deeply")
    for field, value in _fields(data):
        if message == "tensor":
            if field == _EXTERNAL_DATA or (field == _DATA_LOCATION and value == 1):
                return True
        elif isinstance(value, memoryview):
            nested = _NESTED[message].get(field)
            if nested is not None and _external(value, nested, depth + 1):
                return True
    return False


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value of each field; a fixed-width value is yielded as 0."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        field, wire = key >> 3, key & 7
        if wire == 0:
            value, position = _varint(data, position)
            yield field, value
        elif wire == 2:
            size, position = _varint(data, position)
            if position + size > len(data):
                raise ValueError("truncated")
            yield field, data[position : position + size]
            position += size
        elif wire in (1, 5):
            position += 8 if wire == 1 else 4
            yield field, 0
        else:
            raise ValueError(f"wire type {wire}")


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
        if shift > 63:
            raise ValueError("varint is too long")

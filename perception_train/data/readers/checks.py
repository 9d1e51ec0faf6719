"""Values from files that somebody else wrote: every access says what it expects."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_LONGEST_NAME = 200


class Damaged(Exception):
    """A file or an entry that cannot be used. ``reason`` is what is counted, so it holds no data."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


def number(value: Any) -> float:
    """A JSON or array number as float; what is too large becomes infinite.

    Raises:
        Damaged: it is something else (booleans and text are).
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Damaged("a number is expected")
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def numbers(value: Any, count: int) -> list[float]:
    """A list of ``count`` numbers.

    Raises:
        Damaged: it is something else.
    """
    if not isinstance(value, list) or len(value) != count:
        raise Damaged(f"a list of {count} numbers is expected")
    return [number(element) for element in value]


def parsed_number(text: str) -> float:
    """The number that a word of a text file stands for.

    Raises:
        Damaged: it stands for none.
    """
    try:
        return float(text)
    except ValueError:
        raise Damaged("a number is expected") from None


def whole(value: Any) -> int:
    """A whole number (3 or 3.0).

    Raises:
        Damaged: it is something else.
    """
    as_float = number(value)
    if not as_float.is_integer():
        raise Damaged("a whole number is expected")
    return int(as_float)


def label(value: Any) -> str:
    """A class name: printable text, or a number that serves as one.

    Raises:
        Damaged: it is something else.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_LONGEST_NAME:
        value = str(value)
    if not isinstance(value, str):
        raise Damaged("a class name is expected")
    name = " ".join(value.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise Damaged("a class name is expected")
    return name


def file_name(value: Any) -> str:
    """A file name, possibly with folders.

    Raises:
        Damaged: it is something else.
    """
    if not isinstance(value, str) or not value.strip() or "\0" in value or len(value) > 4096:
        raise Damaged("a file name is expected")
    return value


def mapping(value: Any) -> dict[Any, Any]:
    """A JSON object.

    Raises:
        Damaged: it is something else.
    """
    if not isinstance(value, dict):
        raise Damaged("a JSON object is expected")
    return value


def sequence(value: Any) -> list[Any]:
    """A JSON list.

    Raises:
        Damaged: it is something else.
    """
    if not isinstance(value, list):
        raise Damaged("a JSON list is expected")
    return value


def share(value: Any) -> float | None:
    """A share between 0 and 1; None for what is no such number (−1 and the like mean unknown)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        return None
    return float(value)


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        Damaged: it cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError:
        raise Damaged("file cannot be read") from None
    except (ValueError, RecursionError):
        # Nesting deeper than the interpreter's stack is a RecursionError.
        raise Damaged("not valid JSON") from None


def read_text(path: Path) -> str:
    """The content of a text file, in UTF-8 (with or without a byte-order mark).

    Raises:
        Damaged: it cannot be read, or is no text.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError:
        raise Damaged("file cannot be read") from None
    except UnicodeDecodeError:
        raise Damaged("not a text file") from None
    if "\0" in text:
        raise Damaged("not a text file")
    return text

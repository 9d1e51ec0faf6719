"""HTML that cannot be broken out of: what is not made here is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable

Attribute = str | int | float | bool | None


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


def tag(name: str, /, *children: str | None, **attributes: Attribute) -> Html:
    """An element; children that are no `Html` are text.

    Attributes are named as in HTML, with ``_`` for ``-`` and at the end of Python's own words (``class_``).
    True stands for an attribute without a value, None and False for none.
    """
    told = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    return Html(f"<{name}{told}>{joined(children)}</{name}>")


def joined(children: Iterable[str | None]) -> Html:
    """Children one after the other, None left out."""
    return Html("".join(child if isinstance(child, Html) else html.escape(child) for child in children if child))


def number(value: float | None, digits: int = 3) -> str:
    """A measured value; a dash where there is none."""
    if value is None:
        return "–"
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def share(value: float | None) -> str:
    """A figure between 0 and 1, with three places, so that columns of them can be compared."""
    return "–" if value is None else f"{value:.3f}"


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if isinstance(value, bool):
        return f" {name}" if value else ""
    return f' {name}="{html.escape(str(value))}"'

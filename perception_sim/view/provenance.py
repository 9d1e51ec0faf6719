"""Where a dataset comes from: its dataset.json, by whatever tool it was written, as short lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_MOST_ROWS = 150
_LONGEST = 300
_LIMITS = ("min_box_px", "min_visible_px", "max_occlusion", "max_truncation")


def headline(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few facts that say what a dataset is, where they are recorded: (name, text)."""
    config = _mapping(provenance.get("config"))
    preset = config.get("preset", provenance.get("preset"))
    labels = _mapping(_mapping(preset).get("labels"))
    generator = " ".join(str(provenance[key]) for key in ("generator", "version") if provenance.get(key))
    sources = provenance.get("sources")
    facts = [
        ("made by", generator),
        ("preset", _mapping(preset).get("name") or _mapping(preset).get("description") or preset),
        ("part", provenance.get("part")),
        ("seed", provenance.get("seed")),
        ("from", [_source(one) for one in sources] if isinstance(sources, list) else sources),
        ("limits of labels", {key: value for key, value in (labels | config).items() if key in _LIMITS}),
        *((kind.replace("_", " "), _reasons(why)) for kind, why in _mapping(provenance.get("report")).items()),
    ]
    return [(name, _text(value)) for name, value in facts if value not in (None, "", {}, [])]


def rows(provenance: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every value of a dataset.json with its dotted path, as many as a reader can bear."""
    found: list[tuple[str, str]] = []
    for path, value in _leaves(provenance, "") if provenance else ():
        if len(found) == _MOST_ROWS:
            found.append(("…", "and more, see dataset.json"))
            break
        found.append((path, _text(value)))
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _source(source: Any) -> str:
    """A source of `perception-train import`."""
    found = _mapping(source)
    return f"{found.get('path')} ({found.get('format')}, {found.get('images')} images)" if found else _text(source)


def _reasons(reasons: Any) -> str:
    """What an import left out for which reasons: {reason: {count, examples}}."""
    counts = [(reason, _mapping(entry).get("count", entry)) for reason, entry in _mapping(reasons).items()]
    return ", ".join(f"{count} {reason}" for reason, count in counts)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        text = ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
    elif isinstance(value, list):
        text = ", ".join(map(_text, value))
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    else:
        text = "–" if value is None else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"

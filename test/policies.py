"""Reads policies of SROS2 (`ros2 security generate_artifacts -p`), and holds them to the rules of their format.

The rules are those of version 0.2.0, and ours on top: a name stands for itself (no patterns), is allowed only, and
stands once.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, fields

_KINDS = {
    "topics": ("topic", ("publish", "subscribe")),
    "services": ("service", ("reply", "request")),
    "actions": ("action", ("call", "execute")),
}
#: How (``publish`` and so on) → names as they are written.
Names = dict[str, list[str]]
_TOKEN = r"[A-Za-z_][A-Za-z0-9_]*"
_ABSOLUTE = re.compile(rf"(/{_TOKEN})+")
_NAME = re.compile(rf"(/|~/)?{_TOKEN}(/{_TOKEN})*")


@dataclass(frozen=True)
class Surface:
    """What a node does, or may do, by full names."""

    publish: frozenset[str] = frozenset()
    subscribe: frozenset[str] = frozenset()
    reply: frozenset[str] = frozenset()
    request: frozenset[str] = frozenset()
    call: frozenset[str] = frozenset()
    execute: frozenset[str] = frozenset()

    def __or__(self, other: Surface) -> Surface:
        return Surface(*(getattr(self, field.name) | getattr(other, field.name) for field in fields(self)))

    def within(self, namespace: str) -> Surface:
        """The same with names relative to a namespace, where they are inside it."""

        def short(names: frozenset[str]) -> frozenset[str]:
            return frozenset(name.removeprefix(namespace + "/") for name in names)

        return Surface(*(short(getattr(self, field.name)) for field in fields(self)))


def differences(allowed: Surface, done: Surface) -> list[str]:
    """What is done and not allowed, and what is allowed and never done; in words."""
    found = []
    for field in fields(Surface):
        may, does = getattr(allowed, field.name), getattr(done, field.name)
        found += [f"not allowed: {field.name} {name}" for name in sorted(does - may)]
        found += [f"never done: {field.name} {name}" for name in sorted(may - does)]
    return found


def read(text: str) -> dict[str, dict[tuple[str, str], Names]]:
    """Enclave → namespace and name of a node → what it may do.

    Raises:
        ValueError: something is not as the format wants it.
    """
    root = ElementTree.fromstring(text)
    _is(root, "policy", {"version"})
    _check(root.get("version") == "0.2.0", "version is not 0.2.0")
    _check([child.tag for child in root] == ["enclaves"], "policy holds exactly one <enclaves>")
    enclaves: dict[str, dict[tuple[str, str], Names]] = {}
    for enclave in _some(root[0], "enclave", {"path"}):
        path = enclave.get("path", "")
        _check(_ABSOLUTE.fullmatch(path) is not None, f"'{path}' is not the path of an enclave")
        _check(path not in enclaves, f"enclave {path} stands twice")
        nodes = enclaves[path] = {}
        for profiles in _some(enclave, "profiles", set(), {"type"}):
            for profile in _some(profiles, "profile", {"ns", "node"}):
                nodes[profile.get("ns", ""), profile.get("node", "")] = _names(profile)
    return enclaves


def expand(names: Names, namespace: str, node: str) -> Surface:
    """The names of a profile as those of a node in a namespace."""
    inside = namespace.rstrip("/") + "/"

    def full(name: str) -> str:
        if name.startswith("~"):
            return inside + node + name[1:]
        return name if name.startswith("/") else inside + name

    return Surface(**{how: frozenset(map(full, given)) for how, given in names.items()})


def _names(profile: ElementTree.Element) -> Names:
    found: Names = {}
    for group in profile:
        _check(group.tag in _KINDS, f"<{group.tag}> in a profile")
        single, hows = _KINDS[group.tag]
        _check(bool(group.attrib) and set(group.attrib) <= set(hows), f"<{group.tag}> with {group.attrib}")
        _check(set(group.attrib.values()) == {"ALLOW"}, f"<{group.tag}> does something else than to allow")
        for name in _some(group, single, set()):
            _check(len(name) == 0 and _NAME.fullmatch(name.text or "") is not None, f"'{name.text}' is not a name")
            for how in group.attrib:
                _check(name.text not in found.get(how, []), f"{how} {name.text} stands twice")
                found.setdefault(how, []).append(name.text or "")
    return found


def _some(
    parent: ElementTree.Element, tag: str, needed: set[str], more: set[str] | None = None
) -> list[ElementTree.Element]:
    _check(len(parent) > 0, f"<{parent.tag}> is empty")
    for child in parent:
        _is(child, tag, needed, more)
    _check(not (parent.text or "").strip(), f"text in <{parent.tag}>")
    return list(parent)


def _is(element: ElementTree.Element, tag: str, needed: set[str], more: set[str] | None = None) -> None:
    _check(element.tag == tag, f"<{element.tag}> in the place of <{tag}>")
    given = set(element.attrib)
    _check(needed <= given <= needed | (more or set()), f"<{tag}> with the attributes {sorted(given)}")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(what)

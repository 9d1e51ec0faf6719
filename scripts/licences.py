#!/usr/bin/env python3
"""Write docs/licences.md: the licence of every pinned package, from what is installed (`make licences`).

What a package's metadata do not say stands in requirements/licences.yaml. What runs on robots and workstations may be
neither under the GPL or AGPL nor under a licence that is not known: exit status 1, and nothing is written.
"""

from __future__ import annotations

import argparse
import importlib.metadata as metadata
import itertools
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from pin import MACHINES, ROOT, pinned
from spdx import REFUSED, REMARKS, licence_of, rank

PAGE = ROOT / "docs" / "licences.md"
BY_HAND = ROOT / "requirements" / "licences.yaml"
DEVELOPMENT = "Development"


def lines(name: str) -> list[str]:
    """What a file of requirements/ asks for."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


# What asks for packages, and the words above them. A package is listed under the first that needs it.
GROUPS = {
    "Robot": (
        ["perception_suite[robot,openvino]", *lines("jetpack6"), *lines("jetpack7")],
        "What `install_requires`, the extras `robot` and `openvino` and a Jetson's CUDA bring. ROS comes from apt.",
    ),
    "Workstation": (
        ["perception_suite[sim,train,cluster,objects]"],
        "What the extras `sim`, `train`, `cluster` and `objects` bring besides.",
    ),
    "ROS 2 from PyPI": (
        lines("ros"),
        "Where no ROS is sourced: rclpy, the messages, and what builds packages.",
    ),
    DEVELOPMENT: (["perception_suite[dev]", "uv"], "Set-up, tests, linters, documentation."),
}
_HEAD = """\
# Licences of the dependencies

Written by `make licences` from what the packages say of themselves, and from requirements/licences.yaml where they say
nothing. The suite itself is under Apache-2.0. Nothing that runs on robots and workstations is under the GPL, the AGPL
or a licence that is not known: a test proves it.

Wheels carry libraries inside, whose licences stand in their own files: FFmpeg (LGPL) in OpenCV's; GCC's run-time
libraries (GPL with the exception that allows it) in OpenCV's, NumPy's and SciPy's. The extras `robot-cuda`, `tensorrt`
and `tensorrt-rtx` are not pinned, and so not listed: onnxruntime-gpu is under MIT, TensorRT and cuda-python are under
NVIDIA's own terms.
"""


class ByHand(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A licence that was looked up, where, and which package needs this one."""

    licence: str
    why: str
    via: str = ""


class Entry(NamedTuple):
    """A row of the page."""

    name: str
    versions: tuple[str, ...]
    group: str
    licence: str
    why: str = ""

    @property
    def refused(self) -> bool:
        """Whether it may not be there."""
        return rank(self.licence) >= REFUSED and self.group != DEVELOPMENT


@cache
def needed(marker: str, extras: frozenset[str]) -> bool:
    """Whether a package with these extras needs what has this marker, on any Python and machine that is supported."""
    asked = set(re.findall(r"""extra == ['"]([^'"]+)""", marker))
    if not marker or (asked and not asked & extras):
        return not marker
    machines = [machine.split("'")[1] for machine in MACHINES]
    return any(
        Marker(marker).evaluate(
            {"extra": extra, "python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
            | {"platform_machine": machine, "sys_platform": "linux", "platform_system": "Linux"}
        )
        for extra, minor, machine in itertools.product(asked & extras or {""}, range(10, 15), machines)
    )


def reached(asked: list[str], installed: dict[str, metadata.Distribution]) -> Iterator[str]:
    """The names of all that requirements bring, they themselves among them."""
    waiting = [Requirement(line) for line in asked]
    seen = set()
    while waiting:
        one = waiting.pop()
        name, extras = canonicalize_name(one.name), frozenset(one.extras)
        if (name, extras) not in seen:
            seen.add((name, extras))
            yield name
            lines = installed[name].requires if name in installed else None
            waiting += [wish for wish in map(Requirement, lines or ()) if needed(str(wish.marker or ""), extras)]


def entries() -> list[Entry]:
    """All pinned packages, by name.

    Raises:
        ValueError: licences.yaml is wrong, nothing is known to need a package, or ROS does not come from PyPI here.
    """
    by_hand = msgspec.yaml.decode(BY_HAND.read_bytes(), type=dict[str, ByHand])
    pins = pinned()
    installed = {canonicalize_name(one.metadata["Name"]): one for one in metadata.distributions()}
    if "ros-rclpy" not in installed:
        raise ValueError("the list can only be made where `make setup` has installed ROS 2 from PyPI")
    over = sorted(set(by_hand) - set(pins))
    if over:
        raise ValueError(f"{BY_HAND}: not pinned any more: {', '.join(over)}")
    groups: dict[str, str] = {}
    for group, (asked, _) in GROUPS.items():
        for name in reached(asked, installed):
            groups.setdefault(name, group)
    for name, hand in by_hand.items():
        if hand.via in groups:
            groups.setdefault(name, groups[hand.via])
    lost = sorted(set(pins) - set(groups))
    if lost:
        raise ValueError(f"{BY_HAND}: say with `via` what needs {', '.join(lost)}")
    found = []
    for name, versions in sorted(pins.items()):
        said = by_hand.get(name)
        licence = said.licence if said else licence_of(installed[name]) if name in installed else ""
        ordered = tuple(sorted(versions, key=Version))
        found.append(Entry(name, ordered, groups[name], licence, said.why if said else ""))
    return found


def page(found: list[Entry]) -> str:
    """The page, in Markdown."""
    lines = [_HEAD]
    for group, (_, words) in GROUPS.items():
        lines += [
            f"## {group}\n",
            f"{words}\n",
            "| package | versions | licence | remark |",
            "| --- | --- | --- | --- |",
        ]
        for entry in found:
            if entry.group == group:
                remark = "; ".join(filter(None, (list(REMARKS.values())[rank(entry.licence)], entry.why)))
                licence = entry.licence.replace("LicenseRef-", "") or "?"
                lines.append(f"| {entry.name} | {', '.join(entry.versions)} | {licence} | {remark} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    try:
        found = entries()
    except ValueError as error:
        print(f"licences: {error}", file=sys.stderr)
        return 2
    refused = [entry for entry in found if entry.refused]
    for entry in refused:
        what = entry.licence or "no licence that is known"
        print(
            f"licences: {entry.name} ({entry.group}): {what}: replace it, or look it up for {BY_HAND}", file=sys.stderr
        )
    if refused:
        return 1
    PAGE.write_text(page(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

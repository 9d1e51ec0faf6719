"""Whether everything that our code imports is in an image: by pip, by apt, or with a reason why not."""

from __future__ import annotations

import ast
import importlib.metadata as metadata
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from dockerfiles import Dockerfile

#: What runs in an image. Robots hold all packages, and run these.
CODE = {
    "robot": ("perception_common", "perception_infer", "docker/health"),
    "workstation": ("perception_common", "perception_infer", "perception_sim", "perception_train", "launch"),
}
_OWN = "perception_"
#: rosdep's name → the distribution's, where it is not the name behind `python3-`.
_ROSDEP = {"python3-yaml": "pyyaml"}


def imported(root: Path, places: Iterable[str]) -> dict[str, str]:
    """Top-level names of all modules that are imported, wherever in a file, and one place of each."""
    found: dict[str, str] = {}
    for place in places:
        found = _imported(root, place) | found
    return found


@cache
def _imported(root: Path, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    path = root / place
    for file in [path] if path.is_file() else sorted(path.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                names = [node.module]
            for name in {name.partition(".")[0] for name in names}:
                if name not in sys.stdlib_module_names and not name.startswith(_OWN):
                    found.setdefault(name, f"{file.relative_to(root)}:{node.lineno}")
    return found


def from_apt(file: Dockerfile, stage: str) -> set[str]:
    """ROS packages, with dashes, that a stage and those it is from install by name."""
    runs = [one.text for one in file.all_of(stage) if one.name == "RUN" and "ros-${ROS_DISTRO}-%s" in one.text]
    return {word for text in runs for listed in re.findall(r'packages="([^"]*)"', text) for word in listed.split()}


def from_pip(pins: str) -> set[str]:
    """Names of the pinned distributions."""
    return set(re.findall(r"^([a-z0-9-]+)==", pins, re.MULTILINE))


@cache
def distributions(folder: Path | None) -> dict[str, set[str]]:
    """Modules and the distributions that bring them, of this environment, or of what was unpacked into a folder."""
    if folder is None:
        return {module: set(map(_canonical, names)) for module, names in metadata.packages_distributions().items()}
    found: dict[str, set[str]] = {}
    for one in metadata.distributions(path=[str(folder)]):
        for module in {str(file).partition("/")[0].partition(".")[0] for file in one.files or ()}:
            found.setdefault(module, set()).add(_canonical(one.metadata["Name"]))
    return found


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def complaints(
    needed: Mapping[str, str],
    apt: set[str],
    pins: set[str],
    known: Mapping[str, set[str]],
    elsewhere: Mapping[str, str],
) -> Iterator[str]:
    """Imports that nothing in the image brings, one line each.

    Args:
        needed: modules, and where they are imported.
        apt: ROS packages of the image.
        pins: distributions of the image.
        known: modules, and the distributions that bring them.
        elsewhere: modules that come otherwise, or not at all, with the reason.
    """
    modules = {name.replace("-", "_") for name in apt}
    for name, where in sorted(needed.items()):
        if name not in modules and name not in elsewhere and not known.get(name, set()) & pins:
            yield f"{where}: nothing in the image brings {name}"


def undeclared(root: Path, apt: set[str], pins: set[str], elsewhere: Mapping[str, str]) -> Iterator[str]:
    """What package.xml asks for and the image does not have."""
    xml = ElementTree.parse(root / "package.xml").getroot()  # noqa: S314 -- our own
    for name in (element.text or "" for element in xml.iter("exec_depend")):
        in_image = name.replace("_", "-") in apt or _ROSDEP.get(name, name.removeprefix("python3-")) in pins
        if not in_image and name not in elsewhere:
            yield f"package.xml: {name} is not in the image"

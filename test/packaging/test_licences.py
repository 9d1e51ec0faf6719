"""Licences of the dependencies: none that may not be there, none that nobody knows, and a page that is up to date."""

from __future__ import annotations

import importlib.metadata as metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "licences.md"


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The programs of scripts/, which are no package."""
    try:
        metadata.distribution("ros-rclpy")
    except metadata.PackageNotFoundError:
        pytest.skip("ROS 2 does not come from PyPI here: not all pinned packages are installed")
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import licences  # type: ignore[import-not-found]
    import pin  # type: ignore[import-not-found]
    import spdx  # type: ignore[import-not-found]

    yield {"licences": licences, "pin": pin, "spdx": spdx}
    for name in ("licences", "pin", "spdx"):
        sys.modules.pop(name, None)


def test_nothing_that_runs_is_under_the_gpl_or_an_unknown_licence(modules: dict[str, Any]) -> None:
    found = modules["licences"].entries()
    assert len(found) > 100
    assert {entry.name: entry.licence for entry in found if entry.refused} == {}


def test_the_page_has_every_pinned_version(modules: dict[str, Any]) -> None:
    rows = re.findall(r"^\| ([a-z0-9][a-z0-9-]*) \| ([^|]+) \| ([^|]+) \| .*\|$", PAGE.read_text(), re.MULTILINE)
    listed = {name: set(versions.split(", ")) for name, versions, _ in rows if name != "package"}
    assert listed == modules["pin"].pinned(), "run `make licences`"
    assert all(licence != "?" for _, _, licence in rows)


def test_groups_are_those_that_need_a_package(modules: dict[str, Any]) -> None:
    groups = {entry.name: entry.group for entry in modules["licences"].entries()}
    for name, group in {
        "numpy": "Robot",
        "coloredlogs": "Robot",  # only on Python 3.10, through onnxruntime
        "torch": "Workstation",
        "ros-rclpy": "ROS 2 from PyPI",
        "ruff": "Development",
        "uv": "Development",
    }.items():
        assert groups[name] == group


@pytest.mark.parametrize(
    ("licence", "category"),
    [
        ("MIT", "Permissive"),
        ("BSD-3-Clause AND 0BSD AND CC0-1.0", "Public Domain"),
        ("Apache-2.0 WITH LLVM-exception", "Permissive"),
        ("LGPL-3.0-or-later", "Copyleft Limited"),
        ("MPL-2.0 AND MIT", "Copyleft Limited"),
        ("GPL-3.0-or-later WITH GCC-exception-3.1", "Copyleft Limited"),
        ("LicenseRef-NVIDIA-Proprietary", "Proprietary Free"),
        ("GPL-2.0-only OR MIT", "Permissive"),
        ("GPL-2.0-only AND MIT", "Copyleft"),
        ("AGPL-3.0-only", "Copyleft"),
        ("GPL-3.0", "Copyleft"),
        ("Fancy-1.0", ""),
        ("MIT AND Fancy-1.0", ""),
        ("two words", ""),
        ("", ""),
    ],
)
def test_how_much_a_licence_asks(modules: dict[str, Any], licence: str, category: str) -> None:
    spdx = modules["spdx"]
    assert list(spdx.REMARKS)[spdx.rank(licence)] == category


def package(folder: Path, *lines: str, manifest: str = "") -> metadata.Distribution:
    """An installed package with these lines in its metadata, and perhaps one of ROS."""
    info = folder / "some-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: some", "Version: 1.0", *lines, ""]))
    (info / "RECORD").write_text("share/some/package.xml,,\n" if manifest else "")
    if manifest:
        (folder / "share" / "some").mkdir(parents=True)
        (folder / "share" / "some" / "package.xml").write_text(manifest)
    return metadata.PathDistribution(info)


OSI = "Classifier: License :: OSI Approved ::"


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT-0", "License: BSD"], "MIT-0"),
        (["License: Apache License, Version 2.0"], "Apache-2.0"),
        (["License: my own terms", f"{OSI} MIT License"], "MIT"),
        (["License: BSD 3-Clause License\n        \n        Copyright of somebody"], "BSD-3-Clause"),
        ([f"{OSI} BSD License", f"{OSI} GNU General Public License (GPL)"], "LicenseRef-BSD AND GPL-1.0-or-later"),
        ([f"{OSI} MIT License", f"{OSI} something new"], ""),
        (["License: UNKNOWN"], ""),
        ([], ""),
    ],
)
def test_what_packages_say(modules: dict[str, Any], tmp_path: Path, lines: list[str], licence: str) -> None:
    assert modules["spdx"].licence_of(package(tmp_path, *lines)) == licence


def test_what_packages_of_ros_say(modules: dict[str, Any], tmp_path: Path) -> None:
    manifest = '<package><license>BSD-3-Clause</license><license file="x">Apache License 2.0</license></package>'
    assert modules["spdx"].licence_of(package(tmp_path, manifest=manifest)) == "Apache-2.0 AND BSD-3-Clause"


def test_a_licence_that_may_not_be_there_stops_it(
    modules: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    licences = modules["licences"]
    monkeypatch.setattr(sys, "argv", ["licences.py"])
    monkeypatch.setattr(licences, "PAGE", tmp_path / "page.md")
    kept = licences.BY_HAND.read_text()
    monkeypatch.setattr(licences, "BY_HAND", tmp_path / "by_hand.yaml")
    for name, licence, status in (
        ("numpy", "GPL-3.0-only", 1),
        ("torch", "AGPL-3.0-only", 1),
        ("ros-rclpy", "my own terms", 1),
        ("ruff", "GPL-3.0-only", 0),
    ):
        licences.BY_HAND.write_text(f"{kept}{name}: {{licence: {licence}, why: a test}}\n")
        assert licences.main() == status
        told = capsys.readouterr().err
        assert (f"licences: {name} (" in told) == bool(status)
        assert (tmp_path / "page.md").exists() == (not status)
    for text, told in (
        (f"{kept}gone: {{licence: MIT, why: a test}}\n", "not pinned any more: gone"),
        (kept.replace("via: torch", "via: nothing"), "say with `via` what needs nvidia-curand"),
        (f"{kept}ruff: {{license: MIT}}\n", "unknown field"),
    ):
        licences.BY_HAND.write_text(text)
        assert licences.main() == 2
        assert told in capsys.readouterr().err

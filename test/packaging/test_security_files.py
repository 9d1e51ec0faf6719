"""The security policies that are shipped are as `ros2 security` takes them."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
import setuptools
from policies import read

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "config" / "security").iterdir())
GOOD = """<policy version="0.2.0"><enclaves><enclave path="/a/b"><profiles><profile ns="/" node="n">
<topics publish="ALLOW"><topic>image</topic><topic>~/x</topic><topic>/rosout</topic></topics>
<services reply="ALLOW" request="ALLOW"><service>s</service></services>
</profile></profiles></enclave></enclaves></policy>"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What setup.py tells setuptools."""
    found: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(setuptools, "setup", lambda **arguments: found.update(arguments))
        runpy.run_path(str(ROOT / "setup.py"))
    return found


def test_every_node_has_one(told: dict[str, Any]) -> None:
    programs = [line.partition(" = ")[0] for line in told["entry_points"]["console_scripts"]]
    nodes = sorted(name for name in programs if name.endswith("_node"))
    assert [file.name for file in FILES] == [f"{node}.policy.xml" for node in nodes]
    for node, file in zip(nodes, FILES, strict=True):
        ((enclave, profiles),) = read(file.read_text(encoding="utf-8")).items()
        assert (enclave, list(profiles)) == (f"/perception/{node}", [("/", node)])


def test_they_are_installed(told: dict[str, Any]) -> None:
    installed = dict(told["data_files"])["share/perception_suite/config/security"]
    assert installed == [str(file.relative_to(ROOT)) for file in FILES]


def test_names_are_read_as_written() -> None:
    names = {"publish": ["image", "~/x", "/rosout"], "reply": ["s"], "request": ["s"]}
    assert read(GOOD) == {"/a/b": {("/", "n"): names}}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('version="0.2.0"', 'version="0.1.0"'),
        ('version="0.2.0"', ""),
        ("<enclaves>", "<enclaves><enclave/>"),
        ('path="/a/b"', ""),
        ('path="/a/b"', 'path="a/b"'),
        ('path="/a/b"', 'path="/a/b/"'),
        ('path="/a/b"', 'path="/a/b" ns="/"'),
        ('ns="/" ', ""),
        (' node="n"', ""),
        ("<topics publish", "<topic publish"),
        ("topics>", "topix>"),
        ('publish="ALLOW"', 'publish="allow"'),
        ('publish="ALLOW"', 'publish="DENY"'),
        ('publish="ALLOW"', 'reply="ALLOW"'),
        ('publish="ALLOW"', ""),
        ("<topic>image</topic>", "<topic>image</topic><service>s</service>"),
        ("<topic>image</topic>", "<topic>image</topic><topic>image</topic>"),
        ("<topic>image</topic>", "<topic> image</topic>"),
        ("<topic>image</topic>", "<topic>*</topic>"),
        ("<topic>image</topic>", "<topic>1image</topic>"),
        ("<topic>image</topic>", "<topic/>"),
        ("<topic>image</topic>", "image"),
        ("<topic>image</topic><topic>~/x</topic><topic>/rosout</topic>", ""),
    ],
)
def test_what_is_not_so_is_refused(right: str, wrong: str) -> None:
    assert right in GOOD
    text = GOOD.replace(right, wrong)
    with pytest.raises((ValueError, SyntaxError)):
        read(text)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_sros2_reads_them_alike(file: Path) -> None:
    policy = pytest.importorskip("sros2.policy", reason="sros2 is not installed (with ROS 2 it comes from apt)")
    found = {
        (name.getparent().getparent().get("node"), how, name.text)
        for name in policy.load_policy(file).iter("topic", "service", "action")
        for how in name.getparent().attrib
    }
    (profiles,) = read(file.read_text(encoding="utf-8")).values()
    assert found == {
        (node, how, name) for (_, node), names in profiles.items() for how, given in names.items() for name in given
    }

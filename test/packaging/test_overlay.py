"""vision_msgs, whoever provides it, speaks the released package's wire format."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

# The type hashes of vision_msgs 4.1.1, from ros-perception's released packages.
RELEASED = {
    "Detection2DArray": "RIHS01_214274120007f4a683866481336b70310268cfa107aebe9d594a6acf75bda968",
    "Detection2D": "RIHS01_0d12b69df5c593b3455b7346fac8205437a7d4bcb09b9e0e0b2dde787ded38ea",
    "LabelInfo": "RIHS01_3d37df4015cdf660cc851c51897f2acd957e1ca6205ba0a99aebffb9406b0783",
    "VisionInfo": "RIHS01_95d3116a17484ad91c9a2686e1d54890bbfc3ff6c6a2de137738c4950d45d284",
}
OVERLAY = Path(__file__).resolve().parents[2] / "overlay" / "vision_msgs" / "msg"


def installed_hashes() -> dict[str, str]:
    """Name → type hash of each message, from the descriptions installed beside the importable vision_msgs."""
    vision_msgs = pytest.importorskip("vision_msgs", reason="vision_msgs cannot be imported")
    # PREFIX/lib/pythonX.Y/site-packages/vision_msgs, or PREFIX/local/lib/… on Ubuntu
    for prefix in [Path(sys.prefix), *Path(vision_msgs.__file__).resolve().parents]:
        folder = prefix / "share" / "vision_msgs" / "msg"
        if folder.is_dir():
            break
    else:
        pytest.fail(f"no share/vision_msgs/msg belongs to {vision_msgs.__file__}")
    found: dict[str, str] = {}
    for path in folder.glob("*.json"):
        for entry in json.loads(path.read_text())["type_hashes"]:
            if entry["type_name"] == f"vision_msgs/msg/{path.stem}":
                found[path.stem] = entry["hash_string"]
    if not found:
        pytest.skip("the sourced ROS 2 is older than type hashes (Humble)")
    return found


def test_the_installed_messages_have_the_released_type_hashes() -> None:
    found = installed_hashes()
    assert {name: found[name] for name in RELEASED} == RELEASED


def test_another_implementation_computes_the_same_hashes_from_our_sources() -> None:
    store = get_typestore(Stores.ROS2_JAZZY)
    types = {}
    for path in OVERLAY.glob("*.msg"):
        types.update(get_types_from_msg(path.read_text(), f"vision_msgs/msg/{path.stem}"))
    # Its own vision_msgs, should it come to have them, must not stand in for ours.
    for name in types:
        store.fielddefs.pop(name, None)
    store.register(types)
    computed = {path.stem: store.hash_rihs01(f"vision_msgs/msg/{path.stem}") for path in OVERLAY.glob("*.msg")}
    assert {name: computed[name] for name in RELEASED} == RELEASED
    installed = installed_hashes()
    assert computed == {name: installed[name] for name in computed}


def test_every_message_file_is_built() -> None:
    listed = {line.strip() for line in (OVERLAY.parent / "CMakeLists.txt").read_text().splitlines()}
    assert {f"msg/{path.name}" for path in OVERLAY.glob("*.msg")} == {line for line in listed if line.endswith(".msg")}

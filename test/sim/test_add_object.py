"""perception-sim add-object: what it refuses, and how it says so."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from user_meshes import (
    added,
    box,
    box_file,
)

from perception_common.errors import UserError
from perception_sim.cli import main
from perception_sim.objects import library
from perception_sim.objects.add import add_object
from perception_sim.params import AddObjectParams


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.obj", "v 0 0 nan\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", "no numbers"),
        ("a.obj", "v 0 0 inf\nv 1 0 0\nv 1 1 0\nf 1 2 3\n", "no numbers"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\n", "points or lines"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 1 1 0\nf 1 2 9\n", "cannot read the mesh"),
        ("a.obj", "v 2 2 2\nv 2 2 2\nv 2 2 2\nf 1 2 3\n", "no size"),
        ("a.obj", "v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", "without area"),
        ("a.obj", "", "no triangles"),
        ("a.stl", "\0" * 150, "no triangles"),
        ("a.glb", "glTF" + "\0" * 60, "cannot read the mesh"),
        (
            "a.gltf",
            '{"asset": {"version": "2.0"}, "buffers": [{"uri": "b.bin", "byteLength": 8}]}',
            "is not there: b.bin",
        ),
        ("a.gltf", "[]", "cannot read the mesh"),
        ("a.ply", "ply\nformat", "cannot read the mesh"),
        ("a.fbx", "", "cannot read '.fbx'"),
        ("a.stl", None, "does not exist"),
    ],
)
def test_files_that_cannot_be_used_are_refused_in_one_line(
    tmp_path: Path, name: str, content: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    words = ["--mesh", str(tmp_path / name), "--name", "thing", "--output", str(tmp_path / "objects")]
    assert main(["add-object", *words]) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("perception-sim: ") and told in last
    assert not list(tmp_path.glob("objects/*"))


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"name": "ball"}, "say --name my_ball"),
        ({"name": "lookalikes"}, "is taken"),
        ({"name": "my bowl"}, "say --name my_bowl"),
        ({"name": "3d"}, "say --name my_3d"),
        ({"name": "naïve"}, "cannot name a class"),
        ({"mesh": ""}, "--mesh FILE"),
        ({"size": (0.5, 0.4)}, "the least and the greatest"),
        ({"size": (0.5,), "height": (0.5,)}, "either a size or a height"),
        ({"size": (0.1,), "mass": 900.0}, "heavier than any metal"),
        ({"also": ("balll",)}, "did you mean 'ball'"),
        ({"textures": ("nowhere.png",)}, "cannot read the texture"),
    ],
)
def test_mistakes_are_told_and_leave_nothing(tmp_path: Path, values: dict[str, Any], told: str) -> None:
    path = values.pop("mesh", str(box_file(tmp_path)))
    params = {"name": "thing", "output": str(tmp_path / "objects"), "hulls": 1, "preview": False, **values}
    with pytest.raises(UserError) as caught:
        add_object(AddObjectParams(mesh=path, **params), lambda _: None)
    assert told in str(caught.value)
    assert not list(tmp_path.glob("objects/*"))


def test_a_wrong_unit_is_noticed_and_the_right_one_named(tmp_path: Path) -> None:
    box().apply_scale(1000).export(tmp_path / "mm.stl")
    with pytest.raises(UserError, match=r"600 m long.*--unit mm \(0.6 m\)"):
        added(tmp_path, tmp_path / "mm.stl")
    size = library.load((str(added(tmp_path, tmp_path / "mm.stl", unit="mm").parent),))["thing"].size
    assert size == pytest.approx((0.57, 0.63), rel=1e-3)
    by_height = added(tmp_path, tmp_path / "mm.stl", name="lying", up="y", height=(0.4,), density=100.0)
    kind, _ = library.kind_of(by_height)
    assert kind.size == pytest.approx((0.6, 0.6), rel=1e-3)
    assert kind.density == 100.0


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = box_file(tmp_path)
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(UserError, match=r"needs trimesh.*pip install 'perception_suite\[objects\]'"):
        added(tmp_path, path)

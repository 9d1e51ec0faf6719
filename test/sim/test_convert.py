"""Meshes from elsewhere become sound surfaces and hulls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from user_meshes import (
    BOWL,
    QUADRANTS,
    Image,
    added,
    box,
    converted,
    corners,
    standing,
    tri,
    trimesh,
    volume,
    world_with,
    y_up,
)
from worlds import assert_sound

from perception_sim.convert import hulls
from perception_sim.convert.pipeline import Limits, convert, read_centred
from perception_sim.objects import library
from perception_sim.shapes.mesh import lathe
from perception_sim.world import settle


def test_every_format_gives_the_same_body(tmp_path: Path) -> None:
    body = box()
    for name in ("box.obj", "box.ply", "box.stl"):
        body.export(tmp_path / name)
    (tmp_path / "ascii.stl").write_text(body.export(file_type="stl_ascii"))
    (tmp_path / "UPPER.STL").write_bytes(body.export(file_type="stl"))
    y_up(body).export(tmp_path / "box.glb")
    for name, data in y_up(body).export(file_type="gltf").items():
        (tmp_path / name.replace("model", "box")).write_bytes(data)
    paths = [path for path in tmp_path.iterdir() if path.suffix.lower() != ".bin" and path.suffix != ".mtl"]
    assert len(paths) == 7
    for path in paths:
        made, warnings = converted(path)
        assert np.allclose(made.extents, (1 / 3, 2 / 3, 1.0), atol=1e-5), path
        assert made.longest == pytest.approx(0.6, rel=1e-5)
        assert made.triangles == 12
        assert volume(made) == pytest.approx(2 / 9, rel=1e-4)
        assert warnings == []
        assert_sound([mesh for mesh, _ in made.surfaces])


def test_triangles_that_face_the_wrong_way_are_turned(tmp_path: Path) -> None:
    bowl = tri(lathe(BOWL, 24))
    bowl.export(tmp_path / "right.stl")
    right = volume(converted(tmp_path / "right.stl")[0])
    assert right > 0.0
    faces = bowl.faces.copy()
    trimesh.Trimesh(bowl.vertices, faces[:, ::-1], process=False).export(tmp_path / "inverted.stl")
    some = np.random.default_rng(0).random(len(faces)) < 0.4
    faces[some] = faces[some][:, ::-1]
    trimesh.Trimesh(bowl.vertices, faces, process=False).export(tmp_path / "mixed.stl")
    # A second body in the file, the wrong way round by itself.
    other = box()
    other.invert()
    other.apply_translation((5, 0, 0))
    trimesh.util.concatenate([bowl, other]).export(tmp_path / "two.stl")
    for name in ("inverted", "mixed"):
        made, _ = converted(tmp_path / f"{name}.stl")
        assert volume(made) == pytest.approx(right, rel=1e-4)
        assert_sound([mesh for mesh, _ in made.surfaces])
    made, _ = converted(tmp_path / "two.stl")
    assert volume(made) * made.longest**3 == pytest.approx(right * 8 + 0.048, rel=1e-3)


def test_a_cavity_stays_one(tmp_path: Path) -> None:
    inner = trimesh.creation.icosphere(2, 0.5)
    inner.invert()
    trimesh.util.concatenate([trimesh.creation.icosphere(2, 1.0), inner]).export(tmp_path / "hollow.stl")
    made, _ = converted(tmp_path / "hollow.stl")
    assert volume(made) == pytest.approx(7 / 8 * np.pi / 6, rel=0.05)


def test_shells_are_seen_from_both_sides_and_sheets_have_a_body(tmp_path: Path) -> None:
    tri(lathe(((0, 0), (0.5, 0.13), (0.87, 0.5), (1.0, 1.0)), 24)).export(tmp_path / "shell.obj")
    made, _ = converted(tmp_path / "shell.obj")
    assert made.triangles == 2 * made.source_triangles
    assert volume(made) == pytest.approx(0.0, abs=1e-9)
    assert_sound([mesh for mesh, _ in made.surfaces])
    (tmp_path / "sheet.obj").write_text("v 0 0 0\nv 1 0 0\nv 1 2 0\nv 0 2 0\nf 1 2 3 4\n")
    sheet, _ = converted(tmp_path / "sheet.obj", hulls=8)
    assert len(sheet.pieces) == 1
    assert 1e-4 < hulls.volume(sheet.pieces[0]) < 0.01
    kind, _ = library.kind_of(added(tmp_path, tmp_path / "sheet.obj", size=(0.2,)))
    assert settle(world_with([standing(kind, kind.sample(0.2, np.random.default_rng(0)))], 0.1))


def test_a_mesh_far_away_is_the_same_mesh(tmp_path: Path) -> None:
    bowl = tri(lathe(BOWL, 24))
    bowl.export(tmp_path / "near.obj")
    bowl.apply_translation((1e4, -2e4, 3e4)).export(tmp_path / "far.obj")
    near, far = (corners(converted(tmp_path / f"{name}.obj")[0]) for name in ("near", "far"))
    assert near.shape == far.shape
    assert np.allclose(near.min((0, 1)), -near.max((0, 1)))
    assert np.abs(near.max((0, 1)) - far.max((0, 1))).max() < 1e-5


def test_many_triangles_become_few_with_their_texture_in_place(tmp_path: Path) -> None:
    n = 120
    angle, polar = np.meshgrid(np.linspace(0, 2 * np.pi, 2 * n + 1), np.linspace(0, np.pi, n + 1))
    points = np.stack([np.sin(polar) * np.cos(angle), np.sin(polar) * np.sin(angle), np.cos(polar)], -1)
    uvs = np.stack([angle / (2 * np.pi), 1 - polar / np.pi], -1).reshape(-1, 2)
    index = np.arange(angle.size).reshape(angle.shape)
    a, b, c, d = (part.ravel() for part in (index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]))
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)])
    body = trimesh.Trimesh(points.reshape(-1, 3), faces, process=False)
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=Image.fromarray(QUADRANTS))
    body.visual = trimesh.visual.TextureVisuals(uv=uvs, material=material)
    y_up(body).export(tmp_path / "globe.glb")
    told: list[str] = []
    soup, longest = read_centred(tmp_path / "globe.glb", "auto", told.append)
    made = convert(soup, longest, Limits(1500, hulls=1), told.append, told.append)
    assert made.source_triangles == 4 * n * n
    assert 1000 < made.triangles <= 1500
    assert any("decimating" in line for line in told)
    ((mesh, paint),) = made.surfaces
    assert paint.image is not None
    assert_sound([mesh])
    assert np.abs(np.linalg.norm(mesh.vertices, axis=1) - 0.5).max() < 0.02
    away = np.abs(mesh.vertices[:, 2]) < 0.45  # a globe's texture has no direction at its poles
    expected = np.arctan2(mesh.vertices[:, 1], mesh.vertices[:, 0]) / (2 * np.pi)
    error = np.abs((mesh.uvs[:, 0] - expected + 0.5) % 1.0 - 0.5)
    assert error[away].max() < 0.02
    height = np.arccos(np.clip(mesh.vertices[:, 2] / np.linalg.norm(mesh.vertices, axis=1), -1, 1)) / np.pi
    assert np.abs(mesh.uvs[:, 1] - height)[away].max() < 0.02
    # No triangle reaches across the seam from one edge of the picture to the other.
    assert np.ptp(mesh.uvs[mesh.faces][..., 0], axis=1)[away[mesh.faces].all(1)].max() < 0.2


def test_without_a_decomposition_one_hull_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tri(lathe(BOWL, 24)).export(tmp_path / "bowl.stl")
    monkeypatch.setattr(hulls, "_MODULE", "perception_sim.convert.nothing")
    made, warnings = converted(tmp_path / "bowl.stl", hulls=8)
    assert len(made.pieces) == 1
    assert len(warnings) == 1 and "No module named" in warnings[0]

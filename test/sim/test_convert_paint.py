"""What users' meshes look like: materials, colours of vertices, pictures and where they lie."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from user_meshes import (
    QUADRANTS,
    Image,
    added,
    box_file,
    converted,
    standing,
    trimesh,
    world_with,
)

from perception_sim.camera import View
from perception_sim.objects import library
from perception_sim.objects.instance import MeshShape
from perception_sim.rendering.classic import ClassicRenderer

MATERIALS = """\
mtllib parts.mtl
v 0 0 0
v 1 0 0
v 1 1 0
v 0 1 0
v 0 0 1
vt 0 0
vt 1 0
vt 1 1
usemtl red
f 1/1 3/3 2/2
usemtl shiny
f 1/1 2/2 5/3
usemtl picture
f 2/1 3/2 5/3
f 3/1 4/2 5/3
usemtl lost
f 4/1 1/2 5/3
f 1/1 4/2 3/3
"""
LIBRARY = """\
newmtl red
Kd 0.8 0.1 0.1
d 0.5
newmtl shiny
Kd 0.1 0.2 0.7
Ns 400
newmtl picture
map_Kd -s 1 1 1 C:\\art\\Wood.PNG
newmtl lost
Kd 0.3 0.4 0.5
map_Kd gone.png
"""


def test_materials_become_surfaces_and_what_is_missing_is_told(tmp_path: Path) -> None:
    (tmp_path / "parts.obj").write_text(MATERIALS)
    (tmp_path / "parts.mtl").write_text(LIBRARY)
    (tmp_path / "maps").mkdir()
    Image.fromarray(QUADRANTS).save(tmp_path / "maps" / "wood.png")
    made, warnings = converted(tmp_path / "parts.obj")
    paints = {paint.name: paint for _, paint in made.surfaces}
    assert set(paints) == {"red", "shiny", "picture", "lost"}
    assert paints["red"].color == pytest.approx((0.8, 0.1, 0.1), abs=0.01)
    assert paints["red"].alpha == 0.5
    assert paints["shiny"].roughness < 0.1 < paints["red"].roughness
    # Found under its name, whatever its author's disk was called.
    assert np.array_equal(paints["picture"].image, QUADRANTS)
    assert paints["lost"].image is None
    assert paints["lost"].color == pytest.approx((0.3, 0.4, 0.5), abs=0.01)
    assert [line for line in warnings if "gone.png" in line] == warnings
    few, warnings = converted(tmp_path / "parts.obj", materials=2)
    assert len(few.surfaces) == 2
    assert any("4 materials" in line for line in warnings)
    rest = next(paint for _, paint in few.surfaces if paint.name == "other materials")
    assert any((rest.image == np.rint(np.multiply((0.8, 0.1, 0.1), 255))).all(-1).ravel())


def test_colours_of_vertices_become_a_texture(tmp_path: Path) -> None:
    ball = trimesh.creation.icosphere(2)
    ball.visual.vertex_colors = np.where(ball.vertices[:, 2:] > 0, [[200, 40, 20, 255]], [[20, 60, 220, 255]])
    ball.export(tmp_path / "ball.ply")
    ((mesh, paint),) = converted(tmp_path / "ball.ply")[0].surfaces
    assert paint.image is not None
    middle = mesh.vertices[mesh.faces].mean(1)
    u, v = (mesh.uvs[mesh.faces[:, 0]] * paint.image.shape[1::-1]).astype(int).T
    seen = paint.image[v, u]
    assert (seen[middle[:, 2] > 0.1] == (200, 40, 20)).all()
    assert (seen[middle[:, 2] < -0.1] == (20, 60, 220)).all()


def test_a_picture_lies_where_the_mesh_says(tmp_path: Path) -> None:
    """A board with a picture on its front, seen from there: the picture's quadrants are where they belong."""
    (tmp_path / "board.obj").write_text(
        "mtllib board.mtl\nv -1 0 -1\nv 1 0 -1\nv 1 0 1\nv -1 0 1\n"
        "vt 0 0\nvt 1 0\nvt 1 1\nvt 0 1\nusemtl a\nf 1/1 2/2 3/3 4/4\n"
    )
    (tmp_path / "board.mtl").write_text("newmtl a\nmap_Kd a.png\n")
    Image.fromarray(QUADRANTS).save(tmp_path / "a.png")
    kind, _ = library.kind_of(added(tmp_path, tmp_path / "board.obj", size=(0.2,), hue=0.0, brightness=0.0))
    shape = MeshShape(kind.sample.folder, kind.sample.sha256, (0.2,) * 3)
    board = dataclasses.replace(standing(kind, shape), position=(0.0, 0.0, 0.3))
    world = world_with([board], 0.1)
    with ClassicRenderer(200, 200) as renderer:
        renderer.load(world)
        seen = renderer.rgb(View((0.0, -0.6, 0.3), (0.0, 0.0, 0.3), 0.0, 18.0)).astype(int)
    for row, column, color in ((60, 60, 0), (60, 140, 1), (140, 60, 2)):
        assert seen[row, column].argmax() == color, (row, column, seen[row, column])
        assert seen[row, column].max() > 2 * np.sort(seen[row, column])[1]
    assert seen[140, 140, :2].min() > 2 * seen[140, 140, 2]


def test_textures_that_come_beside_the_mesh_are_worn_in_turn(tmp_path: Path) -> None:
    for number, color in enumerate(((200, 30, 30), (30, 200, 30))):
        Image.new("RGB", (40, 20), color).save(tmp_path / f"{number}.png")
    textures = tuple(str(tmp_path / f"{number}.png") for number in range(2))
    kind, _ = library.kind_of(added(tmp_path, box_file(tmp_path), textures=textures, keep_texture=1.0))
    shape = kind.sample(0.1, np.random.default_rng(0))
    files = {kind.dress(shape, np.random.default_rng(seed))[0].texture.file for seed in range(12)}
    assert len(files) == 2
    # Without a picture or a colour there is no typical look: the preset's colours are drawn.
    assert library.kind_of(added(tmp_path, box_file(tmp_path), name="bare"))[0].dress is None

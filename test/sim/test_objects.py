"""Objects of users: meshes from elsewhere become classes that are seen, labelled and that things fall into."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim import shapes
from perception_sim.camera import View
from perception_sim.catalogue.balls import KINDS as BALLS
from perception_sim.catalogue.kinds import Kind
from perception_sim.cli import main
from perception_sim.convert import hulls
from perception_sim.convert.pipeline import Converted, Limits, convert, read_centred
from perception_sim.convert.soup import doubled_areas
from perception_sim.objects import folder as folders
from perception_sim.objects import library
from perception_sim.objects.add import add_object
from perception_sim.objects.instance import MeshShape
from perception_sim.params import AddObjectParams
from perception_sim.presets import load_preset, parse_preset
from perception_sim.rendering.classic import ClassicRenderer
from perception_sim.scene import Light, Material, Scene, Stage, Thing
from perception_sim.shapes.mesh import Mesh, lathe
from perception_sim.textures import Texture
from perception_sim.world import World, compile_scene, settle

trimesh = pytest.importorskip("trimesh")
for _library in ("coacd", "fast_simplification", "scipy"):
    pytest.importorskip(_library)
Image = pytest.importorskip("PIL.Image")

BOWL = ((0, 0), (0.3, 0), (0.6, 0.15), (0.9, 0.45), (1.0, 0.65), (0.93, 0.65), (0.83, 0.46), (0.55, 0.2), (0, 0.06))
UPRIGHT = (1.0, 0.0, 0.0, 0.0)
QUADRANTS = np.zeros((64, 96, 3), np.uint8)
QUADRANTS[:32, :48], QUADRANTS[:32, 48:] = (220, 30, 30), (30, 200, 30)
QUADRANTS[32:, :48], QUADRANTS[32:, 48:] = (30, 30, 220), (220, 220, 30)


def tri(mesh: Mesh) -> Any:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def box(**placed: Any) -> Any:
    return trimesh.creation.box((0.2, 0.4, 0.6), **placed)


def y_up(mesh: Any) -> Any:
    return mesh.copy().apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))


def converted(path: Path, up: str = "auto", **limits: Any) -> tuple[Converted, list[str]]:
    warnings: list[str] = []
    soup, longest = read_centred(path, up, warnings.append)
    return convert(soup, longest, Limits(**{"hulls": 1, **limits}), lambda _: None, warnings.append), warnings


def added(tmp_path: Path, mesh: Path, **values: Any) -> Path:
    params = {"hulls": 1, "preview": False, "output": str(tmp_path / "objects"), "name": "thing", **values}
    return Path(add_object(AddObjectParams(mesh=str(mesh), **params), lambda _: None)["output"])


def box_file(tmp_path: Path) -> Path:
    box().export(tmp_path / "box.stl")
    return tmp_path / "box.stl"


def corners(made: Converted) -> np.ndarray:
    return np.concatenate([mesh.vertices[mesh.faces] for mesh, _ in made.surfaces])


def volume(made: Converted) -> float:
    return float(np.linalg.det(corners(made)).sum() / 6.0)


def assert_sound(surfaces: Sequence[Mesh]) -> None:
    for mesh in surfaces:
        _, flat = doubled_areas(mesh.vertices[mesh.faces])
        assert (flat[:, None] * mesh.normals[mesh.faces]).sum(-1).min() > 0.0
        assert np.allclose(np.linalg.norm(mesh.normals, axis=1), 1.0, atol=1e-5)
        assert np.isfinite(mesh.uvs).all()


def world_with(things: Sequence[Thing], size: float) -> World:
    plain = Material(Texture("plain", ((0.5, 0.5, 0.5),) * 2, 1.0, 0.0, 0.0, 0, 16), 0.0, 0.1)
    stage = Stage(plain, size, None, None, ((0.7, 0.8, 0.9), (0.9, 0.9, 0.9)), 0.9)
    return compile_scene(Scene(tuple(things), (Light((0, 0.3, -1), (0.1,) * 3, False),), stage, size, 4 * size))


def standing(kind: Kind, shape: shapes.Shape, at: tuple[float, float] = (0.0, 0.0), lift: float = 0.001) -> Thing:
    low = float(shapes.built(shape).points[:, 2].min())
    rng = np.random.default_rng(0)
    worn = kind.dress(shape, rng) if kind.dress else ()
    grey = Material(Texture("plain", ((0.4, 0.4, 0.4),) * 2, 1.0, 0.0, 0.0, 0, 16), 0.0, 0.1)
    return Thing("x", "x", shape, worn or (grey,), (*at, lift - low), UPRIGHT, kind.density)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with objects/my_bowl, added by the command from a GLB (y up) and three lines of YAML."""
    root = tmp_path_factory.mktemp("objects")
    bowl = lathe(BOWL, 20)
    made = tri(bowl)
    material = trimesh.visual.material.PBRMaterial(
        name="glaze", baseColorTexture=Image.fromarray(QUADRANTS), roughnessFactor=0.3, metallicFactor=0.0
    )
    made.visual = trimesh.visual.TextureVisuals(uv=bowl.uvs, material=material)
    y_up(made).export(root / "bowl.glb")
    (root / "bowl.yaml").write_text("size: [0.14, 0.18]\nmass: 0.4\nupright: 1.0\n")
    words = [
        "--hulls",
        12,
        "--mesh",
        root / "bowl.glb",
        "--name",
        "my_bowl",
        "--config",
        root / "bowl.yaml",
        "--output",
    ]
    assert main(["add-object", *map(str, words), str(root / "objects"), "--json", str(root / "told.json")]) == 0
    return root


def test_the_command_makes_a_whole_folder_and_tells_what_is_in_it(place: Path) -> None:
    folder = place / "objects" / "my_bowl"
    assert {path.name for path in folder.iterdir()} == {"object.yaml", "mesh.npz", "textures", "preview.png"}
    assert [path.name for path in folder.parent.iterdir()] == ["my_bowl"]
    told = json.loads((place / "told.json").read_text())
    assert told["size"] == [0.14, 0.18]
    assert told["mass"] == pytest.approx(0.4, rel=1e-3)
    assert 4 <= told["hulls"] <= 12
    assert told["tilt_deg"] < 5.0
    assert told["warnings"] == []
    assert np.allclose(told["extents"], np.sqrt(0.14 * 0.18) * np.array([1, 1, 0.325]), atol=1e-4)
    preview = cv2.imread(str(folder / "preview.png"))
    assert preview.shape == (600, 1280, 3)
    # Hulls are drawn in many colours, the bowl in those of its texture.
    assert len(np.unique(preview[330:, 640:].reshape(-1, 3) // 32, axis=0)) > 20


def test_a_ball_stays_in_the_hollow(place: Path) -> None:
    kind = library.load((str(place / "objects"),))["my_bowl"]
    size = 0.16
    bowl = standing(kind, MeshShape(kind.sample.folder, kind.sample.sha256, (size,) * 3))
    ball = BALLS["ball"]
    dropped = standing(ball, ball.sample(0.045, np.random.default_rng(2)), (0.25 * size, 0.0), 0.4 * size)
    world = world_with([bowl, dropped], 0.1)
    assert settle(world, 6.0)
    spot, _ = world.pose(1)
    rim = world.points(0)[:, 2].max()
    assert np.hypot(*(spot - world.pose(0)[0])[:2]) < 0.25 * size
    assert world.points(1)[:, 2].min() < 0.6 * rim
    assert world.points(1)[:, 2].min() > 0.0
    assert world.pose(0)[1][2, 2] > np.cos(np.radians(8))
    # The control: on one hull there is no hollow.
    solid = shapes.built(bowl.shape)
    lid = dataclasses.replace(
        solid, colliders=(shapes.hull(dataclasses.replace(solid.surfaces[0], vertices=solid.points)),)
    )
    closed = world_with([dataclasses.replace(bowl, shape=Fixed(lid)), dropped], 0.1)
    settle(closed, 6.0)
    assert closed.points(1)[:, 2].min() > 0.9 * rim or np.hypot(*closed.pose(1)[0][:2]) > 0.5 * size


@dataclasses.dataclass(frozen=True, eq=False)
class Fixed:
    """A shape that is there already."""

    solid: shapes.Solid

    def build(self) -> shapes.Solid:
        return self.solid


def test_instances_vary_are_json_and_name_the_files_they_are_made_of(place: Path) -> None:
    kind = library.load((str(place / "objects"),))["my_bowl"]
    drawn = [kind.sample(0.1, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    values = json.loads(json.dumps(dataclasses.asdict(drawn[0])))
    assert values["sha256"] == folders.sha256(place / "objects" / "my_bowl")
    for shape in drawn:
        solid = shape.build()
        assert np.allclose(solid.points.min(0), -solid.points.max(0))
        assert 0.09 < np.ptp(solid.points, axis=0).max() < 0.11
        assert_sound(solid.surfaces)
    worn = [kind.dress(drawn[0], np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert worn[0] == worn[1] != worn[2]
    json.dumps([dataclasses.asdict(material) for material in worn[0]])


def test_a_generated_dataset_has_both_classes_labelled(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    (tmp_path / "mine.yaml").write_text(
        "content: {classes: [my_bowl, ball], object_dirs: [objects], size: natural, negatives: 0.0, objects: [3, 5]}\n"
        "surface: {typical: 1.0}\n"
    )
    words = ["--preset", tmp_path / "mine.yaml", "--output", tmp_path / "data", "--images", 8, "--workers", 2]
    assert main(["generate", *map(str, words), "--views-per-scene", "2"]) == 0
    found = json.loads((tmp_path / "data" / "annotations.json").read_text())
    names = {category["id"]: category["name"] for category in found["categories"]}
    labelled = [names[one["category_id"]] for one in found["annotations"] if not one["iscrowd"]]
    assert set(labelled) == {"my_bowl", "ball"}
    sampled = (tmp_path / "data" / "sampled.jsonl").read_text()
    assert folders.sha256(place / "objects" / "my_bowl") in sampled
    numbers = set()
    for mask in (tmp_path / "data" / "masks").iterdir():
        numbers |= set(np.unique(cv2.imread(str(mask), cv2.IMREAD_UNCHANGED)).tolist())
    assert numbers == {0, 1, 2}


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


def test_the_mass_is_what_was_said_in_the_middle_of_the_sizes(tmp_path: Path) -> None:
    folder = added(tmp_path, box_file(tmp_path), size=(0.2, 0.45), mass=2.5, stretch=0.0)
    kind, _ = library.kind_of(folder)
    middle = float(np.sqrt(0.2 * 0.45))
    for size, mass in ((middle, 2.5), (0.45, 2.5 * (0.45 / middle) ** 3)):
        world = world_with([standing(kind, kind.sample(size, np.random.default_rng(0)))], 0.1)
        assert world.model.body_mass[1] == pytest.approx(mass, rel=1e-3)


def test_a_changed_object_is_another_one(tmp_path: Path) -> None:
    folder = added(tmp_path, box_file(tmp_path))
    dirs = (str(folder.parent),)
    kind, before = library.load(dirs)["thing"], library.digests(dirs)["thing"]
    text = (folder / folders.YAML).read_text()
    (folder / folders.YAML).write_text(text.replace("upright: 0.5", "upright: 0.75"))
    with pytest.raises(UserError, match="was changed"):
        kind.sample(0.1, np.random.default_rng(0)).build()
    library.forget()
    assert library.load(dirs)["thing"].upright == 0.75
    assert library.digests(dirs)["thing"] != before


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("upright: 0.5", "uprigth: 0.5", "did you mean 'upright'"),
        ("upright: 0.5", "upright: 1.5", "0 to 1"),
        ("format: 1", "format: 2", "format 1"),
        ("extents:", "extent:", "'made' was changed"),
        ("upright: 0.5", "also: [bal]", "did you mean 'ball'"),
    ],
)
def test_mistakes_in_object_yaml_are_told(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = added(tmp_path, box_file(tmp_path)) / folders.YAML
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError) as caught:
        parse_preset("mine", {"content": {"classes": ["thing"], "object_dirs": [str(tmp_path / "objects")]}})
    assert told in str(caught.value) and "object.yaml" in str(caught.value)


def test_folders_of_objects_are_checked(tmp_path: Path) -> None:
    for folder, told in (("nowhere", "does not exist"), (".", "holds no objects")):
        with pytest.raises(UserError, match=told):
            parse_preset("mine", {"content": {"object_dirs": [str(tmp_path / folder)]}})
    folder = added(tmp_path, box_file(tmp_path))
    (folder / folders.MESH).write_bytes(b"PK")
    library.forget()
    kind = library.load((str(folder.parent),))["thing"]
    with pytest.raises(UserError, match="cannot read the object's mesh"):
        kind.sample(0.1, np.random.default_rng(0)).build()
    folder.rename(folder.with_name("ball"))
    library.forget()
    with pytest.raises(UserError, match="'ball' is taken"):
        library.load((str(folder.parent),))


def test_objects_are_none_where_no_folder_is_named() -> None:
    assert library.load(()) == {}
    assert "thing" not in load_preset("demo").kinds


def test_a_missing_library_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = box_file(tmp_path)
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(UserError, match=r"needs trimesh.*pip install 'perception_suite\[objects\]'"):
        added(tmp_path, path)


def test_without_a_decomposition_one_hull_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tri(lathe(BOWL, 24)).export(tmp_path / "bowl.stl")
    monkeypatch.setattr(hulls, "_MODULE", "perception_sim.convert.nothing")
    made, warnings = converted(tmp_path / "bowl.stl", hulls=8)
    assert len(made.pieces) == 1
    assert len(warnings) == 1 and "No module named" in warnings[0]

"""Objects of users as classes: drawn, seen, labelled, fallen into; their folders, and what is wrong in them."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from user_meshes import (
    BOWL,
    QUADRANTS,
    Image,
    added,
    box_file,
    standing,
    tri,
    trimesh,
    world_with,
    y_up,
)
from worlds import assert_sound

from perception_common.errors import UserError
from perception_sim import shapes
from perception_sim.catalogue.balls import KINDS as BALLS
from perception_sim.cli import main
from perception_sim.objects import folder as folders
from perception_sim.objects import library
from perception_sim.objects.instance import MeshShape
from perception_sim.presets import load_preset, parse_preset
from perception_sim.shapes.mesh import lathe
from perception_sim.world import settle


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
    with zipfile.ZipFile(folder / folders.MESH, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("bomb", "w") as bomb:
        for _ in range(257):
            bomb.write(bytes(1 << 20))
    with pytest.raises(UserError, match="unpacked it has more than 256 MiB"):
        folders.read_solid(folder)
    folder.rename(folder.with_name("ball"))
    library.forget()
    with pytest.raises(UserError, match="'ball' is taken"):
        library.load((str(folder.parent),))


def test_objects_are_none_where_no_folder_is_named() -> None:
    assert library.load(()) == {}
    assert "thing" not in load_preset("demo").kinds

"""Meshes as users have them, and what becomes of them; skips the tests where the libraries for meshes are missing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from perception_sim import shapes
from perception_sim.catalogue.kinds import Kind
from perception_sim.convert.pipeline import Converted, Limits, convert, read_centred
from perception_sim.objects.add import add_object
from perception_sim.params import AddObjectParams
from perception_sim.scene import Light, Material, Scene, Stage, Thing
from perception_sim.shapes.mesh import Mesh
from perception_sim.textures import Texture
from perception_sim.world import World, compile_scene

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

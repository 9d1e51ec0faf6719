"""Meshes from files: OBJ (with MTL), STL (binary and ASCII), GLB and glTF 2.0, PLY; read by trimesh."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np

from perception_common.errors import UserError

from .libraries import need
from .paint import paint_of
from .soup import Paint, Soup

ENDINGS = (".obj", ".stl", ".glb", ".gltf", ".ply")
_Y_UP = (".glb", ".gltf")
# Options that may stand before the file's name in a map_Kd line of an MTL file, with the number of their values.
_MAP_OPTION = re.compile(
    r"^-(?:(?:blendu|blendv|cc|clamp|texres|bm|imfchan|type)\s+\S+|mm(?:\s+\S+){2}|[ost](?:\s+[-+.\de]+){1,3})\s+"
)
_MOST_TRIANGLES = 50_000_000


def read(path: Path, up: str, warn: Callable[[str], None]) -> Soup:
    """The triangles of a file in its own unit, z up.

    ``up`` is ``z``, ``y``, or ``auto``: y for glTF, as its specification has it, and z for the others, which say
    nothing. Everything in a file is one object; where its parts are is kept.

    Raises:
        UserError: the file is missing, cannot be read, holds no triangles, or has coordinates that are no numbers.

    """
    if path.suffix.lower() not in ENDINGS:
        raise UserError(f"cannot read '{path.suffix}' meshes", where=path, fix="convert it to " + ", ".join(ENDINGS))
    if not path.is_file():
        raise UserError("the mesh does not exist", where=path, fix="check --mesh")
    parts = [part for part in _parts(path, warn) if len(part.faces)]
    if not parts:
        raise UserError("the file holds no triangles", where=path, fix="check that it is whole, and a mesh of faces")
    soup = _together(parts)
    if not np.isfinite(soup.corners).all():
        raise UserError("the mesh has coordinates that are no numbers (NaN or infinite)", where=path, fix="repair it")
    return _z_up(soup) if up == "y" or (up == "auto" and path.suffix.lower() in _Y_UP) else soup


def _parts(path: Path, warn: Callable[[str], None]) -> list[Soup]:
    trimesh = need("trimesh")
    resolver = _resolver(path)
    try:
        content = io.BytesIO(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read the file: {error.strerror or error}", where=path) from error
    try:
        # As bytes, so that the files it names come through our resolver.
        scene = trimesh.load_scene(content, file_type=path.suffix[1:].lower(), resolver=resolver, process=False)
    except Exception as error:  # parsers fail in many ways on broken files
        if resolver.missing:
            raise UserError(f"the mesh needs a file that is not there: {resolver.missing[-1]}", where=path) from error
        reason = f"{type(error).__name__}: {error}"[:200]
        raise UserError(f"cannot read the mesh ({reason})", where=path, fix="export it again") from error
    for name in resolver.missing:
        warn(f"{path.name} names a file that is not there: {name}; its material's colour is used instead")
    found = [scene.graph[node] for node in scene.graph.nodes_geometry]
    points = [scene.geometry[name] for _, name in found if not hasattr(scene.geometry[name], "faces")]
    if points and len(points) == len(found):
        raise UserError("the file holds points or lines and no triangles", where=path, fix="make a mesh of it first")
    if points:
        warn(f"{path.name}: {len(points)} parts without faces are left out")
    made = [(matrix, scene.geometry[name]) for matrix, name in found if hasattr(scene.geometry[name], "faces")]
    if sum(len(mesh.faces) for _, mesh in made) > _MOST_TRIANGLES:
        raise UserError(f"the mesh has more than {_MOST_TRIANGLES:,} triangles", where=path, fix="decimate it first")
    return [_soup(mesh, np.asarray(matrix, float), warn) for matrix, mesh in made]


def _soup(mesh: Any, matrix: np.ndarray, warn: Callable[[str], None]) -> Soup:
    """One of trimesh's meshes, placed by ``matrix`` [4, 4]."""
    points, faces = np.asarray(mesh.vertices, float), np.asarray(mesh.faces, np.int64)
    count, linear = len(faces), matrix[:3, :3]
    uvs, normals, colors = np.full((count, 3, 2), np.nan), np.full((count, 3, 3), np.nan), np.full((count, 3), np.nan)
    paint = paint_of(mesh.visual, warn)
    coordinates = getattr(mesh.visual, "uv", None)
    if coordinates is not None and len(coordinates) == len(points):
        uvs = np.asarray(coordinates, float)[faces, :2]
    # Without normals in the file trimesh computes smooth ones when asked, which round every edge: ask its memory.
    if "vertex_normals" in mesh._cache:
        across = np.linalg.inv(linear) if abs(np.linalg.det(linear)) > 1e-30 else np.eye(3)
        normals = (np.asarray(mesh.vertex_normals, float) @ across)[faces]
    if mesh.visual.kind == "face":
        colors = np.asarray(mesh.visual.face_colors, float)[:, :3] / 255.0
    elif mesh.visual.kind == "vertex":
        colors = (np.asarray(mesh.visual.vertex_colors, float)[:, :3] / 255.0)[faces].mean(1)
    with np.errstate(invalid="ignore"):  # what is no number is told later, for all parts
        placed = points @ linear.T + matrix[:3, 3]
    soup = Soup(placed, faces, np.zeros(count, np.int64), uvs, normals, colors, (paint,))
    if np.linalg.det(linear) < 0.0:
        # A mirrored part shows its inside: turn the triangles over, not the normals that came with it.
        turned = soup.turned_over(np.ones(count, bool))
        return Soup(turned.vertices, turned.faces, turned.paint, turned.uvs, -turned.normals, colors, (paint,))
    return soup


def _together(parts: list[Soup]) -> Soup:
    """All parts as one, each material once."""
    paints: dict[tuple[object, ...], int] = {}
    every: list[Paint] = []
    numbers = []
    for part in parts:
        paint = part.paints[0]
        key = (paint.name, paint.color, paint.roughness, paint.metallic, paint.alpha, _image_key(paint.image))
        if key not in paints:
            paints[key] = len(every)
            every.append(paint)
        numbers.append(paints[key])
    starts = np.cumsum([0] + [len(part.vertices) for part in parts[:-1]])
    return Soup(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate([part.faces + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([np.full(len(part.faces), number) for part, number in zip(parts, numbers, strict=True)]),
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("uvs", "normals", "colors")),
        tuple(every),
    )


def _image_key(image: np.ndarray | None) -> object:
    return None if image is None else (image.shape, hash(image.tobytes()))


def _z_up(soup: Soup) -> Soup:
    """From y up and z towards the viewer to z up: x stays, y becomes z, and z becomes -y."""
    turn = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    return Soup(
        soup.vertices @ turn.T, soup.faces, soup.paint, soup.uvs, soup.normals @ turn.T, soup.colors, soup.paints
    )


def _resolver(path: Path) -> Any:
    """Finds the files that a mesh names, also where its author's paths do not fit this machine."""
    trimesh = need("trimesh")

    class Resolver(trimesh.resolvers.FilePathResolver):  # type: ignore[misc, name-defined]
        """Looks beside the mesh, whatever the folders, slashes and case in the name; remembers what is not there."""

        def __init__(self) -> None:
            super().__init__(str(path))
            self.missing: list[str] = []

        def get(self, name: str) -> bytes:
            wanted = name.strip()
            while option := _MAP_OPTION.match(wanted):
                wanted = wanted[option.end() :]
            wanted = wanted.strip("\"'")
            try:
                return bytes(super().get(wanted))
            except (OSError, ValueError):
                found = _namesake(path.parent, PureWindowsPath(wanted).name)
            if found is None:
                self.missing.append(wanted)
                raise FileNotFoundError(wanted)
            return found.read_bytes()

    return Resolver()


def _namesake(folder: Path, name: str) -> Path | None:
    """A file of that name, in upper or lower case, in a folder or one below it."""
    beside = sorted(folder.glob("*")) + sorted(folder.glob("*/*"))
    return next((path for path in beside if path.name.lower() == name.lower() and path.is_file()), None)

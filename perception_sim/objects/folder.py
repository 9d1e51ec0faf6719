"""An object on disk: a folder whose name is the class.

object.yaml    sizes, mass and looks (a user's to edit), and what the conversion found (`Made`)
mesh.npz       surfaces and convex pieces about the middle of the bounding box, longest side 1, z up:
vertices_N, normals_N float32 [V, 3], uvs_N float32 [V, 2], faces_N int32 [F, 3],
hull_N float32 [P, 3]; read without pickles
textures/      PNG files
preview.png    for people; no part of the object
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import yaml

from perception_common.errors import UserError
from perception_common.params import build, specs
from perception_common.yaml_files import load_yaml

from .. import shapes
from ..params import ObjectParams
from ..shapes import Solid
from ..shapes.forms import cloud
from ..shapes.mesh import Mesh

FORMAT = 1
YAML, MESH, TEXTURES, PREVIEW = "object.yaml", "mesh.npz", "textures", "preview.png"
# The most triangles that add-object leaves take a tenth of it.
_MAX_MESH_BYTES = 256 << 20
_HEAD = """\
# An object for perception-sim. A preset uses it by its folder's name:
#   content: {classes: [NAME], object_dirs: [the folder above this one], size: natural, upright: natural}
#   surface: {typical: 0.8}    # the share of objects in their own looks
# The lines down to 'made' are yours to edit.
"""


class Material(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a surface wears: one of ``textures`` (paths in the folder), or else a plain sRGB ``color``, or else nothing.

    ``roughness``, ``metallic`` and ``alpha`` are in 0..1.
    """

    name: str
    textures: tuple[str, ...] = ()
    color: tuple[float, float, float] | None = None
    roughness: float = 0.7
    metallic: float = 0.0
    alpha: float = 1.0


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the conversion found: sides and volume of the colliders are those of an object whose longest side is 1."""

    format: int
    source: str
    source_sha256: str
    software: str
    extents: tuple[float, float, float]
    volume: float
    materials: tuple[Material, ...]


def write(
    folder: Path, params: ObjectParams, made: Made, surfaces: tuple[Mesh, ...], pieces: tuple[np.ndarray, ...]
) -> None:
    """Write object.yaml and mesh.npz into a folder that is there."""
    arrays: dict[str, np.ndarray] = {}
    for number, surface in enumerate(surfaces):
        for name in ("vertices", "normals", "uvs"):
            arrays[f"{name}_{number}"] = getattr(surface, name).astype(np.float32)
        arrays[f"faces_{number}"] = surface.faces.astype(np.int32)
    arrays |= {f"hull_{number}": piece.astype(np.float32) for number, piece in enumerate(pieces)}
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    (folder / MESH).write_bytes(data.getvalue())
    (folder / YAML).write_text(_yaml(params, made), encoding="utf-8")


def read(folder: Path) -> tuple[ObjectParams, Made]:
    """What object.yaml says.

    Raises:
        UserError: it is not there, not whole, or of another format.

    """
    path = folder / YAML
    values = load_yaml(path)
    found = values.pop("made", None)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(
            f"no object of format {FORMAT}: 'made' is missing or of another version",
            where=path,
            fix="add the object again with perception-sim add-object",
        )
    try:
        made = msgspec.convert(found, Made)
    except msgspec.ValidationError as error:
        raise UserError(f"'made' was changed: {error}", where=path, fix="add the object again") from error
    return build(ObjectParams, values, path), made


def read_solid(folder: Path) -> Solid:
    """Surfaces and colliders of an object whose longest side is 1 m.

    Raises:
        UserError: mesh.npz is not there or not whole.

    """
    path = folder / MESH
    try:
        with zipfile.ZipFile(path) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > _MAX_MESH_BYTES:
                raise ValueError(f"unpacked it has more than {_MAX_MESH_BYTES >> 20} MiB")
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        surfaces = [
            Mesh(*(arrays[f"{name}_{number}"].astype(float) for name in ("vertices", "normals", "uvs")), faces=faces)
            for number, faces in _numbered(arrays, "faces")
        ]
        return shapes.solid(surfaces, [shapes.hull(cloud(piece)) for _, piece in _numbered(arrays, "hull")])
    except Exception as error:  # zip files and arrays break in many ways
        raise UserError(f"cannot read the object's mesh ({error})", where=path, fix="add the object again") from error


def sha256(folder: Path) -> str:
    """A digest of everything that pictures of the object depend on: names and bytes of its files."""
    digest = hashlib.sha256()
    files = [folder / YAML, folder / MESH, *sorted((folder / TEXTURES).glob("*"))]
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UserError(
                f"cannot read the object: {error.strerror}", where=path, fix="add the object again"
            ) from error
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _numbered(arrays: dict[str, np.ndarray], name: str) -> list[tuple[int, np.ndarray]]:
    count = sum(key.startswith(name + "_") for key in arrays)
    return [(number, arrays[f"{name}_{number}"]) for number in range(count)]


def _yaml(params: ObjectParams, made: Made) -> str:
    lines = [_HEAD]
    for spec in specs(ObjectParams).values():
        value = getattr(params, spec.name)
        # The mass decides where it is given; a height has become a size.
        if value == spec.default and spec.name in ("height", "mass", "also", "resembles"):
            continue
        if spec.name == "density" and params.mass:
            continue
        plain: Any = list(value) if isinstance(value, tuple) else value
        text = yaml.safe_dump(plain, default_flow_style=True).removesuffix("...\n").strip()
        lines.append(f"# {spec.doc}\n{spec.name}: {text}\n")
    lines.append("\n# Found by the conversion; not to be edited.\n")
    rest = yaml.safe_dump({"made": msgspec.to_builtins(made)}, sort_keys=False, default_flow_style=None, width=110)
    return "".join(lines) + rest

"""``perception-sim add-object``: a mesh, textures and a few lines of YAML become a class."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_common import __version__, durable
from perception_common.errors import UserError
from perception_common.images import read_picture

from ..convert.hulls import volume
from ..convert.paint import LONGEST_PX
from ..convert.pipeline import Converted, Limits, convert, read_centred
from ..params import UNITS, AddObjectParams, ObjectParams
from ..shapes.mesh import Mesh
from . import folder as folders
from . import library

Tell = Callable[[str], None]
_PLAUSIBLE_M = (0.005, 10.0)
"""Longest sides that a mesh may have without a word on its size; outside of that its unit is another."""
_SPREAD = 0.05


def add_object(params: AddObjectParams, tell: Tell) -> dict[str, Any]:
    """Make the folder of an object, whole or not at all, and say what it holds; ``tell`` hears what is going on.

    Returns:
        ``name``, ``output``, ``sha256`` (see `folder.sha256`), ``size`` (metres, longest side), ``extents`` (metres, of
        an instance of the middle size), ``mass`` (kg, of the same), ``triangles``, ``source_triangles``, ``materials``,
        ``hulls``, ``tilt_deg`` (of an instance that was set down upright; None without a preview), ``warnings``.

    Raises:
        UserError: a wrong parameter, a mesh that cannot be used, a library that is missing.

    """
    target = _target(params)
    path, warnings = Path(params.mesh), list[str]()

    def warn(text: str) -> None:
        warnings.append(text)
        tell(f"warning: {text}")

    own = {field.name: getattr(params, field.name) for field in dataclasses.fields(ObjectParams)}
    pictures = [_picture(name) for name in params.textures]
    tell(f"reading {path}")
    soup, longest = read_centred(path, params.up, warn)
    said = ObjectParams(**own)
    if not said.size and not said.height:
        said = dataclasses.replace(said, size=_own_size(longest, params.unit, path))
    x, y, z = soup.extents.tolist()
    size = library.nominal_sizes(said, (x, y, z), path)
    said = dataclasses.replace(said, size=tuple(float(f"{side:.4g}") for side in size), height=())
    _check_names(said, target)
    limits = Limits(params.triangles, params.materials, params.hulls, params.concavity)
    made = convert(soup, longest, limits, tell, warn)
    with durable.new_directory(target) as work:
        _write(work, said, path, made, pictures)
        # Read as presets do, so that what is told below is what they get.
        kind, sha256 = library.kind_of(work)
        tilt = None
        if params.preview:
            from .preview import draw

            tell("drawing the preview")
            tilt = draw(work, kind, target.name, warn)
    library.forget()
    middle = float(np.sqrt(kind.size[0] * kind.size[1]))
    summary = {
        "name": target.name,
        "output": str(target),
        "sha256": sha256,
        "size": list(kind.size),
        "extents": [round(side * middle, 6) for side in made.extents],
        "mass": float(f"{kind.density * sum(map(volume, made.pieces)) * middle**3:.4g}"),
        "triangles": made.triangles,
        "source_triangles": made.source_triangles,
        "materials": len(made.surfaces),
        "hulls": len(made.pieces),
        "tilt_deg": tilt,
        "warnings": warnings,
    }
    tell(_sentence(summary, params.output))
    return summary


def _sentence(summary: dict[str, Any], directory: str) -> str:
    sides = " x ".join(f"{side:.3g}" for side in summary["extents"])
    return (
        f"{summary['output']}: {sides} m (z up), {summary['mass']:.3g} kg, {summary['triangles']:,} triangles, "
        f"{summary['materials']} materials, {summary['hulls']} collision hulls; in a preset: "
        f"content: {{classes: [{summary['name']}], object_dirs: [{directory}], size: natural, upright: natural}}"
    )


def _target(params: AddObjectParams) -> Path:
    """The folder to make.

    Raises:
        UserError: the name cannot be a class's, or is taken.

    """
    if not params.mesh:
        raise UserError("no mesh", fix="say --mesh FILE")
    name = params.name or Path(params.mesh).stem
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        valid = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "object"
        valid = valid if valid[0].isalpha() else f"my_{valid}"
        raise UserError(f"'{name}' cannot name a class: letters, digits and _ can", fix=f"say --name {valid}")
    if name in library.TAKEN:
        raise UserError(f"the name '{name}' is taken by the catalogue", fix=f"say --name my_{name}")
    target = Path(params.output) / name
    if target.exists():
        raise UserError("the object exists already", where=target, fix="remove its folder, or say another --name")
    return target


def _own_size(longest: float, unit: str, path: Path) -> tuple[float, float]:
    """The mesh's own size in metres, a little less and a little more.

    Raises:
        UserError: it is so large or small that the unit must be another.

    """
    metres = longest * UNITS[unit]
    low, high = _PLAUSIBLE_M
    if not low <= metres <= high:
        others = {name: longest * scale for name, scale in UNITS.items() if low <= longest * scale <= high / 2.0}
        # The smallest unit first: what is too large is drawn in millimetres more often than in inches.
        units = ", ".join(f"--unit {name} ({others[name]:.3g} m)" for name in sorted(others, key=lambda n: UNITS[n]))
        fix = f"say {units}, or --size in metres" if units else "say how large it is: --size in metres"
        raise UserError(f"the mesh would be {metres:.3g} m long", where=path, fix=fix)
    return metres * (1.0 - _SPREAD), metres * (1.0 + _SPREAD)


def _check_names(said: ObjectParams, target: Path) -> None:
    beside = target.parent
    objects = library.load((str(beside),)) if beside.is_dir() and library.found_in(beside) else {}
    library.check_names((*said.also, *said.resembles), objects, "add-object")


def _picture(name: str) -> np.ndarray:
    """A texture, uint8 BGR [H, W, 3], at most `LONGEST_PX` on its longer side."""
    picture = read_picture(name)
    if picture is None:
        raise UserError("cannot read the texture", where=name, fix="give a PNG or JPEG file")
    shrink = LONGEST_PX / max(picture.shape[:2])
    return cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1.0 else picture


def _write(work: Path, said: ObjectParams, path: Path, made: Converted, pictures: list[np.ndarray]) -> None:
    """The files of an object, but for the preview."""
    names = _save(work, "given", pictures)
    bare = {number for number, (_, paint) in enumerate(made.surfaces) if paint.image is None}
    wearing = (bare or set(range(len(made.surfaces)))) if names else set()
    materials, meshes = [], list[Mesh]()
    for number, (mesh, paint) in enumerate(made.surfaces):
        own = () if paint.image is None else _save(work, f"{number}", [cv2.cvtColor(paint.image, cv2.COLOR_RGB2BGR)])
        textures = names if number in wearing else own
        surface = (round(paint.roughness, 4), round(paint.metallic, 4), round(paint.alpha, 4))
        color = None if paint.color is None else tuple(round(part, 4) for part in paint.color)
        materials.append(folders.Material(paint.name, textures, color, *surface))
        meshes.append(mesh)
    found = folders.Made(
        format=folders.FORMAT,
        source=path.name,
        source_sha256=durable.sha256(path),
        software=f"perception_sim {__version__}",
        extents=made.extents,
        volume=sum(map(volume, made.pieces)),
        materials=tuple(materials),
    )
    folders.write(work, said, found, tuple(meshes), made.pieces)


def _save(work: Path, stem: str, pictures: list[np.ndarray]) -> tuple[str, ...]:
    """Write textures (uint8 BGR) as PNG files; their paths in the folder."""
    names = []
    for index, picture in enumerate(pictures):
        (work / folders.TEXTURES).mkdir(exist_ok=True)
        name = f"{folders.TEXTURES}/{stem}-{index}.png"
        done, data = cv2.imencode(".png", picture)
        if not done:
            raise RuntimeError(f"OpenCV could not encode {name}")
        (work / name).write_bytes(data.tobytes())
        names.append(name)
    return tuple(names)

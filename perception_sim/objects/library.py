"""The objects in a preset's folders, as kinds."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from perception_common import durable
from perception_common.errors import UserError, did_you_mean

from ..catalogue import KINDS
from ..catalogue.distractors import DISTRACTORS
from ..catalogue.kinds import Kind
from ..catalogue.lookalikes import LOOKALIKES
from ..params import ObjectParams
from . import folder as folders
from .instance import Dresser, Sampler

TAKEN = (*KINDS, *LOOKALIKES, *DISTRACTORS, "shapes", "lookalikes", "catalogue")
"""Names that mean something in a preset already."""


def load(object_dirs: tuple[str, ...]) -> dict[str, Kind]:
    """Every object in these folders (as for photographs: relative ones to the current directory), by its name.

    Read once for a process, so that all its pictures show the same objects.

    Raises:
        UserError: a folder does not exist or holds no objects, a name is taken, an object is not whole.

    """
    return dict(_load(object_dirs, str(Path.cwd()))[0]) if object_dirs else {}


def digests(object_dirs: tuple[str, ...]) -> dict[str, str]:
    """The digest (`folder.sha256`) of every object in these folders, by its name; see `load`."""
    return dict(_load(object_dirs, str(Path.cwd()))[1]) if object_dirs else {}


def forget() -> None:
    """Read the folders anew when they are next asked for."""
    _load.cache_clear()


def found_in(directory: Path) -> list[Path]:
    """The folders of objects in a directory, in the order of their names."""
    return sorted(path.parent for path in directory.glob(f"*/{folders.YAML}") if _is_object(path.parent))


@functools.lru_cache(maxsize=16)
def _load(object_dirs: tuple[str, ...], _: str) -> tuple[dict[str, Kind], dict[str, str]]:
    kinds: dict[str, Kind] = {}
    digest: dict[str, str] = {}
    places: dict[str, Path] = {}
    for directory in map(Path, object_dirs):
        if not directory.is_dir():
            raise UserError("the folder of objects does not exist", where=directory, fix="check content.object_dirs")
        here = found_in(directory)
        if not here:
            raise UserError("the folder holds no objects", where=directory, fix="make one: perception-sim add-object")
        for folder in here:
            name = folder.name
            if name in TAKEN or name in places:
                other = places.get(name, "the catalogue")
                raise UserError(f"the name '{name}' is taken by {other}", where=folder, fix="rename the folder")
            places[name] = folder
            kinds[name], digest[name] = kind_of(folder)
    for name, kind in kinds.items():
        check_names((*kind.also, *kind.resembles), kinds, places[name] / folders.YAML)
    return kinds, digest


def kind_of(folder: Path) -> tuple[Kind, str]:
    """The object in a folder as a kind, and its digest."""
    params, made = folders.read(folder)
    sha256 = folders.sha256(folder)
    size = nominal_sizes(params, made.extents, folder / folders.YAML)
    known = any(material.textures or material.color for material in made.materials)
    kind = Kind(
        Sampler(str(folder), sha256, params.stretch),
        size,
        Dresser(str(folder), params, made.materials) if known else None,
        params.upright,
        density_of(params, size, made.volume, folder / folders.YAML),
        params.also,
        params.resembles,
    )
    return kind, sha256


def nominal_sizes(params: ObjectParams, extents: tuple[float, float, float], where: object) -> tuple[float, float]:
    """The least and the greatest longest side in metres; ``extents`` are the sides of a mesh whose longest is 1.

    Raises:
        UserError: neither or both of size and height are there, or they are no range.

    """
    if bool(params.size) == bool(params.height):
        raise UserError("give either a size or a height", where=where, fix="size: [0.45, 0.55] in metres")
    given = params.size or params.height
    low, high = given[0], given[-1]
    if len(given) > 2 or low > high:
        raise UserError("a size is one number, or the least and the greatest", where=where, fix="such as [0.45, 0.55]")
    rise = max(extents[2], 1e-3) if params.height else 1.0
    return low / rise, high / rise


def density_of(params: ObjectParams, size: tuple[float, float], volume: float, where: object) -> float:
    """kg/m³ of the colliders: as given, or so that an instance of the middle size has the mass.

    Raises:
        UserError: nothing is that heavy.

    """
    if not params.mass:
        return params.density
    middle = float(np.sqrt(size[0] * size[1]))
    density = params.mass / (volume * middle**3)
    if not 1.0 <= density <= 25_000.0:
        heavy = "heavier than any metal" if density > 1.0 else "lighter than air"
        raise UserError(
            f"{params.mass:g} kg is {heavy} for an object of {middle:.3g} m ({density:.3g} kg/m³)",
            where=where,
            fix="check mass (kg) and size (m), or give a density",
        )
    return density


def check_names(names: tuple[str, ...], objects: dict[str, Kind], where: object) -> None:
    """Whether ``also`` and ``resembles`` name classes.

    Raises:
        UserError: one of them is none.

    """
    known = {**KINDS, **objects}
    for name in names:
        if name not in known:
            raise UserError(
                f"'also' or 'resembles' names no class: '{name}'", where=where, fix=did_you_mean(name, known)
            )


def _is_object(folder: Path) -> bool:
    return not folder.name.startswith((durable.TEMPORARY_PREFIX, "."))

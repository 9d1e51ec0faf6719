"""``perception-sim view``: a contact sheet, or a page of pictures and statistics, of one dataset or two."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perception_common import durable
from perception_common.errors import UserError

from ..params import ViewParams
from ..progress import Meter
from .annotations import Dataset, read_dataset
from .comparison import compare_classes, compare_features
from .features import feature_values
from .files import Files, find_duplicates, list_files
from .findings import Finding, find, find_same_files, find_same_seed, ranked
from .pictures import crops, thumbnails
from .pixels import Pixels, measure
from .sheet import spread, write_sheet
from .statistics import describe

# Pictures and cut-outs in a page, of all datasets together.
_MOST_PICTURES = 60
_MOST_CROPS = 320
_MOST_CROP_CLASSES = 40


@dataclasses.dataclass(frozen=True, eq=False)
class _Read:
    """A dataset, its label, its files and measurements."""

    label: str
    dataset: Dataset
    files: Files
    pixels: Pixels


def view(params: ViewParams) -> dict[str, Any]:
    """Draw a contact sheet (``output`` ends in .png) or a page of any dataset in this project's layout.

    Returns:
        ``output`` (what to open), ``pictures`` (how many are on the sheet), and with a page also ``contact_sheet``,
        ``datasets`` (`describe` and ``findings`` of each) and ``comparison`` (None with one dataset).

    Raises:
        UserError: a dataset cannot be read, or the output cannot be written.

    """
    if not params.dataset:
        raise UserError("no dataset", fix="say --dataset DIRECTORY")
    if params.output.lower().endswith(".png"):
        if params.compare:
            raise UserError("a contact sheet shows one dataset", where="--compare", fix="ask for a page: --output DIR")
        return _sheet(params, Path(params.dataset), Path(params.output))
    roots = [Path(name) for name in (params.dataset, params.compare) if name]
    if len(roots) == 2 and roots[0].resolve() == roots[1].resolve():
        raise UserError("--dataset and --compare are the same", where=roots[1], fix="name two datasets")
    return _page(params, roots)


def _sheet(params: ViewParams, root: Path, output: Path) -> dict[str, Any]:
    return {"output": str(output), "pictures": write_sheet(root, output, params.columns, params.rows, params.first)}


def _page(params: ViewParams, roots: Sequence[Path]) -> dict[str, Any]:
    try:
        from .page import Part, build_page, class_order
    except ModuleNotFoundError as missing:
        fix = "install the package with its 'sim' extra, or ask for a sheet alone: --output FILE.png"
        raise UserError(f"the page needs the Python package '{missing.name}'", fix=fix) from missing
    datasets = [read_dataset(root) for root in roots]
    for dataset in datasets:
        if not dataset.file_names:
            raise UserError("no images in the annotations", where=dataset.root / "annotations.json")
    page, sheet = _outputs(params, roots[0])
    durable.ensure_writable(page.parent)
    rng = np.random.default_rng(params.seed)
    read = [_look_at(label, dataset, params, rng) for label, dataset in zip(_labels(roots), datasets, strict=True)]
    values = [feature_values(one.dataset, one.pixels) for one in read]
    numbers = [describe(one.dataset, one.files, one.pixels, v) for one, v in zip(read, values, strict=True)]
    findings = _findings(params, read, numbers, rng)
    names = class_order(numbers)[:_MOST_CROP_CLASSES]
    parts = [
        Part(one.label, one.dataset, n, v, one.pixels, f, *_pictures(one, params, names, len(read), rng))
        for one, n, v, f in zip(read, numbers, values, findings, strict=True)
    ]
    comparison = None
    if len(read) == 2:
        first, second = values
        comparison = {"features": compare_features(first, second), "classes": compare_classes(*numbers)}
    notes = {"sample": params.samples, "seed": params.seed, "min_per_class": params.min_per_class}
    durable.write_text(page, build_page(parts, comparison, notes))
    drawn = write_sheet(datasets[0], sheet, params.columns, params.rows, params.first) if sheet else 0
    return {
        "output": str(page),
        "contact_sheet": str(sheet) if sheet else None,
        "pictures": drawn or len(parts[0].pictures),
        "datasets": [
            {**n, "findings": [dataclasses.asdict(finding) for finding in f]}
            for n, f in zip(numbers, findings, strict=True)
        ],
        "comparison": comparison,
    }


def _outputs(params: ViewParams, root: Path) -> tuple[Path, Path | None]:
    """The page and, beside it in a directory, the sheet."""
    if params.output.lower().endswith((".html", ".htm")):
        return Path(params.output), None
    directory = Path(params.output or f"{root.resolve().name}-view")
    return directory / "index.html", directory / "contact_sheet.png"


def _labels(roots: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that tell the datasets apart."""
    parts = [root.resolve().parts for root in roots]
    for length in range(1, max(map(len, parts)) + 1):
        names = ["/".join(one[-length:]) for one in parts]
        if len(set(names)) == len(names):
            break
    return names


def _look_at(label: str, dataset: Dataset, params: ViewParams, rng: np.random.Generator) -> _Read:
    files = list_files(dataset.root / "images", dataset.file_names)
    sample = np.sort(rng.permutation(files.present)[: params.samples]).tolist()
    with Meter(f"{label}: measuring images", len(sample), "images") as meter:
        return _Read(label, dataset, files, measure(dataset, sample, meter.advance))


def _findings(
    params: ViewParams, read: Sequence[_Read], numbers: Sequence[dict[str, Any]], rng: np.random.Generator
) -> list[list[Finding]]:
    duplicates = find_duplicates(
        [one.files.size for one in read],
        lambda number, image: read[number].dataset.path(image),
        params.duplicate_checks,
        rng,
    )
    same = find_same_files(duplicates, [one.label for one in read], [one.dataset.file_names for one in read])
    if len(read) == 2:
        same[1] = find_same_seed(read[0].dataset.provenance, read[1].dataset.provenance) + same[1]
    return [
        ranked([*found, *find(one.dataset, n, one.pixels, params.min_per_class, params.small_px)])
        for found, one, n in zip(same, read, numbers, strict=True)
    ]


def _pictures(
    one: _Read, params: ViewParams, names: Sequence[str], datasets: int, rng: np.random.Generator
) -> tuple[list[Any], list[Any]]:
    """Thumbnails, and cut-outs per class in the order of ``names``."""
    shown = min(params.columns * params.rows, _MOST_PICTURES) // datasets
    images = spread(one.files.present.tolist(), shown, params.first)
    each = min(params.crops, max(_MOST_CROPS // max(datasets * len(names), 1), 2))
    known = {name: index for index, name in enumerate(one.dataset.classes)}
    categories = [known.get(name, -1) for name in names]
    with Meter(f"{one.label}: cutting out", len(images), "pictures") as meter:
        pictures = thumbnails(one.dataset, images, meter.advance)
    return pictures, crops(one.dataset, one.files.present, categories, each, rng)

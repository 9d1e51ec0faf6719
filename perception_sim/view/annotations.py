"""The annotations of a dataset, read once into columns.

A million images have several million annotations: each is decoded by itself, packed into arrays, and kept as the
bytes it came from, so that masks are parsed only for the few objects that are drawn.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from perception_common.errors import UserError

_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_FIX = "give a directory in this project's layout (images/ and annotations.json, COCO)"
_NAN = float("nan")
# Corners farther out than this (pixels) are no measurement.
_FARTHEST = 1e9
_LARGEST = 1_000_000
# What one annotation is in the packed array.
_COLUMNS = ("image", "category", "x", "y", "w", "h", "crowd", "occlusion", "truncation", "ax", "ay", "aw", "ah")
_Id = int | float | str
_Box = tuple[float, float, float, float]


class _Image(msgspec.Struct, gc=False):
    id: _Id
    file_name: str
    width: int
    height: int


class _Category(msgspec.Struct, gc=False):
    id: _Id
    name: str


class _Annotation(msgspec.Struct, gc=False):
    image_id: _Id
    category_id: _Id
    bbox: _Box
    id: _Id | None = None
    iscrowd: bool | int | None = 0
    occlusion: float | None = None
    truncation: float | None = None
    amodal_bbox: _Box | None = None


class _Mask(msgspec.Struct, gc=False):
    segmentation: Any = None


class _File(msgspec.Struct):
    images: list[_Image]
    categories: list[_Category]
    annotations: list[msgspec.Raw]


@dataclasses.dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset in columns: N images, M usable annotations ordered by image, C classes.

    ``sizes`` int [N, 2] are width and height in pixels as annotated. For annotation j: ``image`` int [M] and
    ``category`` int [M] are indices into ``file_names`` and ``classes``; ``boxes`` float [M, 4] and ``amodal``
    float [M, 4] (NaN where not recorded) are x_min, y_min, x_max, y_max in pixel edges; ``crowd`` bool [M] marks
    what is there but not labelled; ``occlusion`` and ``truncation`` float [M] are shares, NaN where not recorded.
    ``faults`` counts what could not be used, by kind. ``provenance`` is dataset.json (empty without one).
    """

    root: Path
    classes: tuple[str, ...]
    file_names: tuple[str, ...]
    sizes: np.ndarray
    image: np.ndarray
    category: np.ndarray
    boxes: np.ndarray
    crowd: np.ndarray
    occlusion: np.ndarray
    truncation: np.ndarray
    amodal: np.ndarray
    faults: dict[str, int]
    provenance: dict[str, Any]
    raw: Sequence[msgspec.Raw]

    def of(self, image: int) -> range:
        """The annotations of an image."""
        return range(*np.searchsorted(self.image, (image, image + 1)).tolist())

    def path(self, image: int) -> Path:
        """Where an image lies."""
        return self.root / "images" / self.file_names[image]

    def segmentation(self, annotation: int) -> Any:
        """COCO's polygons, or either of its run-length encodings, as parsed JSON; None where there is none."""
        return msgspec.json.decode(self.raw[annotation], type=_Mask).segmentation or None


def read_dataset(root: Path) -> Dataset:
    """Read ``root/annotations.json`` and ``root/dataset.json``.

    Annotations that no statistics can hold (unknown image or category, no extent, not finite) are left out and
    counted in `Dataset.faults`.

    Raises:
        UserError: the file cannot be read, is not JSON, or holds something of a wrong type.

    """
    path = root / "annotations.json"
    try:
        data = path.read_bytes()
        content = msgspec.json.decode(data, type=_File)
    except OSError as error:
        raise UserError(f"cannot read the annotations: {error.strerror}", where=path, fix=_FIX) from error
    except _BROKEN as error:
        raise UserError(f"broken annotations: {_plain(error)}", where=path, fix=_FIX) from error
    faults: dict[str, int] = {}
    for image in content.images:
        if not (0 < image.width <= _LARGEST and 0 < image.height <= _LARGEST):
            what = f"image '{image.file_name}' cannot be {image.width} x {image.height} pixels large"
            raise UserError(what, where=path, fix=f"width and height must be 1 to {_LARGEST}")
    sizes = np.array([(image.width, image.height) for image in content.images], np.int64).reshape(-1, 2)
    rows, kept = _rows(content, path, faults)
    provenance = _provenance(root / "dataset.json", data, faults)
    columns = dict(zip(_COLUMNS, rows.T, strict=True))
    boxes, amodal = (_corners(*(columns[prefix + key] for key in "xywh")) for prefix in ("", "a"))
    return Dataset(
        root=root,
        classes=tuple(category.name for category in content.categories),
        file_names=tuple(image.file_name for image in content.images),
        sizes=sizes,
        image=columns["image"].astype(np.int64),
        category=columns["category"].astype(np.int64),
        boxes=boxes,
        crowd=columns["crowd"].astype(bool),
        # KITTI's and other tools' -1 means "not known".
        occlusion=_share(columns["occlusion"]),
        truncation=_share(columns["truncation"]),
        amodal=amodal,
        faults={kind: count for kind, count in faults.items() if count},
        provenance=provenance,
        raw=kept,
    )


def _rows(content: _File, path: Path, faults: dict[str, int]) -> tuple[np.ndarray, list[msgspec.Raw]]:
    """Usable annotations, float [M, 13] in the order of `_COLUMNS`, sorted by image, and their bytes."""
    images = {image.id: index for index, image in enumerate(content.images)}
    categories = {category.id: index for index, category in enumerate(content.categories)}
    if len(categories) < len(content.categories):
        raise UserError("two categories have the same id", where=path, fix="give every category its own id")
    faults["images with the id of another image"] = len(content.images) - len(images)
    packed, ids = array("d"), []
    decode = msgspec.json.Decoder(_Annotation).decode
    none = (_NAN,) * 4
    # Millions of times: what numpy can do afterwards is not done here.
    for raw in content.annotations:
        try:
            one = decode(raw)
        except _BROKEN as error:
            where = f"broken annotation {len(ids)}: {_plain(error)}"
            raise UserError(where, where=path, fix=_FIX) from error
        ids.append(one.id)
        packed.extend(
            (
                images.get(one.image_id, -1),
                categories.get(one.category_id, -1),
                *one.bbox,
                1 if one.iscrowd else 0,
                _NAN if one.occlusion is None else one.occlusion,
                _NAN if one.truncation is None else one.truncation,
                *(one.amodal_bbox or none),
            )
        )
    rows = np.frombuffer(packed, np.float64).reshape(-1, len(_COLUMNS))
    unknown_image, unknown_category = rows[:, 0] < 0, rows[:, 1] < 0
    # Written so that NaN fails as well.
    shaped = (np.abs(rows[:, 2:4]) < _FARTHEST).all(1) & ((rows[:, 4:6] > 0) & (rows[:, 4:6] < _FARTHEST)).all(1)
    good = ~unknown_image & ~unknown_category & shaped
    known = [identity for identity in ids if identity is not None]
    different = set(known)
    faults["annotations of unknown images"] = int(unknown_image.sum())
    faults["annotations of unknown categories"] = int((unknown_category & ~unknown_image).sum())
    faults["boxes without extent, or not finite"] = int((~shaped & ~unknown_image & ~unknown_category).sum())
    faults["annotations with the id of another annotation"] = len(known) - len(different)
    faults["annotations with id 0 (pycocotools takes them for misses)"] = int(0 in different)
    chosen = np.flatnonzero(good)
    chosen = chosen[np.argsort(rows[chosen, 0], kind="stable")]
    return rows[chosen], [content.annotations[index] for index in chosen.tolist()]


def _provenance(path: Path, annotations: bytes, faults: dict[str, int]) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        faults["dataset.json that cannot be read"] = 1
        return {}
    wanted = content.get("annotations_sha256")
    if wanted is not None and wanted != hashlib.sha256(annotations).hexdigest():
        faults["annotations.json changed since dataset.json was written"] = 1
    return content


def _corners(x: np.ndarray, y: np.ndarray, w: np.ndarray, h: np.ndarray) -> np.ndarray:
    return np.stack([x, y, x + w, y + h], axis=1)


def _share(values: np.ndarray) -> np.ndarray:
    return np.where((values >= 0) & (values <= 1), values, _NAN)


def _plain(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)

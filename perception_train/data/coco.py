"""Reader of the suite's own dataset directory (images/, annotations.json in COCO form, dataset.json)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.durable import sha256
from perception_common.errors import UserError
from perception_common.images import read_picture
from perception_infer.evaluation.confusion import IGNORED

from .instances import InstanceMask, Segment, instance_mask, packed

Pixels = npt.NDArray[np.uint8]
ANNOTATIONS = "annotations.json"
PROVENANCE = "dataset.json"
_WITH_MASKS = "a network that segments needs masks/*.png, as `perception-sim generate` and `import` write them"
_MAKE_ONE = "make one with `perception-sim generate --output DIR`"


class Sample(NamedTuple):
    """One image: its file, size in pixels, boxes float32 [N, 4] xyxy pixel edges, labels int64 [N] (0-based).

    ``segments`` tell the pixels of each object, or are empty where none are known. ``occlusion`` float32 [N] is the
    share of each object that others hide, NaN where the dataset does not say; None where it says so of no object.
    """

    path: Path
    width: int
    height: int
    boxes: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    segments: tuple[Segment, ...] = ()
    occlusion: npt.NDArray[np.float32] | None = None

    def pixels_of(self, number: int) -> InstanceMask | None:
        """The pixels of an object, bool [H, W]; None where they are not known."""
        return instance_mask(self.segments[number], self.width, self.height) if self.segments else None

    def read(self) -> Pixels:
        """RGB uint8 [H, W, 3].

        Raises:
            UserError: the file is not a readable image, or not of the annotated size.
        """
        image = read_picture(self.path)
        if image is None:
            raise UserError("cannot read the image", where=self.path, fix="generate or copy the dataset again")
        if image.shape[:2] != (self.height, self.width):
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise UserError(f"the image is {size}, its annotation says {self.width}x{self.height}", where=self.path)
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)  # type: ignore[return-value]

    @property
    def mask_path(self) -> Path:
        """Where the class of every pixel is, if that is known."""
        root = next(folder.parent for folder in self.path.parents if folder.name == "images")
        return (root / "masks" / self.path.relative_to(root / "images")).with_suffix(".png")

    def read_mask(self) -> Pixels:
        """The class of every pixel, uint8 [H, W]: 0 = background, i + 1 = class i.

        Raises:
            UserError: there is no mask, it cannot be read, or it is not of the image's size.
        """
        mask = read_picture(self.mask_path, cv2.IMREAD_UNCHANGED)
        if mask is None:
            raise UserError("cannot read the mask", where=self.mask_path, fix=_WITH_MASKS)
        if mask.dtype != np.uint8 or mask.shape != (self.height, self.width):
            told = f"{mask.dtype} {list(mask.shape)}"
            raise UserError(f"the mask is {told}, not uint8 [{self.height}, {self.width}]", where=self.mask_path)
        return mask  # type: ignore[return-value]


@dataclass(frozen=True)
class CocoDataset:
    """Samples of a dataset directory and what is known of where they come from."""

    root: Path
    classes: tuple[str, ...]
    samples: tuple[Sample, ...]
    sha256: str
    preset: str | None
    skipped: int

    @classmethod
    def open(cls, root: Path) -> CocoDataset:
        """Read ``root/annotations.json``. Boxes are clipped to the image; empty and crowd ones are counted as skipped.

        Raises:
            UserError: the directory or a file is missing, damaged, or holds no image or class.
        """
        if not root.is_dir():
            raise UserError("the dataset does not exist", where=root, fix=_MAKE_ONE)
        content = _read_json(root / ANNOTATIONS)
        try:
            classes, ids = _classes(content)
            samples, skipped = _samples(root, content, ids)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"no key {error}" if isinstance(error, KeyError) else str(error)
            raise UserError(f"the annotations are not valid COCO: {problem}", where=root / ANNOTATIONS) from error
        if not samples:
            raise UserError("the dataset holds no images", where=root, fix=_MAKE_ONE)
        if not classes:
            raise UserError("the dataset names no classes", where=root / ANNOTATIONS)
        provenance = _read_json(root / PROVENANCE) if (root / PROVENANCE).is_file() else {}
        preset = _preset(provenance)
        return cls(root, classes, samples, sha256(root / ANNOTATIONS), preset, skipped)

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.root.name

    def require_masks(self) -> None:
        """Refuse a dataset in which the class of every pixel is not known."""
        missing = [sample.mask_path for sample in self.samples if not sample.mask_path.is_file()]
        if missing:
            raise UserError(
                f"{len(missing)} of {len(self.samples)} images have no mask", where=missing[0], fix=_WITH_MASKS
            )

    def mask(self, index: int) -> Pixels:
        """The class of every pixel of a sample, uint8 [H, W]: 0 = background, i + 1 = class i, 255 = does not count.

        Raises:
            UserError: as `Sample.read_mask`, or the mask names a class that the dataset has not.
        """
        mask = self.samples[index].read_mask()
        if int(np.where(mask == IGNORED, 0, mask).max()) > len(self.classes):
            where = self.samples[index].mask_path
            raise UserError(f"the mask names class {mask.max()} of {len(self.classes)}", where=where, fix=_WITH_MASKS)
        return mask

    def require_classes(self, classes: tuple[str, ...], whose: str) -> None:
        """Refuse when ``classes`` (of ``whose``) differ from the dataset's."""
        if classes != self.classes:
            extra = sorted(set(classes) ^ set(self.classes)) or ["the order"]
            raise UserError(
                f"class names differ between {whose} and dataset ({', '.join(extra)})",
                where=self.root,
                fix=f"{whose} has [{', '.join(classes)}], dataset has [{', '.join(self.classes)}]",
            )


def _preset(provenance: dict[str, Any]) -> str | None:
    """The name of the generator's preset, where the dataset comes from our generator."""
    config = provenance.get("config")
    preset = config.get("preset") if isinstance(config, dict) else None
    name = preset.get("name") if isinstance(preset, dict) else None
    return name if isinstance(name, str) else None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {path.name}: {error.strerror}", where=path, fix=_MAKE_ONE) from error
    except ValueError as error:
        raise UserError(f"not valid JSON: {error}", where=path, fix=_MAKE_ONE) from error
    if not isinstance(content, dict):
        raise UserError("the file must hold a JSON object", where=path)
    return content


def _classes(content: dict[str, Any]) -> tuple[tuple[str, ...], dict[int, int]]:
    categories = sorted(content["categories"], key=lambda category: category["id"])
    names = tuple(str(category["name"]) for category in categories)
    if len(set(names)) != len(names):
        raise ValueError("two categories have the same name")
    return names, {category["id"]: index for index, category in enumerate(categories)}


def _samples(root: Path, content: dict[str, Any], ids: dict[int, int]) -> tuple[tuple[Sample, ...], int]:
    found: dict[Any, tuple[list[list[float]], list[int], list[Segment], list[float]]] = {
        image["id"]: ([], [], [], []) for image in content["images"]
    }
    if len(found) != len(content["images"]):
        raise ValueError("two images have the same id")
    sizes = {image["id"]: (int(image["width"]), int(image["height"])) for image in content["images"]}
    skipped = 0
    for annotation in content["annotations"]:
        image_id = annotation["image_id"]
        if image_id not in found:
            raise ValueError(f"annotation {annotation.get('id')} names the image {image_id}, which is not listed")
        x, y, w, h = (float(value) for value in annotation["bbox"])
        width, height = sizes[image_id]
        box = [max(x, 0.0), max(y, 0.0), min(x + w, float(width)), min(y + h, float(height))]
        if annotation.get("iscrowd") or not all(map(math.isfinite, box)) or box[2] <= box[0] or box[3] <= box[1]:
            skipped += 1
            continue
        found[image_id][0].append(box)
        found[image_id][1].append(ids[annotation["category_id"]])
        found[image_id][2].append(packed(annotation.get("segmentation")))
        share = annotation.get("occlusion")
        found[image_id][3].append(float(share) if share is not None else math.nan)
    samples = []
    for image in content["images"]:
        boxes, labels, segments, hidden = found[image["id"]]
        name = Path(image["file_name"])
        path = root / name if name.parts[:1] == ("images",) else root / "images" / name
        if not path.resolve().is_relative_to(root.resolve()):
            raise ValueError(f"the image {str(name)!r} lies outside the dataset")
        box_array = np.asarray(boxes, np.float32).reshape(-1, 4)
        known = tuple(segments) if any(segment is not None for segment in segments) else ()
        occlusion = None if all(map(math.isnan, hidden)) else np.asarray(hidden, np.float32)
        samples.append(Sample(path, *sizes[image["id"]], box_array, np.asarray(labels, np.int64), known, occlusion))
    return tuple(samples), skipped

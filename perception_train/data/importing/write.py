"""The new dataset's directories, made from the pool one record at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from perception_common import __version__, durable
from perception_common.errors import UserError

from ..coco import ANNOTATIONS, PROVENANCE
from .pictures import write_png
from .pool import Pool


class Part:
    """One dataset directory: all of the output, or its train or val."""

    def __init__(self, folder: Path, pool: Pool, assigned: Sequence[str], name: str, classes: Sequence[str]) -> None:
        self.folder, self._pool, self._assigned, self._name, self._classes = folder, pool, assigned, name, classes
        self.counts: dict[str, Any] = {}

    def write(self, provenance: dict[str, Any]) -> None:
        """Move the images here and write annotations.json and dataset.json.

        Raises:
            UserError: something cannot be written.
        """
        try:
            (self.folder / "images").mkdir(parents=True)
            self._move()
            with (self.folder / ANNOTATIONS).open("w", encoding="utf-8") as file:
                file.writelines(self._document())
        except OSError as error:
            raise UserError(
                f"cannot write: {error.strerror}",
                where=self.folder,
                fix="choose a directory that is writable and has room",
            ) from error
        content = {
            "generator": "perception_train import",
            "version": __version__,
            **provenance,
            "part": self._name,
            "counts": self.counts,
            "annotations_sha256": durable.sha256(self.folder / ANNOTATIONS),
        }
        durable.write_text(self.folder / PROVENANCE, json.dumps(content, indent=2, sort_keys=True) + "\n")

    def _records(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """(number within this part, record) of each of its images."""
        number = 0
        for record, part in zip(self._pool.records(), self._assigned, strict=True):
            if part == self._name:
                yield number, record
                number += 1

    def _move(self) -> None:
        painted = self._pool.painted > 0
        if painted:
            (self.folder / "masks").mkdir()
        for number, record in self._records():
            image = record["image"]
            (self._pool.folder / image["file"]).rename(self.folder / "images" / _file_name(number, image))
            mask = self.folder / "masks" / f"{number:06d}.png"
            if image["mask"] == "painted":
                (self._pool.folder / image["file"]).with_suffix(".mask.png").rename(mask)
            elif image["mask"] == "empty" and painted:
                write_png(np.zeros((image["height"], image["width"]), np.uint8), mask)

    def _document(self) -> Iterator[str]:
        """annotations.json, piece by piece."""
        info = {"description": "imported by perception_train", "version": __version__}
        categories = [
            {"id": number, "name": name, "supercategory": "object"} for number, name in enumerate(self._classes, 1)
        ]
        yield f'{{"info":{_dump(info)},"licenses":[],"categories":{_dump(categories)},"images":['
        yield from _joined(self._images())
        yield '],"annotations":['
        yield from _joined(self._annotations())
        yield "]}\n"

    def _images(self) -> Iterator[dict[str, Any]]:
        for number, record in self._records():
            image = {key: value for key, value in record["image"].items() if key not in ("file", "mask")}
            yield {"id": number + 1, "file_name": _file_name(number, record["image"]), **image}

    def _annotations(self) -> Iterator[dict[str, Any]]:
        labelled: Counter[int] = Counter()
        images = negative = unlabelled = 0
        identity = 0
        for number, record in self._records():
            images += 1
            negative += not record["annotations"]
            for entry in record["annotations"]:
                identity += 1
                unlabelled += entry["iscrowd"]
                labelled[entry["category_id"]] += 1 - entry["iscrowd"]
                yield {"id": identity, "image_id": number + 1, **entry}
        self.counts = {
            "images": images,
            "negative_images": negative,
            "annotations": sum(labelled.values()),
            "unlabelled": unlabelled,
            "per_class": {name: labelled[number] for number, name in enumerate(self._classes, 1)},
        }


def _file_name(number: int, image: dict[str, Any]) -> str:
    return f"{number:06d}{Path(image['file']).suffix}"


def _dump(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _joined(values: Iterator[dict[str, Any]]) -> Iterator[str]:
    separator = "\n"
    for value in values:
        yield separator + _dump(value)
        separator = ",\n"

"""Part of a dataset as a dataset directory of its own."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from perception_common import durable

from .coco import ANNOTATIONS, CocoDataset, Sample


def nested(dataset: CocoDataset, seed: int) -> npt.NDArray[np.int64]:
    """An order of all samples; its first n are the subset of n images, so that each subset holds the smaller ones."""
    return np.random.default_rng(np.random.SeedSequence([seed, len(dataset.samples)])).permutation(len(dataset.samples))


def write_subset(dataset: CocoDataset, indices: Sequence[int], target: Path) -> Path:
    """Write some samples of a dataset to ``target``, whole or not at all; what is there already is replaced.

    Pictures and masks are hard links where the file system allows them.
    """
    shutil.rmtree(target, ignore_errors=True)
    images, annotations = [], []
    with durable.new_directory(target) as work:
        for number, index in enumerate(indices, 1):
            sample = dataset.samples[index]
            name = f"{number:06}{sample.path.suffix}"
            _place(sample.path, work / "images" / name)
            if sample.mask_path.is_file():
                _place(sample.mask_path, (work / "masks" / name).with_suffix(".png"))
            images.append({"id": number, "file_name": name, "width": sample.width, "height": sample.height})
            images[-1]["original"] = sample.path.name
            annotations += _annotations(sample, number, len(annotations))
        categories = [{"id": number, "name": name} for number, name in enumerate(dataset.classes, 1)]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (work / ANNOTATIONS).write_text(json.dumps(content))
    return target


def _annotations(sample: Sample, image: int, before: int) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    segments = sample.segments or (None,) * len(sample.labels)
    for (left, top, right, bottom), label, segment in zip(
        sample.boxes.tolist(), sample.labels.tolist(), segments, strict=True
    ):
        box = [left, top, right - left, bottom - top]
        told.append(
            {
                "id": before + len(told) + 1,
                "image_id": image,
                "category_id": label + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }
        )
        if segment is not None:
            # Run lengths as they came, or polygons.
            told[-1]["segmentation"] = segment if isinstance(segment, dict) else [ring.tolist() for ring in segment]
    return told


def _place(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)

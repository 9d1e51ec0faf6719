"""One scene of a dataset: its pictures and masks written, its record returned."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_common.errors import UserError
from perception_common.heap import give_back, keep_freed_memory

from .. import rle
from ..annotate import Annotation, Instance
from ..depth import millimetres
from ..presets import Preset
from ..rendering import open_renderer
from ..rendering.viewer import Viewer
from ..shot import Shot, Studio, negative_scene
from ..staging import settled_world


def _png(level: int, row_filter: str = "") -> list[int]:
    """What OpenCV is told about a PNG; a row filter by name is half the time of trying all (OpenCV 4.11 and later)."""
    chosen = getattr(cv2, f"IMWRITE_PNG_FILTER_{row_filter}", None) if row_filter else None
    return [cv2.IMWRITE_PNG_COMPRESSION, level] + ([] if chosen is None else [cv2.IMWRITE_PNG_FILTER, chosen])


_SCENES_UNTIL_GIVEN_BACK = 32
_PNG_PICTURE, _PNG_MASK, _PNG_DEPTH = _png(3), _png(1, "NONE"), _png(1, "SUB")


@dataclasses.dataclass(frozen=True)
class Plan:
    """What every worker has to know to make any scene of the dataset."""

    output: Path
    preset: Preset
    seed: int
    images: int
    views_per_scene: int
    width: int
    height: int
    image_format: str
    jpg_quality: int
    masks: bool
    depth: bool = False
    renderer: str = "classic"

    @property
    def scenes(self) -> int:
        """How many scenes the images need."""
        return -(-self.images // self.views_per_scene)

    def numbers(self, scene: int) -> range:
        """The numbers of a scene's images."""
        first = scene * self.views_per_scene
        return range(first, min(first + self.views_per_scene, self.images))


class Producer:
    """Makes scenes of a plan, one after the other, with one renderer; close it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        # Without this, page faults of freed pictures take as long as the sensor model itself.
        keep_freed_memory()
        # Every core has a producer of its own.
        cv2.setNumThreads(1)
        self._made = 0
        self._viewer = Viewer(plan.width, plan.height, functools.partial(open_renderer, plan.renderer))

    def make(self, scene: int) -> dict[str, Any]:
        """Write the images and masks of a scene and return its record (JSON values only).

        The record depends on the plan's seed and the scene's number alone.
        """
        plan = self.plan
        rng = np.random.default_rng(np.random.SeedSequence([plan.seed, scene]))
        negative = negative_scene(plan.preset, rng)
        world = settled_world(plan.preset, rng, negative)
        studio = Studio(world, self._viewer, plan.preset, plan.depth)
        shots = [self._write(studio.shoot(rng), number) for number in plan.numbers(scene)]
        self._made += 1
        if self._made % _SCENES_UNTIL_GIVEN_BACK == 0:
            give_back()
        return {"scene": scene, "negative": negative, "sampled": world.scene.as_dict(), "shots": shots}

    def close(self) -> None:
        """Free the renderers."""
        self._viewer.close()

    def _write(self, shot: Shot, number: int) -> dict[str, Any]:
        """Write a picture's files; its part of the record."""
        plan = self.plan
        name = f"{number:06d}.{plan.image_format}"
        options = [cv2.IMWRITE_JPEG_QUALITY, plan.jpg_quality] if plan.image_format == "jpg" else _PNG_PICTURE
        sizes = {
            f"images/{name}": _write(plan.output / "images" / name, cv2.cvtColor(shot.rgb, cv2.COLOR_RGB2BGR), options)
        }
        if plan.masks:
            mask = f"{number:06d}.png"
            sizes[f"masks/{mask}"] = _write(plan.output / "masks" / mask, shot.annotation.mask, _PNG_MASK)
        if shot.depth is not None:
            depth = f"{number:06d}.png"
            sizes[f"depth/{depth}"] = _write(plan.output / "depth" / depth, millimetres(shot.depth), _PNG_DEPTH)
        return {
            "number": number,
            "file_name": name,
            "sizes": sizes,
            "view": shot.as_dict(self._viewer),
            "instances": [_instance_record(instance) for instance in _ordered(shot.annotation)],
        }


def _ordered(annotation: Annotation) -> list[Instance]:
    return sorted(annotation.instances, key=lambda instance: instance.thing)


def _instance_record(instance: Instance) -> dict[str, Any]:
    x0, y0, x1, y1 = instance.box
    a0, b0, a1, b1 = instance.amodal
    return {
        "category_id": instance.category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": instance.area,
        "iscrowd": 0 if instance.labelled else 1,
        "segmentation": rle.encode(instance.mask),
        "amodal_bbox": [a0, b0, a1 - a0, b1 - b0],
        "occlusion": round(instance.occlusion, 4),
        "truncation": round(instance.truncation, 4),
        "thing": instance.thing,
    }


def _write(path: Path, picture: np.ndarray, options: list[int]) -> int:
    """Encode by the name's ending and write; the number of bytes."""
    done, data = cv2.imencode(path.suffix, picture, options)
    if not done:
        raise RuntimeError(f"OpenCV could not encode {path}")
    try:
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise UserError(
            f"cannot write: {error.strerror}", where=path, fix="choose a directory that is writable and has room"
        ) from error
    return int(data.size)

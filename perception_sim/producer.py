"""One scene of a dataset: its pictures and masks written, its record returned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_common.errors import UserError

from . import rle
from .annotate import Annotation, Instance
from .camera import View
from .presets import Preset
from .render import Renderer
from .sampling import sample_sensor
from .sensor import SensorSettings, expose
from .staging import labelled_view, settled_world
from .world import World


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
        self._renderer = Renderer(plan.width, plan.height)

    def make(self, scene: int) -> dict[str, Any]:
        """Write the images and masks of a scene and return its record (JSON values only).

        The record depends on the plan's seed and the scene's number alone.
        """
        plan = self.plan
        rng = np.random.default_rng(np.random.SeedSequence([plan.seed, scene]))
        negative = bool(rng.random() < plan.preset.content.negatives)
        world = settled_world(plan.preset, rng, negative, self._renderer.buffer)
        self._renderer.load(world)
        shots = [self._shoot(world, number, rng) for number in plan.numbers(scene)]
        return {"scene": scene, "negative": negative, "sampled": world.scene.as_dict(), "shots": shots}

    def close(self) -> None:
        """Free the renderer."""
        self._renderer.close()

    def _shoot(self, world: World, number: int, rng: np.random.Generator) -> dict[str, Any]:
        plan = self.plan
        view, annotation = labelled_view(world, self._renderer, plan.preset, rng)
        settings = sample_sensor(plan.preset, rng)
        picture = expose(self._renderer.rgb(view), settings, rng)
        name = f"{number:06d}.{plan.image_format}"
        options = (
            [cv2.IMWRITE_JPEG_QUALITY, plan.jpg_quality]
            if plan.image_format == "jpg"
            else [cv2.IMWRITE_PNG_COMPRESSION, 3]
        )
        sizes = {
            f"images/{name}": _write(plan.output / "images" / name, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
        }
        if plan.masks:
            mask = f"{number:06d}.png"
            sizes[f"masks/{mask}"] = _write(
                plan.output / "masks" / mask, annotation.mask, [cv2.IMWRITE_PNG_COMPRESSION, 5]
            )
        return {
            "number": number,
            "file_name": name,
            "sizes": sizes,
            "view": _view_record(view, settings, plan.width, plan.height),
            "instances": [_instance_record(instance) for instance in _ordered(annotation)],
        }


def _ordered(annotation: Annotation) -> list[Instance]:
    return sorted(annotation.instances, key=lambda instance: instance.thing)


def _instance_record(instance: Instance) -> dict[str, Any]:
    x0, y0, x1, y1 = instance.box
    return {
        "category_id": instance.category,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": instance.area,
        "iscrowd": 0 if instance.labelled else 1,
        "segmentation": rle.encode(instance.mask),
        "occlusion": round(instance.occlusion, 4),
        "truncation": round(instance.truncation, 4),
        "thing": instance.thing,
    }


def _view_record(view: View, settings: SensorSettings, width: int, height: int) -> dict[str, Any]:
    return {
        "camera": dataclasses.asdict(view),
        "intrinsics": view.intrinsics(width, height).tolist(),
        "sensor": dataclasses.asdict(settings),
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

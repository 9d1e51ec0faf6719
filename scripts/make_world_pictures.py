#!/usr/bin/env python3
"""Pictures of the presets for the documentation: ``.venv/bin/python scripts/make_world_pictures.py``.

Writes docs/images/preset_*.jpg: clean pictures of every preset, as a camera of the world saw them.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from docs_images import write

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.params import param
from perception_sim.generation.generate import generate
from perception_sim.params import GenerateParams
from perception_sim.presets import preset_names

COLUMNS, ROWS, GAP = 4, 3, 6


@dataclass(frozen=True)
class PictureParams:
    """Parameters of the picture maker."""

    presets: tuple[str, ...] = param((), "presets to draw (none: all)")
    seed: int = param(11, "seed of the scenes", minimum=0)
    width: int = param(640, "width of a picture in pixels, drawn at half of it", minimum=64)
    height: int = param(480, "height of a picture in pixels, drawn at half of it", minimum=64)


def make(params: PictureParams) -> Result:
    """One picture for each preset."""
    for preset in params.presets or preset_names():
        with tempfile.TemporaryDirectory() as folder:
            output = Path(folder) / "data"
            generate(
                GenerateParams(
                    output=str(output), preset=preset, images=COLUMNS * ROWS, views_per_scene=1, seed=params.seed,
                    width=params.width, height=params.height, contact_sheet=False,
                )
            )  # fmt: skip
            pictures = [cv2.imread(str(path)) for path in sorted((output / "images").rglob("*.jpg"))]
        write(f"preset_{preset}.jpg", arranged(pictures))
    return None


def arranged(pictures: list[np.ndarray]) -> np.ndarray:
    """Pictures at half their size, in rows."""
    small = [cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for picture in pictures]
    framed = [cv2.copyMakeBorder(one, GAP, 0, GAP, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)) for one in small]
    rows = [np.hstack(framed[start : start + COLUMNS]) for start in range(0, len(framed), COLUMNS)]
    return cv2.copyMakeBorder(np.vstack(rows), 0, GAP, 0, GAP, cv2.BORDER_CONSTANT, value=(255, 255, 255))


if __name__ == "__main__":
    command = Command("make_world_pictures", "Draw the pictures of the presets.", PictureParams, make)
    sys.exit(cli.single("make_world_pictures", command))

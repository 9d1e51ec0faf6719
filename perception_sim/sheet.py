"""Contact sheets: a picture of a dataset, with its boxes and class names."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_common import durable
from perception_common.errors import UserError

from .params import ViewParams

_GAP = 6


def view(params: ViewParams) -> dict[str, Any]:
    """Draw a contact sheet of any dataset in this format; ``output`` and ``pictures`` of what was drawn."""
    if not params.dataset:
        raise UserError("no dataset", fix="say --dataset DIRECTORY")
    output = Path(params.output or "contact_sheet.png")
    drawn = write_sheet(Path(params.dataset), output, params.columns, params.rows, params.first)
    return {"output": str(output), "pictures": drawn}


def write_sheet(dataset: Path, output: Path, columns: int = 6, rows: int = 4, first: int = 0) -> int:
    """Write a sheet of up to ``columns`` x ``rows`` pictures as a PNG; how many there are on it.

    Raises:
        UserError: the dataset or one of its images cannot be read, or ``output`` cannot be written.

    """
    coco = _read(dataset / "annotations.json")
    boxes: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for annotation in coco["annotations"]:
        boxes[annotation["image_id"]].append(annotation)
    names = {category["id"]: category["name"] for category in coco["categories"]}
    images = sorted(coco["images"], key=lambda image: image["id"])[first:]
    if not images:
        raise UserError("no images to draw", where=dataset, fix="check the dataset, or --first")
    wanted = min(columns * rows, len(images))
    chosen = images[:wanted] if first else [images[i * len(images) // wanted] for i in range(wanted)]
    tiles = [_tile(dataset / "images" / image["file_name"], boxes[image["id"]], names) for image in chosen]
    done, data = cv2.imencode(".png", _arrange(tiles, min(columns, wanted)), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise RuntimeError("OpenCV could not encode the sheet")
    durable.write_bytes(output, data.tobytes())
    return wanted


def color_of(category: int) -> tuple[int, int, int]:
    """A bright BGR colour for a category, as far from its neighbours' as can be."""
    hue = np.uint8([[[int(category * 0.618034 * 180) % 180, 200, 255]]])
    blue, green, red = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def draw_box(
    picture: np.ndarray, box: tuple[float, float, float, float], text: str, color: tuple[int, int, int]
) -> None:
    """Draw a box (x_min, y_min, x_max, y_max, pixel edges) and its name into a BGR picture."""
    x0, y0, x1, y1 = (round(value) for value in box)
    cv2.rectangle(picture, (x0, y0), (max(x1 - 1, x0), max(y1 - 1, y0)), color, 1)
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.36, 1)
    left = min(max(x0, 0), picture.shape[1] - width - 3)
    top = y0 - height - 4 if y0 >= height + 4 else y0
    cv2.rectangle(picture, (left, top), (left + width + 2, top + height + 3), color, -1)
    cv2.putText(
        picture, text, (left + 1, top + height + 1), cv2.FONT_HERSHEY_SIMPLEX, 0.36, (20, 20, 20), 1, cv2.LINE_AA
    )


def _tile(path: Path, annotations: list[dict[str, Any]], names: dict[int, str]) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise UserError("cannot read the image", where=path, fix="check that the dataset is whole")
    for annotation in annotations:
        x, y, w, h = annotation["bbox"]
        if annotation.get("iscrowd"):
            draw_box(picture, (x, y, x + w, y + h), names[annotation["category_id"]] + "?", (150, 150, 150))
        else:
            draw_box(
                picture, (x, y, x + w, y + h), names[annotation["category_id"]], color_of(annotation["category_id"])
            )
    return picture


def _arrange(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    height, width = max(tile.shape[0] for tile in tiles), max(tile.shape[1] for tile in tiles)
    rows = -(-len(tiles) // columns)
    page = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = _GAP + index // columns * (height + _GAP), _GAP + index % columns * (width + _GAP)
        page[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return page


def _read(path: Path) -> dict[str, Any]:
    try:
        coco = json.loads(path.read_text())
        missing = [key for key in ("images", "annotations", "categories") if key not in coco]
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"cannot read the annotations: {error}", where=path, fix="give the directory that holds annotations.json"
        ) from error
    if missing:
        raise UserError(f"no '{missing[0]}' in the annotations", where=path, fix="give a COCO dataset")
    content: dict[str, Any] = coco
    return content

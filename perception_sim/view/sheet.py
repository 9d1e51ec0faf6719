"""Contact sheets: a picture of a dataset, with its boxes, masks and class names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from perception_common import durable
from perception_common.errors import UserError

from .annotations import Dataset, read_dataset
from .pixels import read_picture
from .shapes import Shape, shapes_of

Color = tuple[int, int, int]
_GAP = 6
# Larger pictures are drawn smaller, so that a sheet of them stays one that viewers open.
_TILE_PX = 640
_CROWD: Color = (150, 150, 150)
_DASH_PX = 5
_SHIFT = 4


def write_sheet(dataset: Path | Dataset, output: Path, columns: int = 6, rows: int = 4, first: int = 0) -> int:
    """Write a sheet of up to ``columns`` x ``rows`` pictures as a PNG; how many there are on it.

    A picture that cannot be read leaves a grey tile with its name.

    Raises:
        UserError: the dataset cannot be read, none of the pictures can, or ``output`` cannot be written.

    """
    data = read_dataset(dataset) if isinstance(dataset, Path) else dataset
    if first >= len(data.file_names):
        raise UserError("no images to draw", where=data.root, fix="check the dataset, or --first")
    chosen = spread(range(len(data.file_names)), columns * rows, first)
    tiles, unreadable = [], 0
    for image in chosen:
        picture = read_picture(data, image)
        unreadable += picture is None
        tiles.append(_tile(data, image, picture))
    if unreadable == len(chosen):
        raise UserError("cannot read the image", where=data.path(chosen[0]), fix="check that the dataset is whole")
    done, png = cv2.imencode(".png", _arrange(tiles, min(columns, len(tiles))), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise RuntimeError("OpenCV could not encode the sheet")
    durable.write_bytes(output, png.tobytes())
    return len(tiles)


def spread(images: Sequence[int], count: int, first: int = 0) -> list[int]:
    """Up to ``count`` of ``images``: those from ``first`` on, or for ``first`` = 0 spread evenly over all of them."""
    if first:
        return list(images[first : first + count])
    wanted = min(count, len(images))
    return [images[index * len(images) // wanted] for index in range(wanted)]


def color_of(category: int) -> Color:
    """A bright BGR colour for a category, as far from its neighbours' as can be."""
    hue = np.uint8([[[int(category * 0.618034 * 180) % 180, 200, 255]]])
    blue, green, red = cv2.cvtColor(hue, cv2.COLOR_HSV2BGR)[0, 0].tolist()
    return blue, green, red


def hex_color(category: int) -> str:
    """`color_of` as the web writes it, ``#rrggbb``."""
    blue, green, red = color_of(category)
    return f"#{red:02x}{green:02x}{blue:02x}"


def draw_box(picture: np.ndarray, box: tuple[float, float, float, float], text: str, color: Color) -> None:
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


def _draw_dashed(picture: np.ndarray, box: tuple[float, float, float, float], color: Color) -> None:
    x0, y0, x1, y1 = (round(value) for value in box)
    corners = [(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1), (x0, y0)]
    for (ax, ay), (bx, by) in pairwise(corners):
        length = max(abs(bx - ax), abs(by - ay), 1)
        if length > 100 * _TILE_PX:  # nonsense, and endless
            return
        for start in range(0, length, 2 * _DASH_PX):
            ends = (start, min(start + _DASH_PX, length))
            (px, py), (qx, qy) = ((ax + (bx - ax) * t // length, ay + (by - ay) * t // length) for t in ends)
            cv2.line(picture, (px, py), (qx, qy), color, 1)


def _tile(data: Dataset, image: int, picture: np.ndarray | None) -> np.ndarray:
    width, height = data.sizes[image].tolist()
    if picture is None:
        scale = min(1.0, _TILE_PX / max(width, height))
        tile = np.full((max(round(height * scale), 1), max(round(width * scale), 1), 3), 200, np.uint8)
        draw_box(tile, (8, 40, 8, 40), f"cannot read {Path(data.file_names[image]).name}", (170, 170, 255))
        return tile
    scale = min(1.0, _TILE_PX / max(picture.shape[:2]))
    if scale < 1:
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    # By the annotated size: where the file has another one, the boxes shall be seen to be off.
    for shape in shapes_of(data, image, picture.shape[1] / width):
        _draw(picture, shape)
    return picture


def _draw(picture: np.ndarray, shape: Shape) -> None:
    color = _CROWD if shape.crowd else color_of(shape.category + 1)
    if shape.rings:
        # OpenCV's coordinates are those of pixel centres, here in sixteenths.
        rings = [np.rint((ring - 0.5) * (1 << _SHIFT)).astype(np.int32) for ring in shape.rings]
        cv2.polylines(picture, rings, True, color, 1, cv2.LINE_AA, _SHIFT)
    if shape.amodal is not None:
        _draw_dashed(picture, shape.amodal, color)
    draw_box(picture, shape.box, shape.name + ("?" if shape.crowd else ""), color)


def _arrange(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    height, width = max(tile.shape[0] for tile in tiles), max(tile.shape[1] for tile in tiles)
    rows = -(-len(tiles) // columns)
    page = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = _GAP + index // columns * (height + _GAP), _GAP + index % columns * (width + _GAP)
        page[top : top + tile.shape[0], left : left + tile.shape[1]] = tile
    return page

"""Pictures for the page: thumbnails with what is drawn over them, and cut-outs of objects, as JPEG data URIs."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from .annotations import Dataset
from .pixels import read_picture
from .shapes import Shape, shapes_of

# So few pictures are shown larger.
FEW_PICTURES = 6
_THUMB_PX, _LARGE_PX = 400, 900
CROP_PX = 112
# Cut-outs show some of their surroundings.
_MARGIN = 0.12
_QUALITIES = (84, 74, 62, 48, 34, 22, 12)


@dataclasses.dataclass(frozen=True, eq=False)
class Picture:
    """A small picture, BGR uint8 [H, W, 3], with its file's name and what is drawn over it."""

    name: str
    pixels: np.ndarray
    shapes: tuple[Shape, ...] = ()

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])


def thumbnails(dataset: Dataset, images: Sequence[int], advance: Callable[[int], None]) -> list[Picture]:
    """Small pictures with their annotations; unreadable ones are left out."""
    found = []
    longest = _LARGE_PX if len(images) <= FEW_PICTURES else _THUMB_PX
    for image in images:
        pixels = read_picture(dataset, image)
        advance(1)
        if pixels is None:
            continue
        small = _at_most(pixels, longest)
        # By the annotated size: where the file has another one, the boxes shall be seen to be off.
        shapes = shapes_of(dataset, image, small.shape[1] / float(dataset.sizes[image, 0]))
        found.append(Picture(dataset.file_names[image], small, tuple(shapes)))
    return found


def crops(
    dataset: Dataset,
    present: np.ndarray,
    categories: Sequence[int],
    each: int,
    rng: np.random.Generator,
) -> list[list[Picture]]:
    """Up to ``each`` cut-outs of random labelled objects per category, from images that are ``present`` (indices)."""
    usable = ~dataset.crowd & np.isin(dataset.image, present)
    chosen = [
        np.sort(rng.permutation(np.flatnonzero(usable & (dataset.category == category)))[:each]).tolist()
        for category in categories
    ]
    cut: dict[int, Picture] = {}
    wanted = sorted(index for indices in chosen for index in indices)
    image, pixels = -1, None
    for index in wanted:  # ordered by image: each is read once
        if image != dataset.image[index]:
            image = int(dataset.image[index])
            pixels = read_picture(dataset, image)
        piece = None if pixels is None else _cut(pixels, dataset.boxes[index])
        if piece is not None:
            cut[index] = Picture(dataset.file_names[image], piece)
    return [[cut[index] for index in indices if index in cut] for indices in chosen]


def to_uris(pictures: Sequence[Picture], limit: int) -> dict[int, str]:
    """JPEG data URIs by ``id()`` of the picture, at the best quality that keeps them below ``limit`` bytes together.

    At the lowest quality whatever comes out is taken.
    """
    for quality in _QUALITIES:
        uris = {id(picture): _uri(picture.pixels, quality) for picture in pictures}
        if sum(map(len, uris.values())) <= limit:
            break
    return uris


def _uri(pixels: np.ndarray, quality: int) -> str:
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise RuntimeError("OpenCV could not encode a picture")
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode()


def _cut(pixels: np.ndarray, box: np.ndarray) -> np.ndarray | None:
    """A square around a box, filled up with grey where it leaves the picture; None of a box outside of it."""
    (x0, y0), (x1, y1) = box[:2], box[2:]
    half = max(x1 - x0, y1 - y0) * (0.5 + _MARGIN)
    left, top, size = round((x0 + x1) / 2 - half), round((y0 + y1) / 2 - half), max(round(2 * half), 4)
    height, width = pixels.shape[:2]
    inside = pixels[max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)]
    if not inside.size or size > 4 * max(width, height):
        return None
    padding = (max(-top, 0), max(top + size - height, 0), max(-left, 0), max(left + size - width, 0))
    square = cv2.copyMakeBorder(inside, *padding, cv2.BORDER_CONSTANT, value=(114, 114, 114))
    smaller = size > CROP_PX
    return cv2.resize(square, (CROP_PX, CROP_PX), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_NEAREST)


def _at_most(pixels: np.ndarray, longest: int) -> np.ndarray:
    scale = longest / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    # At least one row and column: a panorama's strip may round to nothing.
    size = (max(round(pixels.shape[1] * scale), 1), max(round(pixels.shape[0] * scale), 1))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)

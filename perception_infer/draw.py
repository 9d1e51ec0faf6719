"""Detections and masks drawn over a picture, legible on any background and at any size."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Colour = tuple[int, int, int]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_GOLDEN = 0.618033988749895
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


@lru_cache(maxsize=1024)
def class_colour(label: int) -> Colour:
    """The RGB colour of a class, the same everywhere; neighbouring labels lie far apart in hue."""
    red, green, blue = colorsys.hsv_to_rgb((0.02 + label * _GOLDEN) % 1.0, 0.85 if label % 2 == 0 else 0.6, 1.0)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_detections(
    rgb: Pixels,
    boxes: npt.NDArray[np.floating],
    labels: npt.NDArray[np.integer],
    names: Sequence[str],
    scores: npt.NDArray[np.floating] | None = None,
) -> Pixels:
    """A copy of the picture with boxes and captions.

    Args:
        rgb: uint8 [H, W, 3].
        boxes: xyxy [N, 4] in its pixels; drawn last to first, so that the best lies on top.
        labels: int [N], index into ``names``; an index without a name is shown as the number.
        names: class names.
        scores: float [N], shown behind the name when given.
    """
    picture = np.array(rgb, np.uint8, order="C")
    line = max(1, round(min(picture.shape[:2]) / 160))
    for index in range(len(boxes) - 1, -1, -1):
        label = int(labels[index])
        caption = names[label] if 0 <= label < len(names) else str(label)
        if scores is not None:
            caption += f" {scores[index]:.2f}"
        left, top, right, bottom = (round(float(edge)) for edge in boxes[index])
        colour = class_colour(label)
        # The dark outline keeps the colour visible on a background of the same colour.
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), _BLACK, line + 2)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, line)
        _caption(picture, caption, left, top, colour)
    return picture


def colour_mask(mask: Pixels) -> Pixels:
    """RGB uint8 [H, W, 3] of class ids uint8 [H, W]; background is black, id i + 1 has the colour of class i."""
    return _palette()[mask]


def draw_mask(rgb: Pixels, mask: Pixels, opacity: float = 0.45) -> Pixels:
    """A copy of the picture uint8 [H, W, 3] with every class of the mask uint8 [H, W] tinted and outlined."""
    tinted = cv2.addWeighted(np.ascontiguousarray(rgb), 1 - opacity, colour_mask(mask), opacity, 0)
    picture = np.where(mask[:, :, None] > 0, tinted, rgb)
    edges = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
    picture[edges] = colour_mask(mask)[edges]
    return np.asarray(picture, np.uint8)


@lru_cache(maxsize=1)
def _palette() -> Pixels:
    return np.array([_BLACK, *(class_colour(label) for label in range(255))], np.uint8)


def _caption(picture: Pixels, text: str, left: int, top: int, colour: Colour) -> None:
    """Text on a filled background above the box, or inside it where there is no room above."""
    height, width = picture.shape[:2]
    scale = max(0.35, min(height, width) / 900)
    weight = max(1, round(scale * 1.6))
    # The font holds ASCII only.
    text = text.encode("ascii", "replace").decode()
    (text_width, text_height), base = cv2.getTextSize(text, _FONT, scale, weight)
    margin = max(2, round(3 * scale))
    box_height = text_height + base + margin
    x = int(np.clip(left, 0, max(0, width - text_width - 2 * margin)))
    y = top - box_height if top >= box_height else max(0, top)
    cv2.rectangle(picture, (x, y), (x + text_width + 2 * margin, y + box_height), colour, cv2.FILLED)
    bright = 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2] > 128
    origin = (x + margin, y + text_height + margin // 2 + 1)
    cv2.putText(picture, text, origin, _FONT, scale, _BLACK if bright else _WHITE, weight, cv2.LINE_AA)

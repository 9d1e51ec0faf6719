"""Letterbox, its inverse, and how boxes overlap: the only copy, for training, export, evaluation and the robot.

Coordinates are pixel edges: the whole image is (0, 0, width, height), a pixel's centre lies at +0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]

#: Grey of the border, in every channel.
PAD_VALUE = 114


@dataclass(frozen=True)
class Letterbox:
    """How an image of ``source`` (width, height) lies in a network input of ``network`` (width, height).

    ``content`` is the size of the scaled image, ``left`` and ``top`` where it begins. The scale is
    min(Wn/W, Hn/H), sizes are rounded, the border is centred (the smaller half left and top).
    """

    source: tuple[int, int]
    network: tuple[int, int]
    content: tuple[int, int]
    left: int
    top: int

    @classmethod
    def fit(cls, source: tuple[int, int], network: tuple[int, int]) -> Letterbox:
        """The letterbox of a source size in a network size, both (width, height) in pixels.

        Raises:
            ValueError: a side is smaller than one pixel.
        """
        if min(*source, *network) < 1:
            raise ValueError(f"sizes must be positive: source {source}, network {network}")
        scale = min(network[0] / source[0], network[1] / source[1])
        width, height = (min(max(1, round(side * scale)), limit) for side, limit in zip(source, network, strict=True))
        return cls(source, network, (width, height), (network[0] - width) // 2, (network[1] - height) // 2)

    @property
    def scale(self) -> tuple[float, float]:
        """Network pixels per source pixel along x and y; they differ by the rounding of the content size."""
        return self.content[0] / self.source[0], self.content[1] / self.source[1]

    def image(self, pixels: Pixels, out: Pixels | None = None) -> Pixels:
        """uint8 [H, W, 3] scaled (bilinear) and padded to uint8 [Hn, Wn, 3]; written into ``out`` when given."""
        (width, height), left, top = self.content, self.left, self.top
        if out is None:
            out = np.empty((self.network[1], self.network[0], 3), np.uint8)
        inner = out[top : top + height, left : left + width]
        if self.content == self.source:
            inner[...] = pixels
        else:
            inner[...] = cv2.resize(pixels, self.content, interpolation=cv2.INTER_LINEAR)
        out[:top], out[top + height :] = PAD_VALUE, PAD_VALUE
        out[top : top + height, :left], out[top : top + height, left + width :] = PAD_VALUE, PAD_VALUE
        return out

    def boxes_to_network(self, boxes: Boxes) -> Boxes:
        """xyxy float32 [N, 4] from source pixels to network pixels."""
        scale, shift = self._transform()
        return (boxes * scale + shift).astype(np.float32, copy=False)

    def boxes_to_source(self, boxes: Boxes) -> Boxes:
        """xyxy float32 [N, 4] from network pixels to source pixels, clipped to the image."""
        scale, shift = self._transform()
        width, height = self.source
        limits = np.array([width, height, width, height], np.float32)
        clipped: Boxes = np.clip((boxes - shift) / scale, 0, limits).astype(np.float32, copy=False)
        return clipped

    def mask_to_source(self, mask: Pixels) -> Pixels:
        """uint8 [Hn, Wn] of class ids to uint8 [H, W] of the source, nearest."""
        inner = mask[self.top : self.top + self.content[1], self.left : self.left + self.content[0]]
        return np.asarray(cv2.resize(inner, self.source, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)

    def _transform(self) -> tuple[Boxes, Boxes]:
        x, y = self.scale
        return np.array([x, y, x, y], np.float32), np.array([self.left, self.top, self.left, self.top], np.float32)


def iou_matrix(a: npt.NDArray[np.floating], b: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """Intersection over union of xyxy boxes [N, 4] and [M, 4], as [N, M]; 0 where both are empty."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    overlap = np.prod(np.clip(high - low, 0, None), axis=2)
    area_a, area_b = (np.prod(np.clip(x[:, 2:] - x[:, :2], 0, None), axis=1) for x in (a, b))
    union = area_a[:, None] + area_b[None, :] - overlap
    iou: npt.NDArray[np.float64] = np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)
    return iou

"""Decoded images in memory, no larger than a network can make use of."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from .augment import AugmentParams, Pixels
from .coco import Sample

#: An image is kept at this many times the network's size at least.
_AT_LEAST = 2.0


class ImageCache:
    """Decoded images within a budget of bytes; the rest is read each time. Several threads may ask.

    Photographs of many times the network's size come reduced by a whole factor, kept or not: they would be
    sampled down anyway, and twelve megapixels take 36 MB and more time to read than all augmentation.

    Args:
        samples: whose images.
        network: width and height in pixels.
        params: how much an augmentation may enlarge: the more, the larger images stay.
        budget_bytes: for all images together.
    """

    def __init__(
        self, samples: Sequence[Sample], network: tuple[int, int], params: AugmentParams, budget_bytes: int
    ) -> None:
        self._samples, self._left = samples, budget_bytes
        zoom = max(1 + params.scale, 1 / math.sqrt(params.crop_area) if params.crop else 0.0)
        self._most = tuple(side * max(_AT_LEAST, zoom) for side in network)
        self._images: dict[int, Pixels] = {}
        self._lock = threading.Lock()

    def get(self, index: int) -> Pixels:
        """RGB uint8 [H, W, 3], at the size of `size`."""
        image = self._images.get(index)
        if image is None:
            image = self._samples[index].read()
            size = self.size(index)
            if size != image.shape[1::-1]:
                # As the letterbox samples: noise and fine detail are to look as they will on the robot.
                image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)
            with self._lock:
                if image.nbytes <= self._left and index not in self._images:
                    self._images[index] = image
                    self._left -= image.nbytes
        return image

    def size(self, index: int) -> tuple[int, int]:
        """Width and height at which an image comes."""
        sample = self._samples[index]
        factor = max(1, int(max(sample.width / self._most[0], sample.height / self._most[1])))
        return max(1, round(sample.width / factor)), max(1, round(sample.height / factor))

    def scale(self, index: int) -> npt.NDArray[np.float32]:
        """What boxes xyxy of the annotation are multiplied with, [4]."""
        sample, (width, height) = self._samples[index], self.size(index)
        return np.array([width / sample.width, height / sample.height] * 2, np.float32)

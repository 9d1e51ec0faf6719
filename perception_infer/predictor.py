"""Image in, detections or mask out. No ROS here, and the only place where scores meet thresholds."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from .backends.base import Backend, Tensors
from .backends.select import AUTO, Wish, make_backend
from .contract.detections import Detections, Result, Segmentation
from .contract.geometry import Letterbox, Pixels
from .models import Bundle, open_bundle

if TYPE_CHECKING:
    from .abreast import Abreast

_letterbox = lru_cache(maxsize=8)(Letterbox.fit)


class NotFinite(UserError):
    """A model answers with NaN or infinity."""


class Prepared(NamedTuple):
    """An image as a network takes it: uint8 [Hn, Wn, 3], and how it lies there."""

    letterbox: Letterbox
    pixels: Pixels


class Predictor:
    """A bundle on a backend. Not for several threads at once: buffers are reused.

    Args:
        bundle: an opened bundle.
        backend: a loaded graph of it.
        threshold: one score threshold for all classes; None for the bundle's own, per class.
    """

    def __init__(self, bundle: Bundle, backend: Backend, threshold: float | None = None) -> None:
        self.bundle, self.backend = bundle, backend
        size = bundle.manifest.input
        self._network = (size.width, size.height)
        self._input: Pixels = np.zeros((size.batch, size.height, size.width, 3), np.uint8)
        #: For images that come faster than they are answered one after another (None: there is no such way).
        self.abreast: Abreast | None = None
        self._busy_since: float | None = None
        self.set_threshold(threshold)

    @classmethod
    def load(
        cls, bundle: Bundle | Path, backend: str = AUTO, threads: int = 0, threshold: float | None = None
    ) -> Predictor:
        """Verify a bundle (when given as a directory) and load it; see `Wish` and `choose_backend`."""
        opened = open_bundle(bundle) if isinstance(bundle, Path) else bundle
        return cls(opened, make_backend(opened, Wish(backend, threads=threads)), threshold)

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; a label of a detection is an index into them."""
        return self.bundle.manifest.classes

    @property
    def task(self) -> str:
        """``detection`` (call `predict`) or ``segmentation`` (call `segment`)."""
        return self.bundle.manifest.task

    @property
    def thresholds(self) -> npt.NDArray[np.float32]:
        """float32 [classes]: the score that a detection of each class must reach."""
        return self._thresholds

    def set_threshold(self, threshold: float | None) -> None:
        """Change the score threshold, also while another thread predicts."""
        own = self.bundle.manifest.thresholds
        self.set_thresholds(own if threshold is None else [threshold] * len(own))

    def set_thresholds(self, thresholds: Sequence[float] | npt.NDArray[np.float32]) -> None:
        """Change the score thresholds of the classes, in their order, also while another thread predicts."""
        self._thresholds = np.asarray(thresholds, np.float32)

    @property
    def network(self) -> tuple[int, int]:
        """Width and height of the network's input."""
        return self._network

    @property
    def batch(self) -> int:
        """How many images one run of the graph takes."""
        return len(self._input)

    @property
    def busy_since(self) -> float | None:
        """Since when (`time.monotonic`) the backend has been at an answer, or kept somebody; None while it is not."""
        return self._busy_since or (self.abreast.busy_since if self.abreast is not None else None)

    def predict(self, rgb: Pixels) -> Detections:
        """Detections in RGB uint8 [H, W, 3], in its pixels, best first.

        Empty slots (label -1), scores below the threshold and boxes that lie outside of the image are left out.

        Raises:
            ValueError: the image has another dtype or shape, or the model is not a detector.
            NotFinite: the model answers with what is no number.
        """
        self._require("detection")
        (found,) = self.infer([prepare(rgb, self._network)])
        assert isinstance(found, Detections)
        return found

    def segment(self, rgb: Pixels) -> Segmentation:
        """Class and confidence of every pixel of RGB uint8 [H, W, 3], at its size.

        Raises:
            ValueError: the image has another dtype or shape, or the model is not a segmenter.
        """
        self._require("segmentation")
        (found,) = self.infer([prepare(rgb, self._network)])
        assert isinstance(found, Segmentation)
        return found

    def infer(self, prepared: Sequence[Prepared]) -> list[Result]:
        """What is found in images that were prepared for this network, each in its own pixels.

        They are answered in as few runs as the graph's batch allows.

        Raises:
            NotFinite: the model answers with what is no number.
        """
        found: list[Result] = []
        for start in range(0, len(prepared), self.batch):
            part = prepared[start : start + self.batch]
            batched = self._batched(part)
            self._busy_since = time.monotonic()
            try:
                outputs = self.backend.run(batched)
            finally:
                self._busy_since = None
            answer = self._detections if self.task == "detection" else self._segmentation
            found += [answer(image.letterbox, outputs, index) for index, image in enumerate(part)]
        return found

    def warm_up(self) -> None:
        """Run once on nothing, so that the first image does not pay for lazy initialisation."""
        self.backend.run(np.zeros_like(self._input))

    def close(self) -> None:
        """Free the backend."""
        self.backend.close()
        if self.abreast is not None:
            self.abreast.close()

    def __enter__(self) -> Predictor:
        """Nothing but itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Free the backend."""
        self.close()

    def _require(self, task: str) -> None:
        if self.task != task:
            raise ValueError(f"model {self.bundle.manifest.name} does {self.task}, not {task}")

    def _batched(self, part: Sequence[Prepared]) -> Pixels:
        if self.batch == 1:
            return part[0].pixels[None]
        for index, image in enumerate(part):
            self._input[index] = image.pixels
        return self._input

    def _detections(self, letterbox: Letterbox, outputs: Tensors, index: int) -> Detections:
        boxes, scores, labels = outputs["boxes"][index], outputs["scores"][index], outputs["labels"][index]
        if not (np.isfinite(boxes).all() and np.isfinite(scores).all()):
            # They would fail every comparison, and look like an image with nothing in it.
            raise NotFinite(f"{self.bundle.title} answers with numbers that are not finite", fix="train it again")
        filled = labels >= 0
        kept = filled & (scores >= self._thresholds[np.where(filled, labels, 0)])
        in_source = letterbox.boxes_to_source(boxes[kept])
        solid = (in_source[:, 2] > in_source[:, 0]) & (in_source[:, 3] > in_source[:, 1])
        return Detections(in_source[solid], scores[kept][solid], labels[kept][solid])

    def _segmentation(self, letterbox: Letterbox, outputs: Tensors, index: int) -> Segmentation:
        mask, confidence = (letterbox.mask_to_source(outputs[name][index]) for name in ("mask", "confidence"))
        return Segmentation(mask, confidence)


def prepare(rgb: Pixels, network: tuple[int, int]) -> Prepared:
    """RGB uint8 [H, W, 3], letterboxed for a network of that width and height; may be called by any thread.

    Raises:
        ValueError: the image has another dtype or shape.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or not rgb.size:
        raise ValueError(f"image must be uint8 [H, W, 3], is {rgb.dtype} {rgb.shape}")
    letterbox = _letterbox((rgb.shape[1], rgb.shape[0]), network)
    return Prepared(letterbox, letterbox.image(rgb))

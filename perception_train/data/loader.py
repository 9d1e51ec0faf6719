"""Batches as a pure function of (seed, step), prepared ahead by background threads.

Because nothing depends on what was drawn before, a resumed run sees exactly the batches that an
uninterrupted one would have seen.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from perception_infer.contract.geometry import Letterbox

from ..models.losses import Targets
from .augment import AugmentParams, Labelled, mosaic, photometric, random_view
from .cache import ImageCache
from .coco import Pixels
from .instances import InstanceMask
from .mixture import TrainingData, as_mixture
from .paste import Shown, paste
from .sampling import Order, SamplingParams

_TRAIN_STREAM = 0
#: So many samples are drawn to find one whose objects can be pasted.
_DRAWS = 4


@dataclass(frozen=True)
class Batch:
    """``images`` uint8 [B, H, W, 3] RGB and their padded targets."""

    images: torch.Tensor
    targets: Targets

    def input(self) -> torch.Tensor:
        """float32 [B, 3, H, W], 0 to 1, in channels-last memory."""
        return self.images.permute(0, 3, 1, 2).float().div_(255.0)

    def to(self, device: torch.device) -> Batch:
        """The batch in a device's memory."""
        if self.images.device == device:
            return self
        return Batch(self.images.to(device, non_blocking=True), self.targets.to(device))


def threads_for(workers: int) -> int:
    """Threads that prepare batches; 0 means one for every two cores, since the training step keeps them busy.

    Processes that torchrun started on this machine divide the cores among them.
    """
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return workers or max(1, (os.cpu_count() or 1) // (2 * beside))


class TrainLoader:
    """Augmented batches of a dataset at the network's size (width, height), prepared by ``workers`` threads.

    Threads do: OpenCV lets go of the interpreter while it decodes, warps and changes colours. Of several processes that
    train together, each makes the images at its ``places`` in the batch of all.
    """

    def __init__(
        self,
        dataset: TrainingData,
        network: tuple[int, int],
        batch: int,
        seed: int,
        params: AugmentParams,
        cache_bytes: int,
        with_masks: bool = False,
        places: range | None = None,
        sampling: SamplingParams | None = None,
        workers: int = 1,
    ) -> None:
        self._places = range(batch) if places is None else places
        self._with_masks = with_masks
        self._dataset, self._network, self._batch, self._seed, self._params = dataset, network, batch, seed, params
        self._samples = dataset.samples
        self._pastes = params.copy_paste > 0 and any(sample.segments for sample in self._samples)
        self._cache = ImageCache(self._samples, network, params, cache_bytes)
        self._workers = threads_for(workers)
        self._order = Order(as_mixture(dataset), seed, sampling)
        # The threads that decode and warp must not fan out over the cores that train.
        cv2.setNumThreads(0)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in one pass over the dataset, at least 1."""
        return max(1, len(self._samples) // self._batch)

    def batch(self, step: int, with_mosaic: bool) -> Batch:
        """The batch of a step: its images at this process's places, which are all where there is one process."""
        samples = []
        for slot in self._places:
            rng = np.random.default_rng(np.random.SeedSequence([self._seed, _TRAIN_STREAM, step, slot]))
            samples.append(self._sample(self._order.index(step * self._batch + slot), with_mosaic, rng))
        return collate(samples)

    def stream(self, start: int, mosaic: Callable[[int], bool], ahead: int = 2) -> Generator[Batch, None, None]:
        """Batches of steps ``start``, ``start + 1``… in this order; ``mosaic(step)``: whether a step may hold mosaics.

        Every thread works on a batch of its own, and ``ahead`` more are kept waiting.
        """
        with ThreadPoolExecutor(self._workers, thread_name_prefix="loader") as pool:
            waiting: deque[Future[Batch]] = deque()
            step = start
            try:
                while True:
                    while len(waiting) < self._workers + ahead:
                        waiting.append(pool.submit(self.batch, step, mosaic(step)))
                        step += 1
                    yield waiting.popleft().result()
            finally:
                for future in waiting:
                    future.cancel()

    def _labelled(self, index: int) -> Labelled:
        sample = self._samples[index]
        image = self._cache.get(index)
        mask = _resized(self._dataset.mask(index), image) if self._with_masks else None
        return Labelled(image, sample.boxes * self._cache.scale(index), sample.labels, mask)

    def _shown(self, index: int, labelled: Labelled) -> Shown:
        def pixels_of(number: int) -> InstanceMask | None:
            pixels = self._samples[index].pixels_of(number)
            return None if pixels is None else _resized(pixels.astype(np.uint8), labelled.image).astype(np.bool_)

        return Shown(labelled, pixels_of)

    def _pasted(self, index: int, rng: np.random.Generator) -> Labelled:
        """A sample, maybe with objects of another one."""
        target = self._labelled(index)
        if not self._pastes or rng.random() >= self._params.copy_paste:
            return target
        donor = next((i for i in (self._order.draw(rng) for _ in range(_DRAWS)) if self._samples[i].segments), None)
        if donor is None:
            return target
        source = self._labelled(donor)
        scale = self._fit(source) / self._fit(target)
        return paste(self._shown(index, target), self._shown(donor, source), scale, self._params, rng)

    def _fit(self, sample: Labelled) -> float:
        height, width = sample.image.shape[:2]
        return float(min(self._network[0] / width, self._network[1] / height))

    def _sample(self, index: int, with_mosaic: bool, rng: np.random.Generator) -> Labelled:
        if with_mosaic and rng.random() < self._params.mosaic:
            parts = [self._pasted(i, rng) for i in (index, *(self._order.draw(rng) for _ in range(3)))]
            shown = mosaic(parts, self._network, self._params, rng)
        else:
            shown = random_view(self._pasted(index, rng), self._network, self._params, rng)
        return shown._replace(image=photometric(shown.image, self._params, rng))


def _resized(mask: Pixels, image: Pixels) -> Pixels:
    """A mask at an image's size, nearest."""
    if mask.shape == image.shape[:2]:
        return mask
    return np.asarray(cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def letterboxed(dataset: TrainingData, index: int, network: tuple[int, int]) -> tuple[Pixels, Letterbox]:
    """A sample exactly as the robot will see it: uint8 [H, W, 3] and its letterbox."""
    image = dataset.samples[index].read()
    letterbox = Letterbox.fit((image.shape[1], image.shape[0]), network)
    return letterbox.image(image), letterbox


def collate(samples: list[Labelled]) -> Batch:
    """Samples of one size as a batch, with targets padded to the largest number of objects."""
    samples = [Labelled(*sample) for sample in samples]
    most = max(len(sample.labels) for sample in samples)
    boxes = torch.zeros(len(samples), most, 4)
    labels = torch.zeros(len(samples), most, dtype=torch.int64)
    mask = torch.zeros(len(samples), most, dtype=torch.bool)
    for row, (_, sample_boxes, sample_labels, _) in enumerate(samples):
        count = len(sample_labels)
        boxes[row, :count] = torch.from_numpy(sample_boxes)
        labels[row, :count] = torch.from_numpy(sample_labels)
        mask[row, :count] = True
    masks = [sample.mask for sample in samples if sample.mask is not None]
    pixels = torch.from_numpy(np.stack(masks)) if masks else None
    images = torch.from_numpy(np.stack([sample.image for sample in samples]))
    return Batch(images, Targets(boxes, labels, mask, pixels))

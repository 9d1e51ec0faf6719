"""Frames as vectors whose distance says how much they differ, without any weights from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_infer.contract.geometry import Letterbox, Pixels
from perception_infer.models import Bundle

from ..models import require_architecture

Vector = npt.NDArray[np.float32]
#: Longer vectors are projected at random onto so many numbers, which keeps distances (Johnson and Lindenstrauss 1984).
_MOST_NUMBERS = 256
_SIDE, _CELLS, _DIRECTIONS = 64, 4, 8
# Grey levels by which colours differ altogether.
_LEVELS = 64.0
_THUMBNAIL = 24


class Embedding(Protocol):
    """Makes vectors of pictures.

    Attributes:
        title: what the vectors are, in words.
        parts: how many numbers of them belong together.
    """

    title: str
    parts: tuple[int, ...]

    def of(self, rgb: Pixels) -> Vector:
        """float32 [D] of RGB uint8 [H, W, 3]."""


class PictureEmbedding:
    """Directions of edges (a histogram of oriented gradients) and colours, in each of 4 by 4 cells."""

    title = f"colours and directions of edges in {_CELLS} by {_CELLS} cells of the picture"
    parts: tuple[int, ...] = (_CELLS**2 * (_DIRECTIONS + 3),)

    def of(self, rgb: Pixels) -> Vector:
        small = cv2.resize(np.ascontiguousarray(rgb), (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
        lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB) * np.array([2.55, 1, 1], np.float32)
        x, y = (cv2.Sobel(lab[..., 0], cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
        strength, angle = cv2.cartToPolar(x, y)
        direction = (angle * (_DIRECTIONS / np.pi)).astype(np.intp) % _DIRECTIONS
        place = np.arange(_SIDE) * _CELLS // _SIDE
        cell = place[:, None] * _CELLS + place[None, :]
        edges = np.bincount(
            (cell * _DIRECTIONS + direction).ravel(), strength.ravel().astype(np.float64), _CELLS**2 * _DIRECTIONS
        )
        # The root tames the strongest edges; one grey level everywhere is no edge.
        edges = np.sqrt(edges) / np.sqrt(max(float(edges.sum()), _SIDE**2))
        blocks = lab.reshape(_CELLS, _SIDE // _CELLS, _CELLS, _SIDE // _CELLS, 3)
        colours = blocks.mean(axis=(1, 3)).ravel() / (_LEVELS * np.sqrt(_CELLS**2 * 3))
        return np.concatenate([edges, colours]).astype(np.float32)


class ModelEmbedding:
    """What the backbone of a bundle's own network makes of a picture, on average over the picture.

    Args:
        bundle: its weights are run by torch, on the CPU.

    Raises:
        UserError: its architecture is not known here, or has no backbone that could be asked.
    """

    def __init__(self, bundle: Bundle) -> None:
        require_architecture(bundle.manifest.architecture)
        # Torch takes seconds to import.
        import torch

        from ..models.restore import restore

        self._torch, self._network = torch, restore(bundle)
        size = bundle.manifest.input
        self._size = (size.width, size.height)
        self._features: list[torch.Tensor] = []
        stages = self._network.stages()[-2:]
        if not stages:
            raise UserError(f"the backbone of {bundle.title} cannot be asked")
        for stage in stages:
            last = stage is stages[-1]
            stage[-1].register_forward_hook(lambda module, given, out, last=last: self._take(out, last))
        self._projection: Vector | None = None
        numbers = len(self.of(np.zeros((size.height, size.width, 3), np.uint8)))
        if numbers > _MOST_NUMBERS:
            drawn = np.random.default_rng(0).standard_normal((numbers, _MOST_NUMBERS))
            self._projection = (drawn / np.sqrt(_MOST_NUMBERS)).astype(np.float32)
        self.parts: tuple[int, ...] = (min(numbers, _MOST_NUMBERS),)
        self.title = f"features of the backbone of {bundle.title}, averaged over the picture"

    def of(self, rgb: Pixels) -> Vector:
        letterbox = Letterbox.fit((rgb.shape[1], rgb.shape[0]), self._size)
        pixels = self._torch.from_numpy(letterbox.image(rgb)).permute(2, 0, 1)[None].float() / 255
        self._features = []
        with self._torch.no_grad(), suppress(_Enough):
            self._network(pixels)
        parts = [self._pooled(features[0].numpy(), letterbox) for features in self._features]
        whole = np.concatenate(parts) / np.float32(np.sqrt(len(parts)))
        return whole if self._projection is None else np.asarray(whole @ self._projection, np.float32)

    def _take(self, out: object, last: bool) -> None:
        if not isinstance(out, self._torch.Tensor) or out.ndim != 4:
            raise UserError("the network's backbone cannot be asked")
        self._features.append(out.float())
        if last:
            # Neither neck nor heads are needed.
            raise _Enough

    def _pooled(self, features: npt.NDArray[np.float32], letterbox: Letterbox) -> Vector:
        """The mean [C] of features [C, H, W] where the picture is, and not its border; of length 1."""
        x, y = features.shape[2] / self._size[0], features.shape[1] / self._size[1]
        left, top = int(letterbox.left * x), int(letterbox.top * y)
        right = max(left + 1, round((letterbox.left + letterbox.content[0]) * x))
        bottom = max(top + 1, round((letterbox.top + letterbox.content[1]) * y))
        mean = features[:, top:bottom, left:right].mean(axis=(1, 2), dtype=np.float64)
        return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9), np.float32)


class _Enough(Exception):
    """What was wanted of the network is there."""


class JoinedEmbedding:
    """Several embeddings side by side: what one is blind to, another one sees.

    A network takes things that it has never seen for things that it knows; colours and edges know nothing of what is
    shown.
    """

    def __init__(self, embeddings: Sequence[Embedding]) -> None:
        self._embeddings = embeddings
        self.title = "; ".join(embedding.title for embedding in embeddings)
        self.parts = tuple(count for embedding in embeddings for count in embedding.parts)

    def of(self, rgb: Pixels) -> Vector:
        return np.concatenate([embedding.of(rgb) for embedding in self._embeddings])


def choose_embedding(wanted: str, bundle: Bundle) -> tuple[Embedding, str]:
    """The embedding of the parameter `HarvestParams.embedding`; and why the model has no part in it, if so."""
    if wanted == "picture":
        return PictureEmbedding(), ""
    try:
        return JoinedEmbedding((PictureEmbedding(), ModelEmbedding(bundle))), ""
    except UserError as error:
        return PictureEmbedding(), error.what


def thumbnail(rgb: Pixels) -> npt.NDArray[np.uint8]:
    """uint8 [576]: the mean grey of each of 24 by 24 parts of a picture, to tell pictures that are the same."""
    small = cv2.resize(np.ascontiguousarray(rgb), (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8).ravel()

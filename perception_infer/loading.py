"""From a verified bundle to a predictor that is proven to answer as the trainer's model did."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError

from .backends.base import Backend
from .backends.select import AUTO, make_backend
from .contract.parity import Parity, compare
from .models import Bundle
from .predictor import Predictor

_REEXPORT = "export the bundle again"


class Cancelled(Exception):
    """Loading was given up on request, between two of its steps."""


def load_proven(
    bundle: Bundle, backend: str = AUTO, threads: int = 0, cancelled: Callable[[], bool] = lambda: False
) -> tuple[Predictor, Parity]:
    """Load a bundle, warm it up and prove parity.

    Args:
        bundle: an opened, thus verified, bundle.
        backend: see `make_backend`.
        threads: see `make_backend`.
        cancelled: asked between the steps, each of which takes milliseconds to a second.

    Raises:
        UserError: it cannot be loaded, or answers otherwise than the trainer's model.
        Cancelled: ``cancelled`` said so.
    """
    _give_up_if(cancelled)
    predictor = Predictor(bundle, make_backend(bundle, backend, threads))
    try:
        _give_up_if(cancelled)
        predictor.warm_up()
        parity = prove_parity(bundle, predictor.backend, cancelled)
    except BaseException:
        predictor.close()
        raise
    return predictor, parity


def prove_parity(bundle: Bundle, backend: Backend, cancelled: Callable[[], bool] = lambda: False) -> Parity:
    """Run the bundle's reference images and compare with what its trainer's model answered.

    Raises:
        UserError: the answers differ by more than the variant's tolerance, or the references prove nothing.
        Cancelled: ``cancelled`` said so.
    """
    references, manifest = bundle.parity(), bundle.manifest
    variant = manifest.variants[backend.precision]
    names = [tensor.name for tensor in variant.outputs if tensor.name != "confidence"]
    where = bundle.directory
    for key in ("image", *(f"{backend.precision}.{name}" for name in names)):
        if key not in references:
            raise UserError(f"the parity file has no tensor '{key}'", where=where, fix=_REEXPORT)
    expected = {name: references[f"{backend.precision}.{name}"] for name in names}
    images = references["image"]
    size = manifest.input
    if images.dtype != np.uint8 or images.shape[1:] != (size.height, size.width, 3) or not len(images):
        raise UserError(f"the parity images are {images.dtype} {images.shape}", where=where, fix=_REEXPORT)
    actual = _answers(backend, images, size.batch, names, cancelled)
    suppression_iou = None if manifest.suppression is None else manifest.suppression.iou
    parity = compare(manifest.task, expected, actual, variant.tolerance, suppression_iou)
    if parity.problem is not None:
        raise UserError(
            f"{backend.name} {backend.precision} answers otherwise than the trainer: {parity.problem}", where=where
        )
    if parity.objects == 0:
        raise UserError("the parity images hold no object, so they prove nothing", where=where, fix=_REEXPORT)
    return parity


def _answers(
    backend: Backend, images: npt.NDArray[np.uint8], batch: int, names: list[str], cancelled: Callable[[], bool]
) -> dict[str, npt.NDArray[Any]]:
    """Output tensors [N, …] for images [N, H, W, 3]; the last batch is filled up with its last image."""
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in names}
    for start in range(0, len(images), batch):
        _give_up_if(cancelled)
        chosen = np.minimum(np.arange(start, start + batch), len(images) - 1)
        outputs = backend.run(np.ascontiguousarray(images[chosen]))
        for name in names:
            parts[name].append(outputs[name][: len(images) - start])
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}


def _give_up_if(cancelled: Callable[[], bool]) -> None:
    if cancelled():
        raise Cancelled

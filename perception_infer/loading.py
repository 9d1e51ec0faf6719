"""From a verified bundle to a predictor that is proven to answer as the trainer's model did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.heap import give_back

from .abreast import Abreast
from .backends.base import BF16, Backend
from .backends.select import ANY, AUTO, Wish, choose_backend, make_backend
from .cancelling import Cancelled, never
from .contract.manifest import HALF, Manifest, Tolerance
from .contract.parity import Parity, compare
from .models import Bundle
from .predictor import Predictor

_REEXPORT = "export the bundle again"


class Proven(NamedTuple):
    """A predictor with what was proven, and the backend that waits for its engine (see `Made`)."""

    predictor: Predictor
    parity: Parity
    waiting: str | None


def load_proven(bundle: Bundle, wish: Wish = ANY) -> Proven:
    """Load a bundle and prove parity, which also warms it up.

    Args:
        bundle: an opened, thus verified, bundle.
        wish: how it is to be run; its ``cancelled`` is also asked between the steps, each of which, but for building an
            engine, takes milliseconds to a second.

    Raises:
        UserError: it cannot be loaded, or answers otherwise than the trainer's model.
        EngineMissing: see `choose_backend`.
        Cancelled: ``wish.cancelled`` said so.
    """
    _give_up_if(wish.cancelled)
    made = choose_backend(bundle, replace(wish, held=True))
    predictor = Predictor(bundle, made.backend)
    predictor.abreast = _abreast(bundle, wish, made.backend)
    try:
        _give_up_if(wish.cancelled)
        parity = prove_parity(bundle, predictor.backend, wish.cancelled)
    except BaseException as error:
        predictor.close()
        if isinstance(error, UserError) and wish.precision == AUTO and made.backend.precision == BF16:
            # Nobody asked for it, and there are models that do not stand it.
            return load_proven(bundle, replace(wish, backend=made.backend.name, precision="fp32"))
        raise
    # What a library's compiler took, tens of MiB of it, is not needed again before the next model.
    give_back()
    return Proven(predictor, parity, made.waiting)


def _abreast(bundle: Bundle, wish: Wish, first: Backend) -> Abreast | None:
    if not wish.side_by_side or first.abreast < 2 or bundle.manifest.input.batch > 1:
        return None
    alike = replace(wish, backend=first.name, precision=first.precision, threads=1, at_once=first.abreast)

    def proven(closed: Callable[[], bool]) -> Backend:
        backend = make_backend(bundle, replace(alike, cancelled=closed))
        try:
            prove_parity(bundle, backend, closed)
        except BaseException:
            backend.close()
            raise
        give_back()
        return backend

    return Abreast(bundle, proven, first.abreast)


def prove_parity(bundle: Bundle, backend: Backend, cancelled: Callable[[], bool] = never) -> Parity:
    """Run the bundle's reference images and compare with what its trainer's model answered.

    Raises:
        UserError: the answers differ by more than the variant's tolerance, or the references prove nothing.
        Cancelled: ``cancelled`` said so.
    """
    references, manifest = bundle.parity(), bundle.manifest
    graph, tolerance = _held_to(manifest, backend.precision)
    variant = manifest.variants[graph]
    names = [tensor.name for tensor in variant.outputs if tensor.name != "confidence"]
    where = bundle.directory
    for key in ("image", *(f"{graph}.{name}" for name in names)):
        if key not in references:
            raise UserError(f"the parity file has no tensor '{key}'", where=where, fix=_REEXPORT)
    expected = {name: references[f"{graph}.{name}"] for name in names}
    images = references["image"]
    size = manifest.input
    if images.dtype != np.uint8 or images.shape[1:] != (size.height, size.width, 3) or not len(images):
        raise UserError(f"the parity images are {images.dtype} {images.shape}", where=where, fix=_REEXPORT)
    actual = _answers(backend, images, size.batch, names, cancelled)
    if (labels := actual.get("labels")) is not None and labels.size and labels.max() >= len(manifest.classes):
        told = f"the graph answers class {labels.max()}, the manifest names {len(manifest.classes)} classes"
        raise UserError(told, where=where, fix=_REEXPORT)
    suppression_iou = None if manifest.suppression is None else manifest.suppression.iou
    parity = compare(manifest.task, expected, actual, tolerance, suppression_iou)
    if parity.problem is not None:
        raise UserError(
            f"{backend.name} {backend.precision} answers otherwise than the trainer: {parity.problem}", where=where
        )
    if parity.objects == 0:
        raise UserError("the parity images hold no object, so they prove nothing", where=where, fix=_REEXPORT)
    return parity


def _held_to(manifest: Manifest, precision: str) -> tuple[str, Tolerance]:
    """The graph whose answers in the trainer are the reference, and how near to them is near enough."""
    if precision != BF16:
        return precision, manifest.variants[precision].tolerance
    # Where the bundle has half floats, it knows what they change of this model.
    return "fp32", manifest.variants["fp16"].tolerance if "fp16" in manifest.variants else HALF


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

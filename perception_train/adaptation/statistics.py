"""Batch-norm statistics of a new domain (AdaBN, Li et al. 2016), blended with the old ones (Schneider et al. 2020).

Nothing is learned and no label is used: weights stay, and only the means and variances by which each batch
normalisation shifts and scales are those of the new pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from perception_common.errors import UserError

from ..data.augment import AugmentParams, Pixels, random_view
from ..training.ema import with_precise_statistics
from .params import LAYERS

M = TypeVar("M", bound=nn.Module)
_BATCH = 16
#: What a camera that moves a little would see; colours stay, because they are what is measured.
_SLIGHT = AugmentParams(flip=0.5, scale=0.1, aspect=0.05, translate=0.05, cutout=0.0)


def make_views(pictures: Sequence[Pixels], count: int, seed: int) -> list[Pixels]:
    """Every picture as it is and mirrored, and slightly changed ones until there are ``count``, in random order.

    Args:
        pictures: letterboxed, uint8 [H, W, 3] of one size.
        count: how many at least; every picture is shown equally often.
        seed: of the order and the changes.
    """
    rng = np.random.default_rng(seed)
    height, width = pictures[0].shape[:2]
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    views = [*pictures, *(np.ascontiguousarray(picture[:, ::-1]) for picture in pictures)]
    while len(views) < count:
        views += [random_view((picture, *none), (width, height), _SLIGHT, rng)[0] for picture in pictures]
    return [views[index] for index in rng.permutation(len(views))]


def adapted(
    model: M,
    views: Sequence[Pixels],
    blend: float,
    layers: str = "all",
    progress: Callable[[int], None] = lambda count: None,
) -> M:
    """A copy of the model, in evaluation mode, with the views' statistics mixed in.

    Args:
        model: what was trained; takes float32 [B, 3, H, W], 0 to 1.
        views: uint8 [H, W, 3] of the network's size.
        blend: share of the views' statistics, 0 to 1; the model's own keep the rest.
        layers: which of `LAYERS` are adapted. The first ones know of light, colour and noise, which differ from a
            world to a camera; the last ones of objects, of which few pictures hold too few to measure anything.
        progress: told after each batch how many views it held.

    Raises:
        UserError: the model has no batch normalisation, or the statistics are not finite.
    """
    before = _norms(model)
    chosen = {name for name in before if name.startswith(LAYERS[layers])}
    if not chosen:
        raise UserError("the model has no batch normalisation that could be adapted", fix="train another architecture")
    result = with_precise_statistics(model, _batches(views, progress), bf16=False)
    for module, norm in _norms(result).items():
        for name in ("running_mean", "running_var"):
            measured, known = getattr(norm, name), getattr(before[module], name)
            measured.lerp_(known, 1.0 - blend if module in chosen else 1.0)
            if not torch.isfinite(measured).all():
                raise UserError("the statistics are not finite: the model's weights are damaged")
    assert isinstance(result, type(model))
    return result


def _norms(model: nn.Module) -> dict[str, nn.BatchNorm2d]:
    return {name: module for name, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)}


def _batches(views: Sequence[Pixels], progress: Callable[[int], None]) -> Iterator[Tensor]:
    """Batches of nearly one size, because each counts the same."""
    for part in np.array_split(np.arange(len(views)), -(-len(views) // _BATCH)):
        stacked = torch.from_numpy(np.stack([views[index] for index in part]))
        yield stacked.permute(0, 3, 1, 2).float().div_(255.0)
        progress(len(part))

"""What a run starts from: fresh weights, those of a bundle as far as they fit, or a published backbone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from perception_common.errors import UserError
from perception_infer.contract.manifest import WEIGHTS_NAME
from perception_infer.models import Bundle, find_bundle

from ..models.network import ClassRows, Network, Segmenter
from .config import TrainParams

#: Counters of batch norm: of no use elsewhere, and everywhere of the same shape.
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class Taken:
    """What was taken over.

    Attributes:
        source: where from.
        taken: tensors taken over, wholly or for some of the classes.
        total: tensors that the model has.
        fresh: names of those not taken over.
        classes: classes whose rows were taken over.
        fresh_classes: classes that the source does not have; their rows of the heads are fresh.
    """

    source: str
    taken: int
    total: int
    fresh: tuple[str, ...]
    classes: tuple[str, ...] = ()
    fresh_classes: tuple[str, ...] = ()

    def told(self) -> dict[str, Any]:
        """For an event: plain values, and ``text`` for people."""
        return {**{name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}, "text": str(self)}

    def __str__(self) -> str:
        text = f"taken {self.taken} of {self.total} tensors from {self.source}"
        if self.fresh:
            text += f"; fresh: {', '.join(summarised(self.fresh))}"
        return text + (f"; new classes: {', '.join(self.fresh_classes)}" if self.fresh_classes else "")


def begin(model: Network, params: TrainParams, classes: Sequence[str], resumed: bool) -> Taken | None:
    """Give a fresh model the weights that ``params`` names, and freeze what they say.

    Args:
        model: changed in place.
        params: ``initial``, ``pretrained``, ``freeze`` and ``boxes`` are looked at.
        classes: names of the model's classes, in order.
        resumed: the weights come from a checkpoint: nothing is loaded.

    Returns:
        what was taken over, or None where everything is fresh or resumed.

    Raises:
        UserError: the bundle cannot be used or nothing of it fits, no weights are published or can be fetched, or the
            backbone has fewer stages than are to be frozen.
    """
    model.freeze(params.freeze)
    if isinstance(model, Segmenter) and not params.boxes:
        model.leave_out_boxes()
    if resumed:
        return None
    if params.initial:
        bundle = find_bundle(Path(params.initial))
        return take(model, classes, weights(bundle), bundle.manifest.classes, bundle.title, bundle.directory)
    if params.pretrained:
        from ..models.pretrained import published

        source, backbone = published(params.architecture, model)
        return take(model, classes, backbone, (), source, params.architecture)
    return None


def weights(bundle: Bundle) -> dict[str, Tensor]:
    """The tensors of a bundle's weights, by name.

    Raises:
        UserError: the file is not what the manifest says, or is damaged.
    """
    try:
        return safetensors.torch.load(bundle.read(WEIGHTS_NAME))
    except SafetensorError as error:
        raise UserError(
            f"the weights cannot be read: {error}", where=bundle.directory / WEIGHTS_NAME, fix="export the model again"
        ) from error


@torch.no_grad()
def take(
    model: Network,
    classes: Sequence[str],
    source: Mapping[str, Tensor],
    source_classes: Sequence[str],
    title: str,
    where: object,
) -> Taken:
    """Copy every tensor whose name and shape match into the model, and rows of class heads by the classes' names.

    Args:
        model: changed in place.
        classes: names of its classes, in order.
        source: tensors by name.
        source_classes: names of the classes of ``source``, in order.
        title: of the source, for people.
        where: the source is, for errors.

    Raises:
        UserError: nothing fits.
    """
    rows = [(classes.index(name), source_classes.index(name)) for name in classes if name in source_classes]
    own = model.state_dict()
    fresh, total = [], 0
    for name, value in own.items():
        given = source.get(name)
        if name.endswith(_COUNTER):
            continue
        total += 1
        layout = next((layout for layout in model.class_rows if layout.holds(name)), None)
        if given is None or (layout is None and given.shape != value.shape):
            fresh.append(name)
        elif layout is None:
            value.copy_(given)
        elif not _copy_classes(layout, value, given, len(classes), len(source_classes), rows):
            fresh.append(name)
    if len(fresh) == total:
        raise UserError(
            f"nothing of {title} fits this model: no tensor has the same name and shape",
            where=where,
            fix="choose the architecture that it was trained as, or leave initial out",
        )
    known = tuple(name for name in classes if name in source_classes)
    missing = tuple(name for name in classes if name not in source_classes) if source_classes else ()
    return Taken(title, total - len(fresh), total, tuple(fresh), known, missing)


def _copy_classes(
    layout: ClassRows, own: Tensor, given: Tensor, classes: int, given_classes: int, rows: Sequence[tuple[int, int]]
) -> bool:
    """Copy the rows of known classes and of the background; whether there were any that fit."""
    try:
        ours, theirs = layout.by_class(own, classes), layout.by_class(given, given_classes)
    except ValueError:
        return False
    pairs = [(i + layout.background, j + layout.background) for i, j in rows]
    if not pairs or (ours.shape[0], ours.shape[2:]) != (theirs.shape[0], theirs.shape[2:]):
        return False
    if layout.background:
        pairs.append((0, 0))
    for i, j in pairs:
        ours[:, i].copy_(theirs[:, j])
    return True


def summarised(names: Sequence[str], most: int = 4) -> list[str]:
    """The modules that the names belong to, by as few levels as leave at most ``most`` of them, or some and a count."""
    for depth in (3, 2, 1):
        modules = list(dict.fromkeys(".".join(name.split(".")[:-1][:depth]) or name for name in names))
        if len(modules) <= most:
            return [f"{module} ({_count(names, module)})" for module in modules]
    return [*modules[:most], f"{len(modules) - most} more"]


def _count(names: Sequence[str], module: str) -> int:
    return sum(name == module or name.startswith(module + ".") for name in names)

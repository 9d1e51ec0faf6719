"""`perception-train adapt`: pictures in, the next version of the model out."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from rich.console import Console
from rich.progress import Progress
from safetensors import SafetensorError

from perception_common.errors import UserError
from perception_infer.contract.geometry import Letterbox, Pixels
from perception_infer.contract.manifest import WEIGHTS_NAME, Manifest
from perception_infer.models import Bundle, ModelRepository

from ..data.coco import CocoDataset
from ..models import build_model
from ..models.network import Detector
from .bags import from_bag
from .candidate import Adaptation, AdaptedCandidate
from .objects import Found, keep_counts
from .params import AdaptParams
from .pictures import Picture, as_dataset, from_folder, list_sha256
from .statistics import adapted, make_views


def adapt(params: AdaptParams) -> dict[str, Any]:
    """Adapt a version of a model to pictures without labels and export it as the next one.

    Raises:
        UserError: model, pictures or validation set cannot be used, or the adapted model is not fit to be published.
    """
    params.require_usable()
    if params.threads:
        torch.set_num_threads(params.threads)
    repository = ModelRepository(Path(params.model_root))
    bundle = repository.open(params.model, params.version or None)
    manifest = bundle.manifest
    model = load_model(bundle)
    validation = _validation(params, manifest)
    with _pictures(params) as (root, pictures), _Display() as display:
        display.stage("reading", len(pictures))
        dataset = as_dataset(root, manifest.classes, pictures, display.advance)
        letterboxed = _letterboxed(dataset, manifest)
        views = make_views(letterboxed, params.views, params.seed)
        display.stage("measuring", len(views))
        changed = adapted(model, views, params.blend, params.layers, display.advance)
        display.stage("proving", 1)
        assert manifest.suppression is not None, "every detector's manifest has it"
        before, after = (Found.by(network, letterboxed, manifest.suppression) for network in (model, changed))
        thresholds = keep_counts(before, after, manifest.thresholds)
        old, new = before.counts(manifest.thresholds), after.counts(thresholds)
        what = Adaptation(bundle.title, len(pictures), list_sha256(pictures), params.blend, params.layers)
        candidate = AdaptedCandidate(changed, manifest, what, dataset, after, thresholds, validation, params.threads)
        scores = candidate.validate() if validation is not None else None
        directory = candidate.publish(repository.root, scores)
        display.advance(1)
    told = f"{sum(old)} objects found before, {sum(new)} after"
    if scores is not None:
        told += f"; mAP50 {scores.map50:.3f} on {scores.images} labelled images"
    print(
        f"adapted {bundle.title} to {len(pictures)} pictures ({len(views)} views): {told}; "
        f"exported v{directory.name} into {params.model_root}",
        file=sys.stderr,
    )
    return {
        "model": manifest.name,
        "from_version": manifest.version,
        "version": int(directory.name),
        "images": len(pictures),
        "images_sha256": what.images_sha256,
        "views": len(views),
        "blend": params.blend,
        "layers": params.layers,
        "objects_before": sum(old),
        "objects_after": sum(new),
        "thresholds_before": dict(zip(manifest.classes, manifest.thresholds, strict=True)),
        "thresholds": dict(zip(manifest.classes, scores.thresholds if scores else thresholds, strict=True)),
        **({} if scores is None else scores.metrics()),
    }


def load_model(bundle: Bundle) -> Detector:
    """The network that a bundle was exported from, in evaluation mode, with its weights (batch norm not yet folded).

    Raises:
        UserError: it is no detector, its architecture is not known here, or the weights are not of it.
    """
    manifest = bundle.manifest
    if manifest.task != "detection":
        raise UserError(f"{bundle.title} is a {manifest.task} model", where=bundle.directory, fix="adapt a detector")
    model = build_model(manifest.architecture, len(manifest.classes))
    try:
        model.load_state_dict(safetensors.torch.load(bundle.read(WEIGHTS_NAME)))
    except (RuntimeError, SafetensorError) as error:
        raise UserError(
            f"the weights are not those of a {manifest.architecture}: {str(error).splitlines()[0]}",
            where=bundle.directory / WEIGHTS_NAME,
            fix="export the model again with this version of the suite",
        ) from error
    assert isinstance(model, Detector)
    return model.eval()


def _validation(params: AdaptParams, manifest: Manifest) -> CocoDataset | None:
    if not params.validation:
        return None
    dataset = CocoDataset.open(Path(params.validation))
    dataset.require_classes(manifest.classes, "bundle")
    return dataset


@contextlib.contextmanager
def _pictures(params: AdaptParams) -> Iterator[tuple[Path, list[Picture]]]:
    """Where the pictures come from, and they; a bag's frames are there until the end of the block."""
    if params.images:
        yield Path(params.images), from_folder(Path(params.images), params.max_images)
        return
    with tempfile.TemporaryDirectory(prefix="perception-adapt-") as folder:
        bag = Path(params.bag)
        yield bag, from_bag(bag, params.topic, params.max_images, Path(folder))


def _letterboxed(dataset: CocoDataset, manifest: Manifest) -> list[Pixels]:
    """Every picture exactly as the robot will see it."""
    network = (manifest.input.width, manifest.input.height)
    return [Letterbox.fit((s.width, s.height), network).image(s.read()) for s in dataset.samples]


class _Display:
    """A bar where there is a screen; elsewhere the line at the end says everything."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._progress = Progress(console=console, disable=not console.is_terminal, transient=True)
        self._task = self._progress.add_task("")

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def stage(self, name: str, total: int) -> None:
        self._progress.reset(self._task, description=name, total=total)

    def advance(self, count: int) -> None:
        self._progress.advance(self._task, count)

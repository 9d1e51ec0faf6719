"""`perception-train adapt`: pictures in, the next version of the model out."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress

from perception_common.errors import UserError
from perception_infer.contract.geometry import Letterbox, Pixels
from perception_infer.contract.manifest import Manifest
from perception_infer.models import Bundle, ModelRepository
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..data.unlabelled import Picture, as_dataset, from_bag, from_folder, list_sha256
from ..models.network import Detector
from ..models.restore import restore
from .candidate import Adaptation, AdaptedCandidate
from .objects import Found, keep_counts
from .params import AdaptParams
from .selftraining import Course, SelfTraining, self_trained
from .statistics import adapted, make_views
from .teacher import thresholds_for_precision


def adapt(params: AdaptParams) -> dict[str, Any]:
    """Adapt a version of a model to pictures without labels and export it as the next one.

    Raises:
        UserError: model, pictures or validation set cannot be used, or the adapted model is not fit to be published.
    """
    params.require_usable()
    signer = params.signer()
    if params.threads:
        torch.set_num_threads(params.threads)
    repository = ModelRepository(Path(params.model_root))
    bundle = repository.open(params.model, params.version or None)
    manifest = bundle.manifest
    model = load_model(bundle)
    validation = _labelled(params.validation, manifest)
    with _pictures(params) as (root, pictures), _Display() as display:
        display.stage("reading", len(pictures))
        dataset = as_dataset(root, manifest.classes, pictures, display.advance)
        letterboxed = _letterboxed(dataset, manifest)
        images = len(pictures), list_sha256(pictures)
        what: Adaptation | SelfTraining
        if params.self_training:
            display.stage("self-training", params.steps)
            labelled = _labelled(params.synthetic, manifest)
            course = _self_trained(params, bundle, model, dataset, letterboxed, labelled, validation, display)
            if course.model is None:
                return _kept(bundle, course)
            changed, facts = course.model, _facts(course)
            sha256, replay = (labelled.sha256, params.replay) if labelled is not None else ("", 0.0)
            what = SelfTraining(bundle.title, *images, course.steps, sha256, replay)
        else:
            views = make_views(letterboxed, params.views, params.seed)
            display.stage("measuring", len(views))
            changed = adapted(model, views, params.blend, params.layers, display.advance)
            facts = {"views": len(views), "blend": params.blend, "layers": params.layers}
            what = Adaptation(bundle.title, *images, params.blend, params.layers)
        display.stage("proving", 1)
        assert manifest.suppression is not None, "every detector's manifest has it"
        before, after = (Found.by(network, letterboxed, manifest.suppression) for network in (model, changed))
        thresholds = keep_counts(before, after, manifest.thresholds)
        old, new = before.counts(manifest.thresholds), after.counts(thresholds)
        candidate = AdaptedCandidate(changed, manifest, what, dataset, after, thresholds, validation, params.threads)
        scores = candidate.validate() if validation is not None else None
        directory = candidate.publish(repository.root, scores, signer)
        display.advance(1)
    told = f"{sum(old)} objects found before, {sum(new)} after"
    if scores is not None:
        told += f"; mAP50 {scores.map50:.3f} on {scores.images} labelled images"
    print(
        f"adapted {bundle.title} to {len(pictures)} pictures: {told}; "
        f"exported v{directory.name} into {params.model_root}",
        file=sys.stderr,
    )
    return {
        "model": manifest.name,
        "from_version": manifest.version,
        "version": int(directory.name),
        "images": len(pictures),
        "images_sha256": what.images_sha256,
        **facts,
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
    model = restore(bundle)
    assert isinstance(model, Detector)
    return model


def _self_trained(
    params: AdaptParams,
    bundle: Bundle,
    model: Detector,
    pictures: CocoDataset,
    letterboxed: list[Pixels],
    synthetic: CocoDataset | None,
    validation: CocoDataset | None,
    display: _Display,
) -> Course:
    manifest, thresholds = bundle.manifest, bundle.manifest.thresholds
    measured = validation or synthetic
    if params.precision_target and measured is not None:
        predictor = Predictor.load(bundle, "auto", params.threads, threshold=0.0)
        thresholds = thresholds_for_precision(predictor, measured, thresholds, params.precision_target)

    def score(candidate: Detector) -> float:
        what = Adaptation(bundle.title, 0, "", 0.0, "")
        nothing = Found(())
        told = AdaptedCandidate(
            candidate, manifest, what, pictures, nothing, manifest.thresholds, validation, params.threads
        )
        return told.validate().map

    scored = score if validation is not None else None
    return self_trained(model, manifest, letterboxed, synthetic, thresholds, params, scored, display.advance)


def _facts(course: Course) -> dict[str, Any]:
    return {"steps": course.steps, "map_history": course.scores, "labels_per_picture": course.labels}


def _kept(bundle: Bundle, course: Course) -> dict[str, Any]:
    """What is told when the model before is still the best."""
    history = ", ".join(f"{score:.3f}" for score in course.scores)
    print(
        f"self-training made {bundle.title} no better on the validation set (mAP {history}): it is kept",
        file=sys.stderr,
    )
    version = bundle.manifest.version
    return {"model": bundle.manifest.name, "from_version": version, "version": version, "kept": True, **_facts(course)}


def _labelled(path: str, manifest: Manifest) -> CocoDataset | None:
    if not path:
        return None
    dataset = CocoDataset.open(Path(path))
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

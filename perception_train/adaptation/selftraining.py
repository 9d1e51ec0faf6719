"""Self-training on pictures without labels: a student learns what its own slow average, the teacher, finds.

After Mean Teacher (Tarvainen and Valpola 2017) for the averaged weights, and Unbiased Teacher (Liu et al. 2021) for
detectors: labels from a weakly changed picture, learned on a strongly changed one, above a threshold. Unlike there,
thresholds are of each class, the loss of the boxes counts too, and the labelled half is the synthetic dataset.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from perception_common.errors import UserError
from perception_infer.contract.geometry import Pixels
from perception_infer.contract.manifest import Manifest

from ..data.augment import AugmentParams
from ..data.coco import CocoDataset
from ..data.loader import Batch, TrainLoader
from ..models.network import Detector
from ..training.config import TrainParams
from ..training.ema import WeightAverage
from ..training.optimize import compute_losses, make_optimizer
from ..training.schedule import Schedule
from .params import AdaptParams
from .teacher import Teacher, joined, picked, strong_views, weak_view

_CACHE_BYTES = 512 << 20
#: Updates after which an average no longer hurries: the teacher starts as what was trained.
_SETTLED = 1_000_000
#: Validations in a row that are worse than the model before, after which nothing good is expected any more.
_TRUSTED = 2


@dataclass(frozen=True)
class SelfTraining:
    """What the manifest says of a self-training."""

    source: str
    images: int
    images_sha256: str
    steps: int
    synthetic_sha256: str
    replay: float

    def provenance(self) -> dict[str, str]:
        """As entries of the manifest's ``software``."""
        return {
            "adapted_from": self.source,
            "adapted_by": "self-training",
            "adapted_images": str(self.images),
            "adapted_images_sha256": self.images_sha256,
            "adapted_steps": str(self.steps),
            "adapted_replay": f"{self.replay:g}",
            "adapted_synthetic_sha256": self.synthetic_sha256,
        }


@dataclass
class Course:
    """How a self-training went.

    Attributes:
        model: the best teacher, or None where none was better than the model before.
        steps: that were taken.
        scores: of the model before, and of the teacher at each validation.
        labels: objects that the teacher has told of, per picture shown.
    """

    model: Detector | None = None
    steps: int = 0
    scores: list[float] = field(default_factory=list)
    labels: float = 0.0

    def take(self, teacher: Detector, score: float) -> bool:
        """Keep a teacher that is better than all before; whether there is reason to go on.

        Labels of the first steps are poor ones, and the best is kept anyway: one bad validation ends nothing.
        """
        if score > max(self.scores):
            self.model = copy.deepcopy(teacher)
        self.scores.append(score)
        return len(self.scores) <= _TRUSTED or max(self.scores[-_TRUSTED:]) >= self.scores[0]


def self_trained(
    model: Detector,
    manifest: Manifest,
    pictures: Sequence[Pixels],
    synthetic: CocoDataset | None,
    thresholds: tuple[float, ...],
    params: AdaptParams,
    score: Callable[[Detector], float] | None,
    progress: Callable[[int], None] = lambda count: None,
) -> Course:
    """Train a copy of a detector on pictures that its average labels, and on synthetic ones.

    Args:
        model: what was trained, unchanged afterwards.
        manifest: of its bundle.
        pictures: letterboxed, uint8 [H, W, 3].
        synthetic: labelled images of the same classes, shown at the share ``replay``; None: no such images.
        thresholds: score of each class from which on the teacher is believed.
        params: see `AdaptParams`.
        score: tells how good a model is, higher is better; None: nobody knows.
        progress: told after every step.

    Raises:
        UserError: the teacher finds nothing to teach, or the loss is not finite.
    """
    p = params
    told = TrainParams(steps=p.steps, minutes=0.0, learning_rate=p.learning_rate, warmup_steps=min(20, p.steps // 5))
    student = copy.deepcopy(model)
    average = WeightAverage(student, p.teacher_decay)
    average.updates = _SETTLED
    schedule, optimizer = Schedule(told), make_optimizer(student, told)
    lessons = _Lessons(average.model, manifest, pictures, synthetic, thresholds, p)
    course = Course(scores=[] if score is None else [score(model)])
    for step in range(p.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step, 0.0)
        optimizer.zero_grad(set_to_none=True)
        compute_losses(student.train().losses, lessons.batch(step), False)["total"].backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(student.parameters(), told.clip_norm))
        if not math.isfinite(norm):
            raise UserError(f"the loss is not finite at step {step}", fix="lower learning_rate")
        optimizer.step()
        average.update(student)
        course.steps = step + 1
        progress(1)
        if (
            score is not None
            and _due(step, p.steps, p.validations)
            and not course.take(average.model, score(average.model))
        ):
            break
    course.labels = lessons.labels()
    if score is None:
        course.model = average.model
    return course


class _Lessons:
    """What the student is shown: pictures with the teacher's labels, strongly changed, beside synthetic ones."""

    def __init__(
        self,
        model: Detector,
        manifest: Manifest,
        pictures: Sequence[Pixels],
        synthetic: CocoDataset | None,
        thresholds: tuple[float, ...],
        params: AdaptParams,
    ) -> None:
        assert manifest.suppression is not None, "every detector's manifest has it"
        self._teacher = Teacher(model, manifest.suppression, thresholds)
        self._pictures, self._seed = pictures, params.seed
        replayed = min(params.batch - 1, round(params.replay * params.batch)) if synthetic is not None else 0
        self._own = params.batch - replayed
        self._loader = None
        if synthetic is not None and replayed:
            size = (manifest.input.width, manifest.input.height)
            self._loader = TrainLoader(synthetic, size, replayed, params.seed, AugmentParams(), _CACHE_BYTES)
        self._objects = self._shown = 0

    def batch(self, step: int) -> Batch:
        """The batch of a step, labelled by what the teacher is now."""
        rng = np.random.default_rng(np.random.SeedSequence([self._seed, 3, step]))
        chosen = picked(len(self._pictures), self._own, step, self._seed)
        labelled = self._teacher.label([weak_view(self._pictures[i], rng) for i in chosen])
        self._objects += sum(len(one.labels) for one in labelled)
        self._shown += len(labelled)
        views = strong_views(labelled, rng)
        return views if self._loader is None else joined(self._loader.batch(step, False), views)

    def labels(self) -> float:
        """Objects that the teacher has told of, per picture shown.

        Raises:
            UserError: it told of none.
        """
        if self._objects == 0:
            raise UserError(
                "the teacher finds nothing in the pictures that it is sure of",
                fix="give pictures that show the classes, or lower precision_target",
            )
        return self._objects / self._shown


def _due(step: int, steps: int, validations: int) -> bool:
    """Whether a validation comes after this step; evenly over the steps, the last at their end."""
    return (step + 1) * validations // steps > step * validations // steps

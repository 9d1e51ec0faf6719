"""`perception-train evaluate`: a bundle and a dataset in, its figures out."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

from perception_infer.models import ModelRepository
from perception_infer.predictor import Predictor

from ..data.coco import CocoDataset
from ..training.validation import validate
from .params import EvaluateParams
from .tables import to_text


def evaluate(params: EvaluateParams) -> dict[str, Any]:
    """Score a bundle on a dataset through the robot's own code: COCO metrics, or IoU where it segments.

    Raises:
        UserError: no dataset is given, it or the bundle cannot be used, or their classes differ.
    """
    params.require_usable()
    bundle = ModelRepository(Path(params.model_root)).open(params.model, params.version or None)
    dataset = CocoDataset.open(Path(params.dataset))
    dataset.require_classes(bundle.manifest.classes, "bundle")
    predictor = Predictor.load(bundle, params.backend, params.threads, threshold=0.0)
    result = validate(predictor, dataset)
    kind, per_class = result.per_class
    assert result.figures is not None
    title = f"{bundle.title} on {result.images} images"
    print(f"{title}: {result}", file=sys.stderr)
    print(to_text(result.figures), file=sys.stderr)
    if params.report:
        # Imported late: Matplotlib takes a second.
        from .report import write_evaluation

        page = write_evaluation(Path(params.report), title, dataset, result.metrics(), result.figures)
        print(f"report: {page}", file=sys.stderr)
    return {
        "model": bundle.manifest.name,
        "version": bundle.manifest.version,
        "images": result.images,
        kind: per_class,
        **result.metrics(),
        "figures": dataclasses.asdict(result.figures),
    }

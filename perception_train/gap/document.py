"""The content of gap.json: plain numbers and texts, the same bytes for the same sources and model."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from perception_common import __version__
from perception_infer.predictor import Predictor
from perception_sim.view.statistics import summary

from ..harvest.embedding import Embedding
from .comparing import FOUND, TRUTH, Compared, values_of
from .looking import Looked
from .params import GapParams
from .rules import Advice
from .scoring import differences

SCHEMA = "perception_suite/gap/1"
_SCORE_BINS = 20


def build_document(
    predictor: Predictor,
    params: GapParams,
    embedding: Embedding,
    synthetic: Looked,
    compared: Sequence[Compared],
    advice: Sequence[Sequence[Advice]],
    names: Sequence[str],
) -> dict[str, Any]:
    """Everything that was measured; ``advice`` is that of each of ``compared``, in the same order."""
    every = sorted((one for part in advice for one in part), key=lambda one: -one.distance)
    document: dict[str, Any] = _plain(
        {
            "schema": SCHEMA,
            "version": __version__,
            "model": _model(predictor),
            "parameters": {"most": params.most, "topic": params.topic, "truth": list(params.truth)},
            "embedding": {"title": embedding.title, "numbers": len(synthetic.seen[0].vector)},
            "classes": list(names),
            "advice": [_advice(one) for one in every],
            "synthetic": _source(synthetic, names),
            "real": [
                {**_source(one.source, names), "gap": _gap(synthetic, one, part)}
                for one, part in zip(compared, advice, strict=True)
            ],
        }
    )
    return document


def _source(looked: Looked, names: Sequence[str]) -> dict[str, Any]:
    found = [one.found for one in looked.seen]
    scores = np.concatenate([part.scores for part in found])
    labels = np.concatenate([part.labels for part in found])
    bases = (FOUND, TRUTH) if looked.labelled else (FOUND,)
    return {
        "label": looked.label,
        "path": looked.source.path,
        "kind": looked.source.kind,
        "total": looked.source.total,
        "images": len(looked.seen),
        "labelled": looked.labelled,
        "skipped": [
            {"reason": reason, "count": count, "first_index": first}
            for reason, (count, first) in looked.source.skips.counts.items()
        ],
        "notes": list(looked.source.notes),
        "found": {
            "objects": len(labels),
            "per_image": len(labels) / len(looked.seen),
            "per_class": {name: int((labels == label).sum()) for label, name in enumerate(names)},
            "images_without": sum(not len(part.labels) for part in found) / len(looked.seen),
            "confidence": float(scores.mean()) if len(scores) else None,
            "score_histogram": np.histogram(scores, _SCORE_BINS, (0.0, 1.0))[0].tolist(),
        },
        "accuracy": looked.accuracy,
        "values": {
            basis: {key: summary(values) for key, values in values_of(looked, basis).items()} for basis in bases
        },
    }


def _gap(synthetic: Looked, compared: Compared, advice: Sequence[Advice]) -> dict[str, Any]:
    first, second = synthetic.accuracy, compared.source.accuracy
    shares = compared.mix.shares()
    return {
        "objects_are": compared.basis,
        "accuracy": differences(first, second) if first is not None and second is not None else None,
        "differences": [dataclasses.asdict(row) for row in compared.differences],
        "classes": [
            {"name": name, "synthetic": one, "source": two}
            for name, one, two in zip(compared.mix.names, *(share.tolist() for share in shares), strict=True)
        ],
        "features": None if compared.features is None else compared.features._asdict(),
        "advice": [_advice(one) for one in advice],
    }


def _advice(advice: Advice) -> dict[str, Any]:
    def changes(of: Sequence[Any]) -> dict[str, str]:
        return {change.name: change.way for change in of}

    return {
        "source": advice.source,
        "measure": advice.measure,
        "distance": advice.distance,
        "what": advice.what,
        "world": changes(advice.world),
        "training": changes(advice.training),
        "now": dict(advice.now),
    }


def _model(predictor: Predictor) -> dict[str, Any]:
    return predictor.bundle.facts() | {
        "thresholds": list(predictor.bundle.manifest.thresholds),
        "network": list(predictor.network),
        "backend": predictor.backend.name,
        "precision": predictor.backend.precision,
    }


def _plain(value: Any) -> Any:
    """Numbers with six digits, so that the last bits of a sum on another processor change nothing."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value

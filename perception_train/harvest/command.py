"""`perception-train harvest`: recordings and a model in, a dataset to correct out."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from perception_common import __version__, durable
from perception_common.errors import UserError
from perception_infer.loading import load_proven
from perception_infer.models import Bundle
from perception_infer.predictor import Predictor
from perception_infer.replay.model_choice import Choice, choose_model
from perception_infer.running import RunningParams, say

from ..data.coco import CocoDataset
from .choice import Pick
from .embedding import Embedding, choose_embedding
from .judged import DIGITS, Judged, others
from .label_studio import write_for_tools
from .looking import Model, look_at, look_at_known
from .page import Film, build_page, film
from .params import HarvestParams
from .writing import Wanted, write_annotations, write_json, write_pictures

SCHEMA = "perception_suite/harvest/1"
DOCUMENT, PAGE = "harvest.json", "harvest.html"


def harvest(params: HarvestParams) -> dict[str, Any]:
    """Pick frames and write them, with what the model finds, as a dataset that appears when it is complete.

    Nothing in it depends on time: the same recordings, models and parameters give the same bytes.

    Returns:
        What harvest.json says, and ``output``.

    Raises:
        UserError: a recording, model or dataset cannot be used, or the output exists.
    """
    params.require_usable()
    output = Path(params.output).expanduser()
    if output.exists():
        raise UserError("the output exists already", where=output, fix="choose another --output, or remove it")
    choice = choose_model(params.model, params.model_root, params)
    against = choose_model(params.against, params.model_root, params) if params.against else None
    if against is not None:
        _require_same_classes(choice.bundle, against.bundle)
    known = [CocoDataset.open(Path(path).expanduser()) for path in params.known]
    embedding, missing = choose_embedding(params.embedding, choice.bundle)
    if missing:
        say(f"frames are compared by {embedding.title} alone: {missing}")
    with durable.new_directory(output) as work, _model(choice, against, params) as model:
        looked = look_at(params.bag, params.topic, model, embedding)
        judged = Judged.of(looked, look_at_known(known, embedding), embedding.parts, params)
        picks = judged.pick(params)
        result = _write(work, output.name, judged, picks, model, known, embedding, params)
    _tell(result, output, params)
    return {"output": str(output), **result}


def _write(
    work: Path,
    name: str,
    judged: Judged,
    picks: Sequence[Pick],
    model: Model,
    known: Sequence[CocoDataset],
    embedding: Embedding,
    params: HarvestParams,
) -> dict[str, Any]:
    """Write everything; harvest.json's content."""
    manifest, looked = model.predictor.bundle.manifest, judged.looked
    compared = model.against is not None or model.tiles > 0
    told = [judged.told(picked, params, compared) for picked in picks]
    wanted = []
    for picked, entry in zip(picks, told, strict=True):
        seen = looked.seen[picked.row]
        facts = {key: entry[key] for key in ("bag", "topic", "frame", "picked", "value")}
        facts |= {"stamp_ns": seen.when, "reason": "; ".join(entry["reasons"])}
        wanted.append(Wanted(seen.bag, seen.frame, seen.when, facts))
    written = write_pictures(work, looked.bags, wanted, model)
    counts = write_annotations(work, written, manifest.classes)
    write_for_tools(work, name, written, manifest)
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "model": _described(model.predictor),
        "against": None if model.against is None else _described(model.against),
        "known": [
            {"path": path, "pictures": len(dataset.samples), "annotations_sha256": dataset.sha256}
            for path, dataset in zip(params.known, known, strict=True)
        ],
        "recordings": [read.as_dict() for read in looked.bags],
        "parameters": _parameters(params),
        "usual": {name: round(value, DIGITS) for name, value in judged.usual.items()},
        "embedding": {
            "title": embedding.title,
            "numbers": int(judged.candidates.embeddings.shape[1]),
            "novelty": f"distance from {others(judged.known)}",
        },
        "counts": {
            "frames": len(looked.seen),
            "picked": len(picks),
            "by_lot": sum(picked.by_lot for picked in picks),
            "labels": counts["annotations"],
            "negative_images": counts["negative_images"],
            "per_class": counts["per_class"],
            "value_picked": round(float(np.mean([entry["value"] for entry in told])), DIGITS),
            "value_all": round(float(judged.candidates.values.mean()), DIGITS),
        },
        "picks": [{"file": f"images/{p.name}", **entry} for p, entry in zip(written, told, strict=True)],
    }
    write_json(work / DOCUMENT, document)
    durable.write_text(work / PAGE, build_page(document, written, _films(judged, picks)))
    return document


def _films(judged: Judged, picks: Sequence[Pick]) -> list[Film]:
    films = []
    for number, read in enumerate(judged.looked.bags):
        rows = np.flatnonzero(judged.candidates.bags == number)
        if not len(rows):
            continue
        inside = [
            (picked.row - int(rows[0]), picked.by_lot, place)
            for place, picked in enumerate(picks, 1)
            if judged.candidates.bags[picked.row] == number
        ]
        skipped = sum(count for count, _ in read.skips.values())
        note = f"{read.topic}: {read.frames} frames, {len(inside)} picked" + (f", {skipped} skipped" if skipped else "")
        films.append(film(Path(read.path).name, note, judged.candidates.values[rows], inside))
    return films


def _parameters(params: HarvestParams) -> dict[str, Any]:
    """Those that decide what comes out; how the models are run is told of each model."""
    leave_out = {field.name for field in dataclasses.fields(RunningParams)} | {"output", "model", "against", "known"}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(params).items()
        if name not in leave_out
    }


def _described(predictor: Predictor) -> dict[str, Any]:
    return predictor.bundle.facts() | {
        "backend": predictor.backend.name,
        "precision": predictor.backend.precision,
    }


@contextmanager
def _model(choice: Choice, against: Choice | None, params: HarvestParams) -> Iterator[Model]:
    """The models, proven to answer as their trainers'."""
    with ExitStack() as stack:

        def load(one: Choice) -> Predictor:
            say(f"{one.bundle.title}: loading")
            return stack.enter_context(load_proven(one.bundle, one.running.wish(say)).predictor)

        yield Model(
            load(choice),
            None if against is None else load(against),
            load(choice) if params.tiles else None,
            None if params.score_threshold < 0 else params.score_threshold,
            params.tiles,
        )


def _require_same_classes(one: Bundle, other: Bundle) -> None:
    """Refuse to compare models that tell of other things."""
    if one.manifest.task != other.manifest.task:
        raise UserError(
            f"{one.title} does {one.manifest.task}, {other.title} {other.manifest.task}",
            where=other.directory,
            fix="give --against a model of the same task",
        )
    order = one.manifest.classes == other.manifest.classes
    if not order and (one.manifest.task == "segmentation" or set(one.manifest.classes) != set(other.manifest.classes)):
        extra = sorted(set(one.manifest.classes) ^ set(other.manifest.classes)) or ["the order"]
        raise UserError(
            f"{one.title} and {other.title} have other classes ({', '.join(extra)})",
            where=other.directory,
            fix="give --against a version of the same model",
        )


def _tell(document: dict[str, Any], output: Path, params: HarvestParams) -> None:
    counts = document["counts"]
    for read in document["recordings"]:
        for warning in read["warnings"]:
            say(f"warning: {read['path']}: {warning}")
        for skipped in read["skipped"]:
            say(f"skipped in {read['path']}: {skipped['count']} x {skipped['reason']}")
    if counts["picked"] < params.count:
        say(
            f"only {counts['picked']} of {params.count} frames are picked: the others are within {params.apart:g} s of "
            "these or look the same (--apart, --similar)"
        )
    print(
        f"{output}: {counts['picked']} of {counts['frames']} frames, {counts['by_lot']} of them at random, with "
        f"{counts['labels']} labels to correct; why each was picked: {output / PAGE}",
        file=sys.stderr,
    )

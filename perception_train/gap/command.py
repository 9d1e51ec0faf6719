"""`perception-train gap`: one model on synthetic and real sources, and where these differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.loading import load_proven
from perception_infer.models import Bundle
from perception_infer.replay.model_choice import choose_model
from perception_infer.replay.truth import Names
from perception_infer.running import say

from ..data.coco import PROVENANCE
from ..harvest.embedding import Embedding, ModelEmbedding, PictureEmbedding
from .comparing import compare
from .document import build_document
from .looking import look_at
from .params import GapParams
from .rules import advise
from .sources import Source, open_bag, open_labelled, open_real

DOCUMENT, PAGE = "gap.json", "gap.html"


def gap(params: GapParams) -> dict[str, Any]:
    """Compare the sources and write page and figures; the directory appears when both are complete.

    Nothing in them depends on time: the same sources, model and parameters give the same bytes.

    Returns:
        What gap.json says, and ``output``.

    Raises:
        UserError: model or sources cannot be used, or the output exists.
    """
    # Imported here, that a run which ends at once with an error does not wait for Matplotlib.
    from .page import build_page

    output = Path(params.output).expanduser()
    if output.exists():
        raise UserError("the output exists already", where=output, fix="choose another --output, or remove it")
    choice = choose_model(params.model, params.model_root, params)
    manifest = choice.bundle.manifest
    names = Names(manifest.classes)
    sources: list[Source] = [open_labelled(params.synthetic, names, manifest.task)]
    sources += [open_real(path, names, manifest.task) for path in params.real]
    for number, bag in enumerate(params.bag):
        sources.append(open_bag(bag, params.topic, params.truth_of(number), names, manifest.task))
    labels = labels_of([source.path for source in sources])
    embedding = _embedding(params, choice.bundle)
    proven = load_proven(choice.bundle, choice.running.wish(say))
    with durable.new_directory(output) as work, proven.predictor as predictor:
        synthetic, *real = [
            look_at(label, source, params.most, predictor, embedding)
            for label, source in zip(labels, sources, strict=True)
        ]
        if not synthetic.accuracy:
            raise UserError("nothing is labelled", where=params.synthetic, fix="name a labelled dataset")
        compared = [compare(synthetic, one, names.all) for one in real]
        axes = axes_of(Path(params.synthetic).expanduser())
        advice = [advise(one, axes) for one in compared]
        document = build_document(predictor, params, embedding, synthetic, compared, advice, names.all)
        text = json.dumps(document, indent=1, ensure_ascii=False)
        durable.write_text(work / DOCUMENT, text + "\n")
        durable.write_text(work / PAGE, build_page(document, synthetic, compared, names.all, params.pictures))
    say(headline(document))
    say(f"report: {output / PAGE}")
    return {"output": str(output), **document}


def _embedding(params: GapParams, bundle: Bundle) -> Embedding:
    """What images are compared by, as the parameter ``embedding`` says.

    Raises:
        UserError: the model's features are demanded and cannot be had.
    """
    if params.embedding == "picture":
        return PictureEmbedding()
    if params.threads:
        import torch

        torch.set_num_threads(params.threads)
    try:
        return ModelEmbedding(bundle)
    except UserError as error:
        if params.embedding == "model":
            raise
        say(f"images are compared by {PictureEmbedding.title}, for {error.what}")
        return PictureEmbedding()


def headline(document: dict[str, Any]) -> str:
    """What was found, in a few lines for a terminal."""
    lines = []
    for source in (document["synthetic"], *document["real"]):
        accuracy, found = source["accuracy"], source["found"]
        parts = [f"{source['images']} images", f"{found['per_image']:.1f} found in each"]
        if accuracy is not None and accuracy["value"] is not None:
            parts.append(f"{accuracy['metric']} {accuracy['value']:.3f}")
        features = source["gap"]["features"] if "gap" in source else None
        if features is not None:
            parts.append(f"features {features['times']:.1f} times as far as synthetic halves")
        lines.append(f"{source['label']}: {', '.join(parts)}")
    lines += [f"  {one['source']}, {one['what']}" for one in document["advice"]]
    if not document["advice"]:
        lines.append("  nothing that is measured here, and that the synthetic set does not cover, differs clearly")
    return "\n".join(lines)


def labels_of(paths: Sequence[str]) -> list[str]:
    """The shortest ends of the paths that tell them apart; what is named twice has a number."""
    places = [Path(path).expanduser().resolve() for path in paths]
    # A dataset's folder of pictures is called as all others are.
    parts = [place.parent.parts if place.name == "images" else place.parts for place in places]
    for length in range(1, max(map(len, parts)) + 1):
        ends = ["/".join(one[-length:]) for one in parts]
        if len(set(ends)) == len(set(parts)):
            break
    times = [ends[: index + 1].count(end) for index, end in enumerate(ends)]
    return [end if time == 1 else f"{end} ({time})" for end, time in zip(ends, times, strict=True)]


def axes_of(root: Path) -> dict[str, Any]:
    """The axes of the preset that a dataset was generated with, as section.axis; empty where it does not say."""
    try:
        told = json.loads((root / PROVENANCE).read_bytes())
        preset = told["config"]["preset"]
        sections = {key: section for key, section in preset.items() if isinstance(section, dict)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return {f"{key}.{name}": value for key, section in sections.items() for name, value in section.items()}

"""Pre-labels for labelling tools that do not take everything from COCO: Label Studio's tasks, CVAT's label names.

Formats: "Import pre-annotated data into Label Studio" (labelstud.io/guide/predictions), the tags RectangleLabels and
PolygonLabels, and CVAT's label constructor.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from perception_common import durable
from perception_infer.contract.manifest import Manifest
from perception_infer.draw import class_colour

from .writing import Shape, Written, write_json

TASKS, CONFIG, CVAT_LABELS = "label_studio.json", "label_config.xml", "cvat_labels.json"
_NAME, _IMAGE = "label", "image"


def write_for_tools(folder: Path, dataset: str, written: Sequence[Written], manifest: Manifest) -> None:
    """Write `TASKS`, `CONFIG` and `CVAT_LABELS`.

    Args:
        folder: where they go.
        dataset: the name that the dataset's directory will have; Label Studio serves the one around it.
        written: the pictures.
        manifest: of the model that made the labels.
    """
    classes, title = manifest.classes, f"{manifest.name} v{manifest.version}"
    write_json(folder / TASKS, [_task(picture, dataset, classes, title) for picture in written])
    durable.write_text(folder / CONFIG, _label_config(classes, manifest.task == "segmentation"))
    write_json(folder / CVAT_LABELS, [{"name": name, "attributes": []} for name in classes])


def _label_config(classes: Sequence[str], regions: bool) -> str:
    """The labelling interface, as XML."""
    tag = "PolygonLabels" if regions else "RectangleLabels"
    labels = "".join(
        f'    <Label value="{html.escape(name)}" background="#{red:02x}{green:02x}{blue:02x}"/>\n'
        for name, (red, green, blue) in ((name, class_colour(label)) for label, name in enumerate(classes))
    )
    image = f'  <Image name="{_IMAGE}" value="$image" zoom="true" zoomControl="true"/>\n'
    return f'<View>\n{image}  <{tag} name="{_NAME}" toName="{_IMAGE}">\n{labels}  </{tag}>\n</View>\n'


def _task(picture: Written, dataset: str, classes: Sequence[str], title: str) -> dict[str, Any]:
    results = [_result(shape, number, picture, classes) for number, shape in enumerate(picture.shapes, 1)]
    scores = [shape.score for shape in picture.shapes]
    return {
        "data": {
            "image": f"/data/local-files/?d={quote(f'{dataset}/images/{picture.name}')}",
            **{key: str(value) for key, value in picture.facts.items()},
        },
        "predictions": [
            {
                "model_version": title,
                "score": round(sum(scores) / len(scores), 4) if scores else 0.0,
                "result": results,
            }
        ],
    }


def _result(shape: Shape, number: int, picture: Written, classes: Sequence[str]) -> dict[str, Any]:
    """A region; places are in percent of the image."""
    x, y, width, height = shape.box
    across, down = 100 / picture.width, 100 / picture.height
    name = classes[shape.label]
    value: dict[str, Any]
    if shape.outline:
        points = zip(shape.outline[::2], shape.outline[1::2], strict=True)
        kind = "polygonlabels"
        value = {
            "points": [[round(px * across, 4), round(py * down, 4)] for px, py in points],
            "closed": True,
            kind: [name],
        }
    else:
        kind = "rectanglelabels"
        value = {
            "x": round(x * across, 4),
            "y": round(y * down, 4),
            "width": round(width * across, 4),
            "height": round(height * down, 4),
            "rotation": 0,
            kind: [name],
        }
    return {
        "id": f"{Path(picture.name).stem}-{number}",
        "type": kind,
        "from_name": _NAME,
        "to_name": _IMAGE,
        "original_width": picture.width,
        "original_height": picture.height,
        "image_rotation": 0,
        "value": value,
        "score": shape.score,
    }

"""`perception-infer run`: a bundle on pictures, without ROS."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np

from perception_common import durable, images
from perception_common.errors import UserError
from perception_common.params import param

from ..backends.select import make_backend
from ..contract.geometry import Pixels
from ..draw import draw_detections, draw_mask
from ..evaluation.confusion import BACKGROUND
from ..models import find_bundle
from ..predictor import Predictor
from ..running import RunningParams, say

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")


@dataclass(frozen=True)
class RunParams(RunningParams):
    """Parameters of `perception-infer run`."""

    bundle: str = param("", "bundle directory, MODEL_REPO/<name>/<version>, or MODEL_REPO/<name> for the newest")
    input: str = param("", "a picture, or a folder of pictures (" + ", ".join(SUFFIXES) + ")")
    output: str = param("", "folder for the pictures with what was found; made when missing, nothing is drawn without")
    score_threshold: float = param(
        -1.0, "score that a detection must reach; -1 takes the model's own", minimum=-1.0, maximum=1.0
    )


def run(params: RunParams) -> dict[str, Any]:
    """Answer every picture; what was found as JSON, and pictures with it drawn.

    Raises:
        UserError: bundle, input or output cannot be used.
    """
    for name in ("bundle", "input"):
        if not getattr(params, name):
            raise UserError(f"--{name} is not set", fix="see --help")
    pictures = find_pictures(Path(params.input))
    output = Path(params.output) if params.output else None
    if output is not None:
        durable.ensure_writable(output)
    threshold = None if params.score_threshold < 0 else params.score_threshold
    found = []
    bundle = find_bundle(Path(params.bundle))
    with Predictor(bundle, make_backend(bundle, params.wish(say)), threshold) as predictor:
        predictor.warm_up()
        for index, path in enumerate(pictures, 1):
            found.append(_answer(predictor, path, output))
            _progress(index, len(pictures), found[-1]["ms"])
        backend, title = f"{predictor.backend.name}/{predictor.backend.precision}", predictor.bundle.title
    return {"model": title, "backend": backend, "images": found, "ms_p50": median(image["ms"] for image in found)}


def find_pictures(path: Path) -> list[Path]:
    """The picture at a path, or those of the folder, sorted by name."""
    if path.is_file():
        return [path]
    found = sorted(entry for entry in path.iterdir() if entry.suffix.lower() in SUFFIXES) if path.is_dir() else []
    if not found:
        raise UserError("there is no picture", where=path, fix=f"give a file or folder of {', '.join(SUFFIXES)}")
    return found


def read_picture(path: Path) -> Pixels:
    """RGB uint8 [H, W, 3] of a picture file."""
    decoded = images.read_picture(path)
    if decoded is None:
        raise UserError("the file is not a picture that can be read", where=path)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)


def _answer(predictor: Predictor, path: Path, output: Path | None) -> dict[str, Any]:
    rgb = read_picture(path)
    height, width = rgb.shape[:2]
    entry: dict[str, Any] = {"file": str(path), "width": width, "height": height}
    began = time.perf_counter()
    if predictor.task == "detection":
        result = predictor.predict(rgb)
        entry["ms"] = (time.perf_counter() - began) * 1e3
        rows = zip(result.boxes.tolist(), result.scores.tolist(), result.labels.tolist(), strict=True)
        entry["detections"] = [
            {"box": box, "score": score, "class": predictor.classes[label]} for box, score, label in rows
        ]
        drawn = draw_detections(rgb, result.boxes, result.labels, predictor.classes, result.scores) if output else rgb
    else:
        mask = predictor.segment(rgb).mask
        entry["ms"] = (time.perf_counter() - began) * 1e3
        shares = np.bincount(mask.ravel(), minlength=len(predictor.classes) + 1) / mask.size
        entry["share"] = dict(zip((BACKGROUND, *predictor.classes), shares.tolist(), strict=False))
        drawn = draw_mask(rgb, mask) if output else rgb
    if output is not None:
        target = output / f"{path.stem}.png"
        encoded = cv2.imencode(".png", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))[1]
        durable.write_bytes(target, encoded.tobytes())
        entry["overlay"] = str(target)
    return entry


def _progress(done: int, total: int, ms: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{done}/{total} pictures, {ms:.1f} ms", end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total:
        print(f"{total} pictures done", file=sys.stderr)

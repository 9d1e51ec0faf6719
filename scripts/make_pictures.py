#!/usr/bin/env python3
"""Pictures and figures of the documentation, from a finished full demo: ``.venv/bin/python scripts/make_pictures.py``.

Writes docs/images/*.jpg, docs/benchmarks/demo.md and the table in README.md, so that none of them is made by hand.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from docs_images import ROOT, write

from perception_common import cli, durable
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import param
from perception_infer.draw import draw_detections
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor

BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
SCALE = 2
COLUMNS = 4
GAP = 8


@dataclass(frozen=True)
class PictureParams:
    """Parameters of the picture maker."""

    demo: str = param("runs/demo", "directory of a finished demo")


def make(params: PictureParams) -> Result:
    """Everything at once."""
    demo = Path(params.demo)
    try:
        summary = json.loads((demo / "summary.json").read_text())
        live = json.loads((demo / "live.json").read_text())
    except OSError as error:
        raise UserError("no finished demo", where=demo, fix="run `make demo` first") from error
    write("world.jpg", _world(demo))
    write("live.jpg", _live(demo, live))
    table = figures(summary)
    durable.write_text(ROOT / "docs" / "benchmarks" / "demo.md", page(summary, table))
    readme = ROOT / "README.md"
    before, rest = readme.read_text(encoding="utf-8").split(BEGIN)
    durable.write_text(readme, f"{before}{BEGIN}\n{table}{END}{rest.split(END)[1]}")
    return None


def _world(demo: Path) -> np.ndarray:
    """The upper part of the training data's contact sheet."""
    sheet = cv2.imread(str(next((demo / "data").glob("train-*")) / "contact_sheet.png"))
    return cv2.resize(sheet[: sheet.shape[0] * 3 // 4], None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)


def _live(demo: Path, live: dict[str, Any]) -> np.ndarray:
    """Live frames of the last version's time, answered by the first bundle (top) and the last (bottom)."""
    versions = sorted(int(path.name) for path in (demo / "models").glob("*/[0-9]*"))
    repository = next(path for path in (demo / "models").iterdir() if path.is_dir())
    chosen = [sample for sample in live["samples"] if sample["version"] == versions[-1] and len(sample["truth"]) > 1]
    rows = []
    for version in (versions[0], versions[-1]):
        predictor = Predictor.load(open_bundle(repository / str(version)))
        pictures = []
        for sample in chosen[:COLUMNS]:
            frame = cv2.imread(str(Path(demo / "live.samples") / sample["file"]))
            rgb = cv2.cvtColor(cv2.resize(frame, None, fx=SCALE, fy=SCALE), cv2.COLOR_BGR2RGB)
            found = predictor.predict(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            _truth(rgb, sample["truth"])
            rgb = draw_detections(rgb, found.boxes * SCALE, found.labels, predictor.classes, found.scores)
            pictures.append(cv2.copyMakeBorder(rgb, GAP, 0, GAP, 0, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
        rows.append(np.hstack(pictures))
    return cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)


def _truth(rgb: np.ndarray, truth: list[dict[str, Any]]) -> None:
    """Dashed white boxes."""
    dash = 6
    for entry in truth:
        left, top, right, bottom = (round(SCALE * edge) for edge in entry["box"])
        for x in range(left, right, 2 * dash):
            for y in (top, bottom - 1):
                cv2.line(rgb, (x, y), (min(x + dash, right), y), (255, 255, 255), 1)
        for y in range(top, bottom, 2 * dash):
            for x in (left, right - 1):
                cv2.line(rgb, (x, y), (x, min(y + dash, bottom)), (255, 255, 255), 1)


def figures(summary: dict[str, Any]) -> str:
    """The headline figures as a Markdown table."""
    s = summary
    rows = [
        ("mAP50 (mAP) on validation images", f"{s['val_map50']:.3f} ({s['val_map']:.3f})"),
        ("mAP50 live, last version", f"{s['live_map50']:.3f} over {s['live_frames_scored']} frames"),
        ("training speed beside camera and inference", f"{s['train_images_per_second']:.0f} images/s"),
        ("versions published, swapped in live", f"{len(s['versions'])}, {s['swaps']}"),
        ("frames lost in swaps", f"{s['frames_lost_in_swaps']} of {s['frames_received']}"),
        (
            "longest gap between outputs around a swap",
            f"{s['max_gap_around_swaps_ms']:.0f} ms at {s['camera_hz']:.1f} Hz",
        ),
        ("latency camera → detections, while training", _latency(s["latency_ms"])),
        ("latency, trainer done", _latency(s["latency_idle_ms"])),
        ("the bare ONNX Runtime session in a loop", f"p50 {s['bare_session_ms']['p50']:.1f} ms"),
        ("wall time of the demo", f"{s['wall_seconds']['total'] / 60:.1f} minutes"),
    ]
    return "| what | measured |\n| --- | --- |\n" + "".join(f"| {name} | {value} |\n" for name, value in rows)


def _latency(values: dict[str, Any]) -> str:
    return f"p50 {values['p50']:.1f} ms, p99 {values['p99']:.1f} ms"


def page(summary: dict[str, Any], table: str) -> str:
    """docs/benchmarks/demo.md."""
    versions = "".join(
        f"| {v['version']} | {v['exported_at_s']:.0f} | {v['val_map50']:.3f} "
        f"| {v['live_map50']:.3f} | {v['live_frames']} |\n"
        for v in summary["versions"]
        if v["live_map50"] is not None
    )
    checks = "".join(
        f"| {c['name']} | {c['relation']} {c['limit']:g} | {c['value']:.4g} | {'yes' if c['ok'] else 'NO'} |\n"
        for c in summary["checks"]
    )
    machine = ", ".join(f"{key} {value}" for key, value in summary["machine"].items())
    return f"""# Figures of the demo

Made by `make demo`, then `.venv/bin/python scripts/make_pictures.py`. One run;
only ratios carry over to other machines.

Machine: {machine}. World: `{summary["world"]["name"]}`. {summary["world"]["description"]}

{table}
## Limits that the demo is judged by

| figure | limit | value | holds |
| --- | --- | --- | --- |
{checks}
## Every published version

| version | after s of training | mAP50 on validation images | mAP50 live | live frames |
| --- | --- | --- | --- | --- |
{versions}"""


def main() -> int:
    """Entry point."""
    return cli.single(
        "make_pictures", Command("make_pictures", "Pictures and figures of the docs.", PictureParams, make)
    )


if __name__ == "__main__":
    sys.exit(main())

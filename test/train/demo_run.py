"""A made-up run of the demo: the files its processes would have written, and the summary of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from perception_infer.evaluation.summary import percentiles
from perception_train.demo import facts, summary
from perception_train.demo.settings import FULL
from perception_train.demo.watch import JsonFile, LiveFiles

CLASSES = ("ball", "box", "cone", "hammer", "mug", "ring")
START = 1_790_000_000.0  # of the evaluator, unix seconds
TRAIN_START, TRAIN_SECONDS, EXPORT_EVERY, END = 40.0, 510.0, 102.0, 700.0
STAGES = (("training images", 88), ("validation images", 13), ("start nodes", 9), ("train, swap, score", 521),
          ("score last version", 38), ("bare session", 9), ("report", 3))  # fmt: skip


def made_up_run(output: Path, classes: Sequence[str] = CLASSES) -> tuple[dict[str, Any], LiveFiles]:
    """Write the files into ``output``; the summary and the files."""
    rng = np.random.default_rng(0)
    (output / "train").mkdir(parents=True, exist_ok=True)
    _write_training(output / "train", rng, classes)
    (output / "live.json").write_text(json.dumps(_live(output / "live.samples", rng, classes)))
    (output / "bare_session.json").write_text(json.dumps(dict(p50=9.8, p99=15.2, max=20.0, count=600)))
    files = LiveFiles(output / "train", output / "live.json")
    idle = (START + TRAIN_START + TRAIN_SECONDS, START + END)
    bare = JsonFile(output / "bare_session.json").read()
    live = files.evaluation.read()
    counters = {name[1:]: report["values"] for name, report in live["diagnostics"].items()}
    result = summary.build(FULL, files.train_summary.read(), live, counters, bare, idle, files.validations.read())
    result["world"]["classes"] = list(classes)
    result["stages"], begin = [], 0.0
    for name, seconds in STAGES:
        result["stages"].append(dict(name=name, start_s=begin, seconds=seconds))
        begin += seconds
    result["wall_seconds"] = dict(STAGES) | {"total": begin}
    result |= dict(train_start_unix_s=START + TRAIN_START, idle_unix_s=list(idle), started_unix_s=START - 100)
    result |= dict(machine=facts.machine(), software=facts.software())
    files.steps.read()
    return result, files


def _quality(step: float) -> float:
    return 0.88 * (1 - math.exp(-step / 2.6))


def _write_training(directory: Path, rng: np.random.Generator, classes: Sequence[str]) -> None:
    lines = ["step,seconds,epoch,loss,loss_box,loss_cls,loss_dfl,lr,images_per_second"]
    for step in range(0, 1100, 2):
        loss = 3 + 9 * math.exp(-step / 120) + rng.normal(0, 0.35)
        lines.append(f"{step},{step / 1100 * TRAIN_SECONDS:.2f},{step * 16 / 1500:.2f},{loss:.4f},1,1,1,0.002,33")
    (directory / "train.csv").write_text("\n".join(lines) + "\n")
    lines = ["step,seconds,version,map,map50,map75"]
    for index in range(1, 11):
        value, version = _quality(index), index // 2 if index % 2 == 0 else ""
        lines.append(
            f"{index * 110},{index * EXPORT_EVERY / 2},{version},{value * 0.68:.4f},{value:.4f},{value * 0.7:.4f}"
        )
    (directory / "validation.csv").write_text("\n".join(lines) + "\n")
    ap50 = {name: 0.78 + 0.03 * index for index, name in enumerate(classes)}
    done = dict(
        state="done", val_map=0.598, val_map50=0.861, val_map75=0.66, versions=[1, 2, 3, 4, 5], per_class_ap50=ap50
    )
    (directory / "summary.json").write_text(
        json.dumps(done | dict(train_images_per_second=33.4, steps=1100, seconds=TRAIN_SECONDS))
    )


def _live(pictures: Path, rng: np.random.Generator, classes: Sequence[str]) -> dict[str, Any]:
    first = TRAIN_START + EXPORT_EVERY
    times = np.arange(first, END, 0.125)
    busy = times < TRAIN_START + TRAIN_SECONDS
    latency = np.where(busy, rng.gamma(6, 8, len(times)), rng.gamma(20, 1.6, len(times))).tolist()
    served = [min(5, 1 + int((at - first) // EXPORT_EVERY)) for at in times]
    windows = []
    for index in range(0, len(times) - 40, 40):
        value = float(np.clip(_quality(served[index] * 2) - 0.03 + rng.normal(0, 0.03), 0, 1))
        windows.append(
            dict(version=served[index], start_s=times[index], end_s=times[index + 39], frames=40, map50=value)
        )
    ap50 = {name: 0.7 + 0.04 * index for index, name in enumerate(classes)}
    versions = [
        dict(
            version=v, frames=served.count(v), objects=3000, map=0.5, map50=_quality(v * 2) - 0.03, map75=0.5, ap50=ap50
        )
        for v in range(1, 6)
    ]
    swaps = [
        {"from": v, "to": v + 1, "at_s": first + EXPORT_EVERY * v, "gap_ms": 130 + 30.0 * v, "gap_periods": 1.2}
        for v in range(1, 5)
    ]
    infer = dict(
        frames_received="5660",
        frames_processed=str(len(times)),
        frames_unprocessed="1120",
        frames_without_model="1100",
        frames_lost_in_transport="3",
    )
    return dict(
        start_unix_s=START,
        frames=dict(truth=5680, outputs=len(times), scored=len(times), without_detections=12, duplicates=0),
        camera_period_ms=125.0, camera_hz=7.98, serving_version=5, first_model_s=first, recent_map50=0.86,
        versions=versions, windows=windows, swaps=swaps, latency_ms=percentiles(latency), max_gap_ms=402.0,
        max_gap_around_swaps_ms=250.0, max_gap_around_swaps_periods=2.0,
        outputs=dict(at_s=times.tolist(), latency_ms=latency, version=served),
        samples_directory=str(pictures), samples=_samples(pictures, rng, classes), parameters=dict(window=40),
        diagnostics={
            "/infer_node": dict(message="", stamp_s=0, values=infer | dict(frames_lost_in_swaps="0", refused="0")),
            "/sim_camera_node": dict(message="", stamp_s=0, values=dict(frames_published="5680")),
        },
    )  # fmt: skip


def _samples(directory: Path, rng: np.random.Generator, classes: Sequence[str]) -> list[dict[str, Any]]:
    directory.mkdir()
    samples = []
    for version in range(1, 6):
        for index in range(4):
            picture = (rng.uniform(60, 180, (1, 1, 3)) + rng.normal(0, 12, (240, 320, 3))).clip(0, 255).astype(np.uint8)
            truth, found = [], []
            for name in rng.choice(list(classes), 3, replace=False).tolist():
                (x, y), (w, h) = rng.integers((10, 4), (240, 170)).tolist(), rng.integers(30, 68, 2).tolist()
                colour = tuple(rng.integers(0, 255, 3).tolist())
                cv2.ellipse(picture, (x + w // 2, y + h // 2), (w // 2, h // 2), 0, 0, 360, colour, -1)
                truth.append(dict(box=[x, y, x + w, y + h], name=name, score=1.0))
                if rng.random() < version / 5.2:
                    box = (np.array([x, y, x + w, y + h]) + rng.normal(0, 8 / version, 4)).round(1).tolist()
                    found.append(dict(box=box, name=name, score=0.3 + version * 0.13))
            stamp = int((START + 142 + (version - 1) * EXPORT_EVERY + index * 20) * 1e9)
            cv2.imwrite(str(directory / f"{stamp}.jpg"), picture)
            row = dict(
                stamp=stamp, file=f"{stamp}.jpg", width=320, height=240, truth=truth, found=found, version=version
            )
            samples.append(row)
    return samples

"""``make bench-train``: our YOLO beside another trainer on the same data, in turns: images a second, or accuracy.

The other one is Ultralytics' ``yolo`` command from an environment that the user names: it is called as a program and
is neither installed nor imported by anything of ours. Both get the same dataset, the same input size, the same threads
and the same time; both are otherwise as they come.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import mean, median
from typing import Any

from rich.console import Console
from rich.table import Table

from perception_common import cli, durable
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import param
from perception_train.data.coco import CocoDataset

_FIX = "see the log"


@dataclass(frozen=True)
class PeersParams:
    """Parameters of the comparison."""

    dataset: str = param("", "training dataset, as `perception-train import` or `perception-sim generate` makes it")
    validation: str = param("", "validation dataset")
    output: str = param("runs/peers", "where runs, logs and results go; what is done there is not done again")
    yolo: str = param("", "the other's command, as in OTHER_ENVIRONMENT/bin/yolo (empty: only ours is run)")
    peer_model: str = param("yolo11n.yaml", "the other's model, trained from scratch")
    architecture: str = param("yolo_n", "our model")
    size: int = param(320, "side of the network's input in pixels, a multiple of 32", minimum=32)
    minutes: float = param(0.0, "time of each training for accuracy; 0 measures speed instead", minimum=0.0)
    seeds: int = param(3, "trainings of each for accuracy, or turns for speed", minimum=1)
    epochs: int = param(3, "epochs of the other in each turn for speed; ours has the time that they took", minimum=2)
    threads: int = param(0, "threads of each (0: all cores)", minimum=0)


def run(params: PeersParams) -> Result:
    """Both in turns, seed by seed, and their means."""
    for name in ("dataset", "validation"):
        if not getattr(params, name):
            raise UserError(f"no {name} is given", fix=f"--{name} DIR")
    train, validation = CocoDataset.open(Path(params.dataset)), CocoDataset.open(Path(params.validation))
    output = Path(params.output)
    output.mkdir(parents=True, exist_ok=True)
    data = _in_yolo_format(output / "yolo", train, validation)
    rows = []
    for seed in range(params.seeds):
        theirs = _theirs(params, data, output / f"theirs-{seed}", seed, len(train.samples)) if params.yolo else None
        ours = _ours(params, output / f"ours-{seed}", seed, 1.0 if theirs is None else theirs["minutes"])
        rows.append({"seed": seed, "ours": ours, "theirs": theirs})
        _show(rows)
    told = {"rows": rows, "summary": _summary(rows)}
    durable.write_text(output / "results.json", json.dumps(told, indent=2) + "\n")
    return told


def _ours(params: PeersParams, folder: Path, seed: int, minutes: float) -> dict[str, float]:
    told = folder / "told.json"
    if not told.exists():
        command = [sys.executable, "-m", "perception_train", "run", "--dataset", params.dataset]
        command += ["--validation", params.validation, "--architecture", params.architecture, "--model", "ours"]
        command += ["--width", str(params.size), "--height", str(params.size), "--seed", str(seed + 1)]
        command += ["--minutes", f"{params.minutes or minutes:.4f}", "--threads", str(params.threads)]
        command += ["--run-directory", str(folder / "run"), "--model-root", str(folder / "models"), "--exports", "1"]
        command += ["--validations", "4" if params.minutes else "1", "--json", str(told)]
        _call(command, folder, params.threads)
    summary = json.loads(told.read_text())
    return {
        "images_per_second": summary["train_images_per_second"],
        "map": summary["val_map"],
        "map50": summary["val_map50"],
        "minutes": summary["seconds"] / 60,
    }


def _theirs(params: PeersParams, data: Path, folder: Path, seed: int, images: int) -> dict[str, float]:
    table = folder / "train" / "results.csv"
    if not (folder / "done").exists():
        budget = f"time={params.minutes / 60:.5f}" if params.minutes else f"epochs={params.epochs}"
        command = [params.yolo, "detect", "train", f"model={params.peer_model}", f"data={data}", "pretrained=False"]
        command += [budget, f"imgsz={params.size}", "device=cpu", f"seed={seed}", f"project={folder.resolve()}"]
        command += ["name=train", "exist_ok=True", *([] if params.minutes else ["val=False"])]
        _call(command, folder, params.threads)
        (folder / "done").touch()
    with table.open(newline="") as file:
        rows = [{name.strip(): float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    # The first epoch also starts the workers.
    spent = [after["time"] - before["time"] for before, after in pairwise(rows)]
    best = max(rows, key=lambda row: row["metrics/mAP50-95(B)"])
    return {
        "images_per_second": images / median(spent),
        "map": best["metrics/mAP50-95(B)"],
        "map50": best["metrics/mAP50(B)"],
        "minutes": rows[-1]["time"] / 60,
    }


def _call(command: Sequence[str], folder: Path, threads: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    limit = {"OMP_NUM_THREADS": str(threads)} if threads else {}
    with (folder / "log.txt").open("w") as log:
        try:
            done = subprocess.run(command, stdout=log, stderr=log, env=os.environ | limit)
        except OSError as error:
            raise UserError(f"cannot run {command[0]}: {error.strerror}", fix="name the command's path") from error
    if done.returncode:
        raise UserError(f"{Path(command[0]).name} ended with status {done.returncode}", where=log.name, fix=_FIX)


def _in_yolo_format(root: Path, train: CocoDataset, validation: CocoDataset) -> Path:
    """Links to the images, with text files of relative centres and sizes beside; the path of their YAML."""
    for name, dataset in (("train", train), ("val", validation)):
        images, labels = root / "images" / name, root / "labels" / name
        images.mkdir(parents=True, exist_ok=True)
        labels.mkdir(parents=True, exist_ok=True)
        for sample in dataset.samples:
            link = images / sample.path.name
            if not link.exists():
                link.symlink_to(sample.path.resolve())
            size = (sample.width, sample.height)
            lines = []
            for (x1, y1, x2, y2), label in zip(sample.boxes.tolist(), sample.labels.tolist(), strict=True):
                box = ((x1 + x2) / 2 / size[0], (y1 + y2) / 2 / size[1], (x2 - x1) / size[0], (y2 - y1) / size[1])
                lines.append(" ".join(map(str, (label, *box))))
            (labels / f"{sample.path.stem}.txt").write_text("\n".join(lines) + "\n")
    names = json.dumps(list(train.classes))
    path = root / "data.yaml"
    path.write_text(f"path: {json.dumps(str(root.resolve()))}\ntrain: images/train\nval: images/val\nnames: {names}\n")
    return path


def _summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the rows, and ours as a ratio of theirs for the speed, as a difference for the accuracy."""
    both = {who: [row[who] for row in rows if row[who]] for who in ("ours", "theirs")}
    told: dict[str, Any] = {
        who: {name: mean(row[name] for row in found) for name in found[0]} for who, found in both.items() if found
    }
    if both["theirs"]:
        speeds = [row["ours"]["images_per_second"] / row["theirs"]["images_per_second"] for row in rows]
        told["speed_ratio"] = median(speeds)
        told["map_difference"] = told["ours"]["map"] - told["theirs"]["map"]
    return told


def _show(rows: list[dict[str, Any]]) -> None:
    table = Table(title="ours and theirs on the same data")
    for column in ("seed", "whose", "images/s", "mAP50-95", "mAP50", "minutes"):
        table.add_column(column)
    for row in rows:
        for who in ("ours", "theirs"):
            if found := row[who]:
                figures = (f"{found['images_per_second']:.1f}", f"{found['map']:.3f}", f"{found['map50']:.3f}")
                table.add_row(str(row["seed"]), who, *figures, f"{found['minutes']:.1f}")
    summary = _summary(rows)
    if "speed_ratio" in summary:
        table.caption = f"speed {summary['speed_ratio']:.2f}, mAP50-95 {summary['map_difference']:+.3f}"
    Console(stderr=True).print(table)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return cli.single("bench.peers", Command("peers", __doc__ or "", PeersParams, run), argv)


if __name__ == "__main__":
    sys.exit(main())

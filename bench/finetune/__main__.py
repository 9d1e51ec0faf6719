"""``python -m bench.finetune`` (``make bench-finetune``): synthetic and a few real pictures against the latter alone.

Trains a base model on a synthetic dataset (as ``bench.sim2real`` does), divides the photographs at random into a part
to train on and a part to score on, and runs ``perception-train finetune --compare`` for every split and seed: the
fine-tuning and a training on the real part alone have the same number of steps. The first split also gets the curve
over fewer photographs. Nothing is chosen on the scored part: no early end, and the last weights count.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perception_common import cli, durable
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import param
from perception_train.data.coco import CocoDataset
from perception_train.data.subset import nested, write_subset
from perception_train.finetuning.report import figures, plot_curve, spread

from ..figures import machine
from ..sim2real.run import Run, Sim2RealParams, WorldParams

MIXED, ALONE = "synthetic + real", "real only"
_LEAST_GAIN = 0.05
"""By how much mAP50 the first has to beat the second, on average over all splits and seeds."""


@dataclasses.dataclass(frozen=True)
class FinetuneBenchParams(WorldParams):
    """Parameters of the benchmark of fine-tuning."""

    output: str = param("runs/bench_finetune", "where datasets, models and results go")
    base_images: int = param(1600, "synthetic pictures of the base model", minimum=100)
    base_validation: int = param(200, "synthetic pictures to validate the base model on", minimum=10)
    base_steps: int = param(1500, "training steps of the base model", minimum=1)
    width: int = param(256, "width of the pictures and of the network's input in pixels", minimum=64)
    height: int = param(192, "height of the pictures and of the network's input in pixels", minimum=64)
    train: int = param(9, "photographs to train on; the others are scored on", minimum=1)
    splits: int = param(3, "random divisions of the photographs", minimum=1)
    seeds: int = param(3, "runs of each division", minimum=1)
    steps: int = param(200, "steps of each fine-tuning and of each training on real photographs alone", minimum=1)
    counts: tuple[int, ...] = param((0, 3, 6), "smaller numbers of photographs, of the first division's curve")
    jobs: int = param(2, "runs at the same time, of one thread each", minimum=1, maximum=64)


def run(params: FinetuneBenchParams) -> Result:
    """Everything; what is done already is not done again."""
    begin = time.monotonic()
    output = Path(params.output)
    base = _base(params, output / "base")
    photographs = CocoDataset.open(output / "base" / "photographs")
    if params.train >= len(photographs.samples):
        raise UserError(
            f"{params.train} photographs to train on leave none of {len(photographs.samples)} to score on",
            fix="lower train",
        )
    for split in range(params.splits):
        _divide(photographs, params, split, output)
    prepared = time.monotonic() - begin
    cells = [(split, seed) for seed in range(params.seed, params.seed + params.seeds) for split in range(params.splits)]
    rows: list[dict[str, Any]] = []
    with ThreadPoolExecutor(params.jobs) as pool:
        for found in pool.map(lambda cell: _cell(params, base, output, *cell), cells):
            rows += found
            _show(summary(params, rows))
    told = {
        "params": dataclasses.asdict(params),
        "machine": machine(),
        "base_minutes": round(prepared / 60.0, 2),
        "minutes": round((time.monotonic() - begin) / 60.0, 2),
        "summary": summary(params, rows),
        "rows": rows,
    }
    durable.write_text(output / "results.json", json.dumps(told, indent=2) + "\n")
    # The curve is one division's, so that its points differ in the number of photographs alone.
    plot_curve(output / "curve.png", [row for row in rows if row["split"] == 0])
    return told


def _base(params: FinetuneBenchParams, output: Path) -> Path:
    """The bundle of a model that was trained on the synthetic world alone."""
    p = params
    shared = {field.name: getattr(p, field.name) for field in dataclasses.fields(WorldParams)}
    size = {"width": p.width, "height": p.height}
    told = Sim2RealParams(**shared, **size, output=str(output), images=p.base_images, steps=p.base_steps)
    stages = Run(told)
    stages.write_world()
    validation = stages.generate("val", p.base_validation, 500_000)
    summary = stages.train(stages.generate("train", p.base_images, 0), validation, 0.0)
    if not stages.photographs():
        raise UserError("there are no photographs", where=p.photographs, fix="give a folder with --photographs")
    if not summary["versions"]:
        raise UserError("the base model finds nothing yet", where=output, fix="raise base_steps")
    return output / "models" / "detector" / str(summary["versions"][-1])


def _divide(photographs: CocoDataset, params: FinetuneBenchParams, split: int, output: Path) -> None:
    order = nested(photographs, params.seed + split).tolist()
    for part, indices in (("train", order[: params.train]), ("test", order[params.train :])):
        target = output / "splits" / str(split) / part
        if not target.is_dir():
            write_subset(photographs, indices, target)


def _cell(params: FinetuneBenchParams, base: Path, output: Path, split: int, seed: int) -> list[dict[str, Any]]:
    """All runs of a split and a seed, in a process of its own; what it says goes to a file beside its results."""
    data, folder = output / "splits" / str(split), output / "runs" / f"{split}_{seed}"
    counts = (*(params.counts if split == 0 else ()), params.train)
    flags = {
        "initial": base, "real": data / "train", "validation": data / "test",
        "synthetic": output / "base" / "data" / "train", "run-directory": folder, "model-root": folder / "models",
        "steps": params.steps, "minutes": 0, "validations": 1, "patience": 0, "threads": 1, "precision": "fp32",
        "seed": seed,
    }  # fmt: skip
    words = [word for name, value in flags.items() for word in (f"--{name}", str(value))]
    words += ["--compare", "--curve", *map(str, counts), "--json", str(folder / "told.json")]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "run.log").open("a") as log:
        done = subprocess.run(
            [sys.executable, "-m", "perception_train", "finetune", *words],
            stdout=log,
            stderr=log,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    if done.returncode:
        raise UserError(f"the runs of split {split}, seed {seed}, failed", where=folder / "run.log", fix="see its end")
    told = json.loads((folder / "told.json").read_text())
    if told["state"] != "done":
        raise UserError("the benchmark was stopped", fix="the same command goes on from there")
    return [{"split": split, **row} for row in told["rows"]]


def summary(params: FinetuneBenchParams, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Figures of each number of photographs and way, and the gain over real photographs alone, split by split."""
    kinds = figures(rows)
    table = []
    for count, how in sorted({(row["images"], row["how"]) for row in rows}):
        found = [row["scores"] for row in rows if (row["images"], row["how"]) == (count, how)]
        cells = {kind: [scores[kind] for scores in found] for kind in kinds}
        table.append({"images": count, "how": how, "runs": len(found), **cells})
    whole = {
        (row["split"], row["seed"], row["how"]): row["scores"][kinds[0]]
        for row in rows
        if row["images"] == params.train
    }
    gains = [value - whole[split, seed, ALONE] for (split, seed, how), value in whole.items() if how == MIXED]
    gain = statistics.mean(gains)
    return {
        "table": table,
        "figure": kinds[0],
        "gain": gain,
        "least_gain": min(gains),
        "wanted": _LEAST_GAIN,
        "met": gain >= _LEAST_GAIN,
    }


def _show(told: dict[str, Any]) -> None:
    table = Table(title=f"scored on photographs not trained on; gain {told['gain']:+.3f} (wanted {_LEAST_GAIN:g})")
    kinds = [name for name, value in told["table"][0].items() if isinstance(value, list)]
    for column in ("real photographs", "how", "runs", *kinds):
        table.add_column(column)
    for row in told["table"]:
        table.add_row(str(row["images"]), row["how"], str(row["runs"]), *(spread(row[kind]) for kind in kinds))
    Console(stderr=True).print(table)


if __name__ == "__main__":
    command = Command("run", (__doc__ or "").splitlines()[0], FinetuneBenchParams, run)
    sys.exit(cli.single("bench.finetune", command))

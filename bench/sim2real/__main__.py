"""``python -m bench.sim2real`` (``make bench-sim2real``): from no data to a score on real photographs.

Makes a synthetic dataset, trains the default detector on it and on nothing else, and scores it on photographs:
zero shot, and after batch-norm adaptation on photographs whose labels it does not see. Every stage is the suite's own
command, run as its users run it. ``ablation`` does so for worlds that lack one of their means.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perception_common import cli, durable
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import param

from . import variants
from .run import Run, Sim2RealParams, show


@dataclasses.dataclass(frozen=True)
class AblationParams(Sim2RealParams):
    """Parameters of the ablation: every variant trains for as many steps on as many pictures."""

    images: int = param(1600, "synthetic pictures to train on", minimum=100)
    steps: int = param(1500, "training steps; with the pictures, about 10 minutes on one core", minimum=1)
    width: int = param(256, "width of the pictures and of the network's input in pixels", minimum=64)
    height: int = param(192, "height of the pictures and of the network's input in pixels", minimum=64)
    output: str = param("runs/ablation", "where datasets, models and results go")
    threads: int = param(1, "workers of the generator and threads of the trainer, of each run", minimum=1, maximum=64)
    jobs: int = param(2, "runs at the same time", minimum=1, maximum=64)
    seeds: int = param(3, "runs of each variant", minimum=1, maximum=100)
    variants: tuple[str, ...] = param(variants.NAMES, "worlds to compare", choices=variants.NAMES)


def run(params: Sim2RealParams) -> Result:
    """Make, train, score, adapt, score again."""
    result = Run(params).results()
    show([result])
    return result


def ablation(params: AblationParams) -> Result:
    """The benchmark for every variant and seed; what is done already is not done again."""
    todo = [(seed, variant) for seed in range(params.seed, params.seed + params.seeds) for variant in params.variants]
    results = []
    with ThreadPoolExecutor(params.jobs) as pool:
        for result in pool.map(lambda one: _apart(params, *one), todo):
            results.append(result)
            show_summary(summary(results))
    told = {"runs": results, "summary": summary(results)}
    durable.write_text(Path(params.output) / "summary.json", json.dumps(told, indent=2) + "\n")
    return told


def _apart(params: AblationParams, seed: int, variant: str) -> dict[str, Any]:
    """One run in a process of its own; what it says goes to a file beside its results."""
    told = {field.name: getattr(params, field.name) for field in dataclasses.fields(Sim2RealParams)}
    told |= {"variant": variant, "seed": seed, "output": f"{params.output}/{variant}/{seed}"}
    output = Path(told["output"])
    output.mkdir(parents=True, exist_ok=True)
    flags = [part for name, value in told.items() for part in ("--" + name.replace("_", "-"), str(value))]
    with (output / "run.log").open("w") as log:
        done = subprocess.run([sys.executable, "-m", "bench.sim2real", "run", *flags], stdout=log, stderr=log)
    if done.returncode:
        raise UserError(f"the run of '{variant}', seed {seed}, failed", where=output / "run.log", fix="see its end")
    result: dict[str, Any] = json.loads((output / "results.json").read_text())
    return result


def summary(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean and spread of the scores of each variant on the photographs that the world was not tuned on."""
    rows = []
    for variant in dict.fromkeys(result["params"]["variant"] for result in results):
        runs = [result for result in results if result["params"]["variant"] == variant]
        row: dict[str, Any] = {"variant": variant, "runs": len(runs)}
        for how in dict.fromkeys(score["how"] for result in runs for score in result["scores"]):
            scores = [s for result in runs for s in result["scores"] if s["how"] == how and s["part"] == "test"]
            row[how] = {metric: _spread([score[metric] for score in scores]) for metric in ("map50", "map")}
        rows.append(row)
    return rows


def _spread(values: list[float]) -> dict[str, float]:
    return {"mean": statistics.mean(values), "least": min(values), "greatest": max(values)}


def show_summary(rows: list[dict[str, Any]]) -> None:
    """A table of means, with the least and the greatest value of several runs, on the terminal."""
    table = Table(title="ablation: mean (least to greatest) on photographs not looked at")
    for column in ("variant", "runs", "how", "mAP50", "mAP50-95"):
        table.add_column(column)
    for row in rows:
        for how in (key for key in row if key not in ("variant", "runs")):
            cells = [f"{v['mean']:.3f} ({v['least']:.3f} to {v['greatest']:.3f})" for v in row[how].values()]
            table.add_row(row["variant"], str(row["runs"]), how, *cells)
    Console(stderr=True).print(table)


COMMANDS = (
    Command("run", "Train on a synthetic world and score on photographs.", Sim2RealParams, run),
    Command("ablation", "The same for worlds that lack one of their means.", AblationParams, ablation),
)

if __name__ == "__main__":
    sys.exit(cli.main("bench.sim2real", "From synthetic pictures to real photographs.", COMMANDS))

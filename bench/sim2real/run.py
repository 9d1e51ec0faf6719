"""One run of the benchmark: generate, train, score on photographs, adapt without labels, score again."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from perception_common import durable
from perception_common.errors import UserError
from perception_common.params import param
from perception_sim.presets import load_preset

from ..figures import machine
from . import photographs, variants

_HERE = Path(__file__).parent
_ZERO_SHOT, _ADAPTED = "zero shot", "adapted without labels"
_AFTERWARDS_MIN = 0.7
"""Kept for scoring and adapting, in minutes."""


@dataclasses.dataclass(frozen=True)
class WorldParams:
    """What a benchmark on photographs is made of."""

    world: str = param("nuts", "preset: a file of bench/sim2real (nuts, cones_and_balls), a preset's name, or a path")
    backgrounds: str = param(
        "../shared/data/cards/images", "folder of photographs for floors and backdrops; none if it does not exist"
    )
    photographs: str = param(
        "../shared/data/nuts", "labelled photographs to score on, in any format of `perception-train import`"
    )
    architecture: str = param("yolo_n", "network architecture")
    seed: int = param(1, "first seed, of the world and of training", minimum=0)


@dataclasses.dataclass(frozen=True)
class Sim2RealParams(WorldParams):
    """Parameters of the sim-to-real benchmark, which also runs where there are no photographs."""

    output: str = param("runs/sim2real", "where datasets, models and results go")
    minutes: float = param(
        55.0, "time for everything, generation included; not used when steps are given", minimum=1.0, maximum=600.0
    )
    steps: int = param(0, "training steps, whatever time they take (0: as many as there is time for)", minimum=0)
    images: int = param(10_000, "synthetic pictures to train on", minimum=100)
    width: int = param(320, "width of the pictures and of the network's input in pixels", minimum=64)
    height: int = param(256, "height of the pictures and of the network's input in pixels", minimum=64)
    threads: int = param(0, "workers of the generator and threads of the trainer; 0: all cores", minimum=0, maximum=64)
    variant: str = param("full", "what the world lacks (for the ablation)", choices=variants.NAMES)


class Run:
    """The stages of one run, each a command of the suite; what is done already is not done again."""

    def __init__(self, params: Sim2RealParams) -> None:
        self.params, self.output = params, Path(params.output)
        self._world = self.output / "world.yaml"
        self._models = str(self.output / "models")

    def results(self) -> dict[str, Any]:
        """Scores of all stages, written to results.json.

        Raises:
            UserError: a stage failed for a reason that its own message tells.

        """
        done = self.output / "results.json"
        told = dataclasses.asdict(self.params)
        if done.is_file():
            found: dict[str, Any] = json.loads(done.read_text())
            if found["params"] == told:
                return found
            raise UserError("the directory holds a run with other parameters", where=self.output, fix="remove it")
        start = time.monotonic()
        self.write_world()
        train, validation = self.generate("train", self.params.images, 0), self.generate("val", 300, 500_000)
        generated = time.monotonic() - start
        minutes = 0.0 if self.params.steps else self.params.minutes - generated / 60.0 - _AFTERWARDS_MIN
        if minutes <= 0.0 and not self.params.steps:
            raise UserError("making the pictures took all the time", fix="fewer images, or more minutes")
        summary = self.train(train, validation, minutes)
        parts = self.photographs()
        scores = [self._score(_ZERO_SHOT, part, path, summary["versions"][-1]) for part, path in parts.items()]
        if parts:
            scores += self._adapted(parts, summary["versions"][-1])
        result = {
            "params": told,
            "machine": machine(),
            "minutes": round((time.monotonic() - start) / 60.0, 2),
            "generation_minutes": round(generated / 60.0, 2),
            "images_per_second_trained": summary.get("train_images_per_second"),
            "steps": summary.get("steps"),
            "synthetic_map50": summary.get("val_map50"),
            "scores": scores,
        }
        durable.write_text(done, json.dumps(result, indent=2) + "\n")
        return result

    def write_world(self) -> None:
        """The preset with the folder of photographs, without what the variant lacks."""
        own = _HERE / f"{self.params.world}.yaml"
        world = load_preset(str(own) if own.is_file() else self.params.world).as_dict()
        folder = Path(self.params.backgrounds)
        if self.params.backgrounds and folder.is_dir():
            world["background"]["images"] = [str(folder.resolve())]
        del world["name"]
        self.output.mkdir(parents=True, exist_ok=True)
        durable.write_text(self._world, yaml.safe_dump(variants.apply(self.params.variant, world), sort_keys=False))

    def generate(self, name: str, images: int, seed: int) -> Path:
        target = self.output / "data" / name
        size = ("--width", self.params.width, "--height", self.params.height)
        seed += self.params.seed
        _call("perception_sim", "generate", "--preset", self._world, "--output", target, "--images", images, *size,
              "--seed", seed, "--workers", self.params.threads, "--no-masks")  # fmt: skip
        return target

    def train(self, train: Path, validation: Path, minutes: float) -> dict[str, Any]:
        p = self.params
        return _call(
            "perception_train", "run", "--dataset", train, "--validation", validation, "--run-directory",
            self.output / "run", "--model-root", self._models, "--minutes", minutes, "--steps", p.steps,
            "--width", p.width, "--height", p.height, "--architecture", p.architecture, "--seed", p.seed,
            "--threads", p.threads, "--exports", 1, "--validations", 4,
        )  # fmt: skip

    def photographs(self) -> dict[str, Path]:
        if not self.params.photographs or not Path(self.params.photographs).is_dir():
            return {}
        target = self.output / "photographs"
        classes = load_preset(str(self._world)).content.classes
        if not target.exists():
            _call("perception_train", "import", "--source", self.params.photographs, "--output", target,
                  "--val-share", 0, "--classes", *classes, "--no-masks")  # fmt: skip
        return photographs.divide(target, self.output)

    def _score(self, how: str, part: str, dataset: Path, version: int) -> dict[str, Any]:
        told = _call("perception_train", "evaluate", "--dataset", dataset, "--model-root", self._models,
                     "--version", version)  # fmt: skip
        return {"how": how, "part": part, **told}

    def _adapted(self, parts: dict[str, Path], version: int) -> list[dict[str, Any]]:
        """Scores after adaptation on the pictures of the part that is not scored on, where there is one."""
        pictures = parts.get("tune", parts["test"])
        told = _call("perception_train", "adapt", "--model-root", self._models, "--version", version,
                     "--images", pictures / "images")  # fmt: skip
        return [self._score(_ADAPTED, part, path, told["version"]) for part, path in parts.items()]


def show(results: Sequence[dict[str, Any]]) -> None:
    """A table of all scores on the terminal."""
    table = Table(title="sim to real")
    for column in ("world", "variant", "seed", "how", "photographs", "images", "mAP50", "mAP50-95", "AP50 by class"):
        table.add_column(column)
    for result in results:
        p = result["params"]
        for score in result["scores"]:
            by_class = ", ".join(f"{name} {value:.2f}" for name, value in score["ap50"].items())
            table.add_row(
                p["world"], p["variant"], str(p["seed"]), score["how"], score["part"], str(score["images"]),
                f"{score['map50']:.3f}", f"{score['map']:.3f}", by_class,
            )  # fmt: skip
    Console(stderr=True).print(table)


def _call(module: str, *arguments: object) -> dict[str, Any]:
    """Run a command of the suite, its progress on this terminal, and return what it writes as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments), "--json", "-"]
    done = subprocess.run(command, stdout=subprocess.PIPE)
    if done.returncode:
        raise UserError(f"`{module} {arguments[0]}` failed with status {done.returncode} (its message is above)")
    told: dict[str, Any] = json.loads(done.stdout)
    return told

"""Kill -9 a training run at random moments, saving included, and see what each death costs.

Every run is a process of its own that trains the same little network in the same directory, and is killed after a
random time. After each death every checkpoint and bundle on disk is opened, and the next run goes on from there.
"""

from __future__ import annotations

import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_infer.models import ModelRepository
from perception_train.training import checkpoint
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer


@dataclass
class Deaths:
    """What killing has shown: how often, how many during a save, steps lost at most, and the last checkpoint's step."""

    kills: int = 0
    while_saving: int = 0
    most_steps_lost: int = 0
    step: int = 0
    versions: int = 0


def kill_again_and_again(told: Mapping[str, Any], kills: int, seed: int, longest_s: float = 2.5) -> Deaths:
    """Train with parameters ``told`` and kill the run so often.

    Raises:
        AssertionError: a checkpoint or bundle does not open, or a run went on from an earlier step than it had to.
    """
    rng, deaths = random.Random(seed), Deaths()
    # The server has torch in memory, and what every optimizer imports: a run starts in the time of a fork. It never
    # computes itself.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([Trainer.__module__, "torch._dynamo"])
    run, models = Path(told["run_directory"]), Path(told["model_root"])
    while deaths.kills < kills:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_train, args=(dict(told), theirs))
        process.start()
        theirs.close()
        # The time runs from the first event, so that it falls into training and not into imports.
        events = [ours.recv()]
        time.sleep(rng.uniform(0.0, longest_s))
        process.kill()
        process.join()
        events += _rest(ours)
        _account(deaths, events, run, models, str(told["model"]))
    return deaths


def _train(told: dict[str, Any], events: Connection) -> None:
    params = TrainParams(**told)
    real = checkpoint.save

    def save(*arguments: Any) -> None:
        # Around the real one, so that the parent knows which deaths fell into it.
        events.send({"event": "saving"})
        real(*arguments)

    checkpoint.save = save
    try:
        Trainer(params, events.send).fit()
    except UserError as error:
        events.send({"event": "error", "message": str(error)})


def _rest(events: Connection) -> list[dict[str, Any]]:
    """What a dead process had still said, up to the message that its death cut short."""
    found: list[dict[str, Any]] = []
    while True:
        try:
            found.append(events.recv())
        except (EOFError, OSError):
            return found


def _account(deaths: Deaths, events: list[dict[str, Any]], run: Path, models: Path, model: str) -> None:
    for event in events:
        assert event["event"] not in ("error", "done"), event
    state = checkpoint.load(run)
    begun = [event["step"] for event in events if event["event"] == "start"]
    kept = [event["step"] for event in events if event["event"] == "checkpoint"]
    if state is None:
        assert not kept, "a checkpoint was announced and is gone"
    else:
        assert state["step"] >= max(kept, default=0), "an announced checkpoint was lost"
        assert all(step == deaths.step for step in begun), "the run did not go on from its last checkpoint"
        reached = max([*(event["step"] for event in events if event["event"] == "step"), state["step"]])
        deaths.most_steps_lost = max(deaths.most_steps_lost, reached - state["step"])
        deaths.step = state["step"]
    repository = ModelRepository(models)
    versions = repository.versions(model) if (models / model).exists() else []
    for version in versions:
        repository.open(model, version)
    deaths.versions = len(versions)
    deaths.kills += 1
    deaths.while_saving += events[-1]["event"] == "saving"


def measure(kills: int, seed: int) -> dict[str, Any]:
    """`kill_again_and_again` on small noise pictures, for the command line."""
    from .noise import noise_dataset

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "data").mkdir()
        data = str(noise_dataset(root / "data", 2).root)
        told = dict(
            dataset=(data,), validation=data, run_directory=str(root / "run"), model_root=str(root / "models"),
            model="killed", width=96, height=64, batch=4, minutes=0.0, steps=100_000, exports=1, validations=1,
            precision="fp32", threads=1, checkpoint_seconds=1.0, report=False, tensorboard=False,
        )  # fmt: skip
        return asdict(kill_again_and_again(told, kills, seed))


if __name__ == "__main__":
    print(json.dumps(measure(50, 1)))

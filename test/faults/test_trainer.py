"""Faults of training: full disks, deaths, wrong numbers, broken data. What was kept can be gone on from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from matrix import Fault, zero
from shapes import make_dataset
from training_runs import TRAINER, command, quick, unreadable, words
from waiting import until

from bench.kills import kill_again_and_again
from perception_train.training import checkpoint, optimize
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer

PATIENCE = 90.0


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_dataset(folder / "train", 24, seed=1)
    make_dataset(folder / "val", 6, seed=2)
    return folder


def meanwhile(condition: Callable[[], Any], process: subprocess.Popen[str]) -> None:
    """Wait for what a run does, and no longer than it runs."""

    def happened() -> bool:
        found = bool(condition())
        assert found or process.poll() is None, "the run has ended"
        return found

    until(happened, patience=PATIENCE, pause=0.02)


def lines(told: str) -> list[str]:
    """What a command said at its end."""
    return [line for line in told.splitlines() if line.startswith("perception-train:")]


#: The weakness: a save that writes over what was there, piece by piece.
IN_PLACE = """
import sys, time
from pathlib import Path
path = Path(sys.argv[1])
data = path.read_bytes()
with path.open("wb", buffering=0) as file:
    for at in range(0, len(data), 4096):
        file.write(data[at : at + 4096])
        time.sleep(0.001)
"""

FULL = """
import json, subprocess, sys
from pathlib import Path
disk, given = Path(sys.argv[1]), json.loads(sys.argv[2])
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=70m", "none", str(disk)], check=True)
done = subprocess.run(given, capture_output=True, text=True)
from perception_common.errors import UserError
from perception_train.training import checkpoint
try:
    state = checkpoint.load(disk / "run")
    step, broken = -1 if state is None else state["step"], 0
except UserError:
    step, broken = -1, 1
left = [str(path) for path in disk.rglob(".partial-*")]
# The weakness: what was there is written over.
path = disk / "run" / checkpoint.LAST
size = path.stat().st_size
try:
    with path.open("wb") as file:
        file.write(b"0" * size * 3)
except OSError:
    pass
try:
    checkpoint.load(disk / "run")
    planted = 0
except UserError:
    planted = 1
seen = dict(status=done.returncode, said=done.stderr[-2000:], step=step, broken=broken, left=left, planted=planted)
print(json.dumps(seen))
"""


@pytest.mark.long
@pytest.mark.fault(
    TRAINER,
    "the disk is full",
    "run directory and models on a tmpfs of 70 MB, which holds one checkpoint and not its successor",
    "one line that says so, status 2; the checkpoint before opens, nothing half-written is left",
)
def test_a_full_disk(fault: Fault, data: Path, tmp_path: Path) -> None:
    own = ["unshare", "--user", "--map-root-user", "--mount"]
    if shutil.which("unshare") is None or subprocess.run([*own, "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a small disk of their own")
    disk = tmp_path / "disk"
    disk.mkdir()
    told = quick(data, disk, steps=100_000, checkpoint_seconds=1.0)
    given = json.dumps(command(told))
    done = subprocess.run([*own, sys.executable, "-c", FULL, str(disk), given], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["status"] == 2 and len(lines(seen["said"])) == 1 and "No space left" in seen["said"], seen
    assert seen["step"] > 0 and not seen["left"], seen
    fault.observe("checkpoints that do not open", seen["broken"], zero)
    fault.plant("written over in place", seen["planted"])


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.fault(
    TRAINER, "SIGKILL, 200 times", "at random moments of training, saving included", "every checkpoint and bundle opens"
)
def test_killed_many_times(fault: Fault, data: Path, tmp_path: Path) -> None:
    told = quick(data, tmp_path, steps=100_000, validations=1, checkpoint_seconds=1.0)
    # It opens every checkpoint and bundle after each death, and fails at the first that does not open.
    deaths = kill_again_and_again(told, kills=200, seed=7)
    assert deaths.step > 0
    run = tmp_path / "run"
    fault.observe(f"unreadable after {deaths.kills} deaths", unreadable(run), zero)
    size = (run / checkpoint.LAST).stat().st_size
    writer = subprocess.Popen([sys.executable, "-c", IN_PLACE, str(run / checkpoint.LAST)], text=True)
    meanwhile(lambda: 0 < (run / checkpoint.LAST).stat().st_size < size, writer)
    writer.kill()
    writer.wait()
    fault.plant("killed while it writes over the old one", unreadable(run))


@pytest.mark.long
@pytest.mark.fault(
    TRAINER,
    "SIGTERM in the middle of an epoch",
    "to `perception-train run`, after its first steps",
    "it ends with status 0 and loses no step",
)
def test_told_to_end(fault: Fault, data: Path, tmp_path: Path) -> None:
    def lost(number: int, folder: Path) -> int:
        told = quick(data, folder, steps=100_000, checkpoint_seconds=600.0)
        process = subprocess.Popen(command(told), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        table = folder / "run" / "train.csv"
        meanwhile(lambda: table.exists() and table.read_text().count("\n") > 12, process)
        process.send_signal(number)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == (0 if number == signal.SIGTERM else -number)
        state = checkpoint.load(folder / "run")
        reached = int(table.read_text().splitlines()[-1].split(",")[0])
        return reached - (0 if state is None else int(state["step"]))

    fault.observe("steps lost", lost(signal.SIGTERM, tmp_path / "asked"), lambda steps: steps <= 0)
    fault.plant("SIGKILL in its place", lost(signal.SIGKILL, tmp_path / "killed"))


@pytest.mark.long
@pytest.mark.fault(
    TRAINER,
    "a loss that is no number",
    "the loss of one step made infinite",
    "back to the last good state at a lower rate, and to the end; no weight is NaN or infinite",
)
def test_a_loss_that_is_no_number(fault: Fault, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, real = [0], optimize.compute_losses

    def losses(*arguments: Any) -> dict[str, torch.Tensor]:
        calls[0] += 1
        found = real(*arguments)
        return {name: value * float("inf") for name, value in found.items()} if calls[0] == 16 else found

    def broken(model: dict[str, torch.Tensor]) -> int:
        return sum(not bool(torch.isfinite(value).all()) for value in model.values())

    monkeypatch.setattr(optimize, "compute_losses", losses)
    events: list[dict[str, Any]] = []
    summary = Trainer(TrainParams(**quick(data, tmp_path, steps=24)), events.append).fit()
    assert summary["state"] == "done" and [event["event"] for event in events].count("recovered") == 1
    state = checkpoint.load(tmp_path / "run")
    assert state is not None
    fault.observe("tensors that are not finite", broken(state["model"]), zero)
    # The weakness: the step is made all the same.
    weights = torch.nn.Linear(2, 2)
    (weights(torch.ones(1, 2)).sum() * float("inf")).backward()
    torch.optim.AdamW(weights.parameters()).step()
    fault.plant("the step made all the same", broken(weights.state_dict()))


@pytest.mark.fault(
    TRAINER,
    "broken datasets",
    "a truncated and an empty picture, a class out of range, a box of NaN, half a JSON file, no annotation at all",
    "one line each, and no traceback",
)
def test_broken_datasets(fault: Fault, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from perception_train.cli import main

    def picture(train: Path, data: bytes) -> None:
        for path in (train / "images").iterdir():
            path.write_bytes(data)

    def annotation(train: Path, **changes: Any) -> None:
        told = json.loads((train / "annotations.json").read_text())
        told["annotations"][0] |= changes
        (train / "annotations.json").write_text(json.dumps(told))

    def half(train: Path) -> None:
        path = train / "annotations.json"
        path.write_bytes(path.read_bytes()[:200])

    encoded = cv2.imencode(".png", np.zeros((64, 96, 3), np.uint8))[1].tobytes()
    breaks: list[Callable[[Path], None]] = [
        lambda train: picture(train, encoded[: len(encoded) // 2]),
        lambda train: picture(train, b""),
        lambda train: annotation(train, category_id=77),
        lambda train: annotation(train, bbox=[float("nan")] * 4),
        half,
        lambda train: (train / "annotations.json").unlink(),
    ]
    tracebacks, said = 0, []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number, damage in enumerate(breaks):
        folder = tmp_path / str(number)
        make_dataset(folder / "train", 8, seed=1)
        make_dataset(folder / "val", 4, seed=2)
        damage(folder / "train")
        capfd.readouterr()
        status = main(["run", *words(quick(folder, folder, steps=4))])
        told = "".join(capfd.readouterr())
        said.append((status, lines(told)))
        tracebacks += "Traceback" in told
    for number, handler in before.items():
        signal.signal(number, handler)
    assert all(status == 2 and len(told) == 1 for status, told in said if status), said
    # A box that is no box is left out and counted; everything else stops the run.
    assert [status for status, _ in said].count(0) <= 1, said
    fault.observe(f"tracebacks of {len(breaks)}", tracebacks, zero)
    done = subprocess.run([sys.executable, "-c", "open('/nonexistent')"], capture_output=True, text=True)
    fault.plant("the system's error let through", int("Traceback" in done.stderr))


MEMORY = """
import json, resource, sys
from perception_train.training.loop import Trainer
from perception_train.cli import main
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1500 << 20),) * 2)
if sys.argv[1] == "weakness":
    import torch
    torch.ones(1 << 33)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.fault(
    TRAINER,
    "a picture is damaged while training runs",
    "every picture cut short once steps are made, nothing cached",
    "one line that names the picture, status 2; the checkpoint before opens",
)
def test_a_dataset_that_changes(fault: Fault, tmp_path: Path) -> None:
    make_dataset(tmp_path / "train", 24, seed=1)
    make_dataset(tmp_path / "val", 6, seed=2)
    told = quick(tmp_path, tmp_path, steps=100_000, cache_mb=0, checkpoint_seconds=1.0)
    process = subprocess.Popen(command(told), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    meanwhile((tmp_path / "run" / checkpoint.LAST).exists, process)
    for path in (tmp_path / "train" / "images").iterdir():
        path.write_bytes(path.read_bytes()[:60])
    said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 2 and len(lines(said)) == 1 and "Traceback" not in said, said
    assert "/images/" in lines(said)[0]
    run = tmp_path / "run"
    fault.observe("checkpoints that do not open", unreadable(run), zero)
    os.truncate(run / checkpoint.LAST, 1000)
    fault.plant("cut short itself", unreadable(run))


@pytest.mark.long
@pytest.mark.fault(
    TRAINER,
    "out of memory",
    "1.5 GB of address space for batches of 1,024",
    "smaller batches, and where they do not help either one line with what to do; no traceback",
)
def test_out_of_memory(fault: Fault, data: Path, tmp_path: Path) -> None:
    def tracebacks(*given: str) -> int:
        run = [sys.executable, "-c", MEMORY, *given]
        done = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE)
        if "Traceback" not in done.stderr:
            assert done.returncode == 0 or "out of memory" in lines(done.stderr)[0], done.stderr
        return int("Traceback" in done.stderr)

    told = quick(data, tmp_path, steps=2, batch=1024, validations=1)
    fault.observe("tracebacks", tracebacks("run", *words(told)), zero)
    fault.plant("torch's error let through", tracebacks("weakness"))

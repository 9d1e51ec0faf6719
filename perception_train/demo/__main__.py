"""``python -m perception_train.demo``: see `settings.DemoParams` for the flags."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from perception_common import cli, durable
from perception_common.errors import UserError

from . import summary, wiring
from .display import Display
from .processes import ProcessDied, Processes, ros_environment
from .report import write_report
from .run import STAGES, Demo, DemoFailed
from .settings import DemoParams

PROGRAM = "perception-demo"
_MARKER = ".perception_demo"
# What a run writes; datasets are kept for the next run, which completes or reuses them.
_RESULTS = (
    "logs",
    wiring.MODELS,
    wiring.KEYS,
    wiring.STATE,
    wiring.RUN,
    wiring.LIVE,
    "live.samples",
    "bare_session.json",
    "summary.json",
    "report.html",
)


def run(params: DemoParams) -> dict[str, Any]:
    """Run the demo; the summary.

    Raises:
        UserError: the output directory cannot be used.
        SystemExit: the run failed or a limit does not hold; it was told already.
    """
    output = Path(params.output).resolve()
    settings = params.settings()
    with _locked(output):
        _set_aside(output)
        try:
            with Display(STAGES) as display, Processes(output / "logs", ros_environment(os.environ)) as processes:
                demo = Demo(settings, output, display, processes)
                result = demo.run()
                write_report(output, result, demo.files)
        except ProcessDied as error:
            _fail(str(error), error.tail)
        except DemoFailed as error:
            _fail(str(error))
    _tell(output, result)
    problems = summary.failed(result)
    if problems:
        _fail("the demo ran through, but " + "; ".join(problems))
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line; exit status 0 only when the whole loop worked and every limit holds."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # SIGINT also where a shell started us in the background and had it ignored; SIGHUP not under nohup.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    command = cli.Command("demo", "run the whole loop, live, and report", DemoParams, run)
    return cli.single(PROGRAM, command, argv)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(line: str, details: Sequence[str] = ()) -> NoReturn:
    print(f"{PROGRAM}: {line}", file=sys.stderr)
    for detail in details:
        print(f"    {detail}", file=sys.stderr)
    sys.exit(1)


def _tell(output: Path, result: dict[str, Any]) -> None:
    val, live = _figure(result["val_map50"]), _figure(result["live_map50"])
    swaps, lost = result["swaps"], result["frames_lost_in_swaps"]
    print(
        f"val mAP50 {val}, live mAP50 {live} over {result['live_frames_scored']} frames, {swaps} swaps, "
        f"{lost} frames lost in swaps, {result['wall_seconds']['total'] / 60:.1f} minutes"
    )
    print(f"summary: {output / 'summary.json'}\nreport:  {output / 'report.html'}")


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Keep a second demo out of the same directory; refuse one that holds something else."""
    if output.is_dir() and any(output.iterdir()) and not (output / _MARKER).exists():
        raise UserError(
            "the directory holds something else", where=output, fix="choose a new or an empty one with --output"
        )
    durable.ensure_writable(output)
    with (output / _MARKER).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                "another demo runs in this directory", where=output, fix="wait for it, or choose another --output"
            ) from None
        yield


def _set_aside(output: Path) -> None:
    """Move what an earlier run left to previous/, replacing what was there."""
    left = [output / name for name in _RESULTS if (output / name).exists()]
    if left:
        previous = output / "previous"
        shutil.rmtree(previous, ignore_errors=True)
        previous.mkdir()
        for path in left:
            path.rename(previous / path.name)


if __name__ == "__main__":
    sys.exit(main())

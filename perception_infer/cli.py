"""The command `perception-infer`."""

from __future__ import annotations

from collections.abc import Sequence

from perception_common.cli import Command
from perception_common.cli import main as run_commands

from .commands.bench import BenchParams, bench
from .commands.build_engine import BuildEngineParams, build_engine
from .commands.doctor import DoctorParams, doctor
from .commands.history import HistoryParams, history
from .commands.replay import replay_command
from .commands.run import RunParams, run
from .commands.verify import VerifyParams, verify
from .replay.params import ReplayParams

COMMANDS = (
    Command("run", "answer pictures with a model bundle; JSON and pictures with what was found", RunParams, run),
    Command("replay", "score a recording like a test suite; or compare models on it", ReplayParams, replay_command),
    Command("verify", "check bundles as a robot would: hashes, schema, tensors, parity", VerifyParams, verify),
    Command("build-engine", "build TensorRT's engines of bundles ahead of time", BuildEngineParams, build_engine),
    Command("history", "tell what this robot served, when and why, and what it refused", HistoryParams, history),
    Command("bench", "measure session, predictor and node, with a camera over DDS", BenchParams, bench),
    Command("doctor", "look whether this machine has what inference needs", DoctorParams, doctor),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    return run_commands("perception-infer", "Run and check model bundles on the robot's side.", COMMANDS, argv)

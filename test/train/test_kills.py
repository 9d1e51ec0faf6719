"""kill -9 at random moments of training, saving included."""

from __future__ import annotations

from pathlib import Path

from shapes import small_run

from bench.kills import kill_again_and_again


def test_a_run_killed_again_and_again_loses_little_and_breaks_nothing(shapes: Path, tmp_path: Path) -> None:
    told = small_run(shapes, tmp_path, steps=100_000, validations=1, checkpoint_seconds=1.0, report=False)
    deaths = kill_again_and_again(told, kills=8, seed=4)
    assert deaths.kills == 8
    # Something was kept in between: runs that never got to a checkpoint would prove nothing.
    assert deaths.step > 0

"""What is made of the figures of two nodes that are measured in turns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench.beside import FLOODED, SATURATED, outside, saturating_rate, summary
from perception_common.errors import UserError

OURS = {"saturated_hz": 38.0, "p50_ms": 10.0, "p99_ms": 12.0, "memory_mib": 200.0}
THEIRS = {"saturated_hz": 20.0, "p50_ms": 25.0, "p99_ms": 40.0, "memory_mib": 800.0}


def serving(limit: float, collapse: float = 0.0) -> Callable[[float], float]:
    """A node that answers so many frames a second at most, and fewer the more it is flooded."""
    return lambda rate: min(rate, max(0.0, limit - collapse * max(0.0, rate - limit)))


@pytest.mark.parametrize("first", [1.0, 20.0, 400.0])
@pytest.mark.parametrize("limit", [3.0, 40.0, 100.0])
def test_a_camera_is_found_that_saturates_and_does_not_flood(first: float, limit: float) -> None:
    answered = serving(limit)
    rate = saturating_rate(answered, first)
    assert FLOODED * rate <= answered(rate) <= SATURATED * rate
    assert answered(rate) == limit


def test_a_flood_that_hurts_is_backed_out_of() -> None:
    answered = serving(40.0, collapse=0.5)
    assert answered(saturating_rate(answered, 100.0)) > 30.0


def test_a_node_that_cannot_be_saturated_or_answers_nothing_is_told() -> None:
    with pytest.raises(UserError, match="could not be saturated"):
        saturating_rate(lambda rate: rate, 1.0)
    with pytest.raises(UserError, match=r"no result came at 20\.0 Hz"):
        saturating_rate(lambda rate: 0.0, 20.0)


def test_ratios_are_medians_over_turns_not_of_medians() -> None:
    turns = [
        {"ours": OURS, "theirs": THEIRS},
        {"ours": OURS | {"saturated_hz": 60.0}, "theirs": THEIRS | {"saturated_hz": 60.0}},
        {"ours": OURS | {"saturated_hz": 30.0}, "theirs": THEIRS | {"saturated_hz": 10.0}},
    ]
    told = summary(turns)
    assert told["ours"]["saturated_hz"] == 38.0
    ratios = told["ratios"]
    assert ratios["frames_per_second"] == {"value": 1.9, "at_least": 1.8, "met": True}
    assert ratios["latency_p50"] == {"value": 0.4, "at_most": 0.5, "met": True}
    # Told, not judged.
    assert ratios["memory"] == {"value": 0.25}


def test_limits_that_are_missed_are_said() -> None:
    ratios = summary([{"ours": OURS | {"p50_ms": 13.0, "saturated_hz": 30.0}, "theirs": THEIRS}])["ratios"]
    assert (ratios["latency_p50"]["met"], ratios["frames_per_second"]["met"]) == (False, False)
    assert "ratios" not in summary([{"ours": OURS}])


def test_another_environment_sees_nothing_of_ours(tmp_path: Path) -> None:
    own, ros = tmp_path / "venv", "/opt/ros/lib"
    given = {
        "PATH": "/usr/bin", "VIRTUAL_ENV": str(own), "PYTHONHOME": "x", "_ROS_WHEELS_BOOTSTRAP_COMPLETE": "1",
        "LD_LIBRARY_PATH": f"{own}/lib/rclpy:{ros}", "PYTHONPATH": "/workspace",
    }  # fmt: skip
    told = outside(given, own, ["/peer"])
    assert told == {"PATH": "/usr/bin", "LD_LIBRARY_PATH": ros, "PYTHONPATH": "/peer:/workspace"}
    assert outside({"LD_LIBRARY_PATH": f"{own}/lib"}, own) == {}

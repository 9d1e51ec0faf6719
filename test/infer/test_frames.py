"""What is counted of frames: those that running numbers show to be lost, how long they took, and how many came."""

from __future__ import annotations

import pytest

from perception_infer.ros.frames import Recent, SequenceGaps


def test_gaps_in_running_numbers() -> None:
    gaps = SequenceGaps()
    gaps.observe(b"a", None)
    assert gaps.lost == -1, "nothing is known without numbers"
    for number in (7, 8, 11, 12):
        gaps.observe(b"a", number)
    assert gaps.lost == 2
    gaps.observe(b"b", 500)
    gaps.observe(b"b", 502)
    assert gaps.lost == 3, "each sender counts for itself"
    gaps.observe(b"a", 1)
    gaps.observe(b"a", 2)
    assert gaps.lost == 3, "a sender that starts anew has lost nothing"


def test_percentiles_and_rate() -> None:
    recent = Recent()
    assert (recent.percentile(0.5), recent.rate()) == (0.0, 0.0)
    for index in range(100):
        recent.add(float(index), now=100 + index / 10)
    assert recent.percentile(0.5) == 50
    assert recent.percentile(1.0) == 99
    assert recent.rate(now=110) == pytest.approx(10, abs=0.3)
    assert recent.rate(now=1000) == 0

"""Cameras that fall silent, by a clock that the test moves."""

from __future__ import annotations

from perception_infer.ros.silence import CameraWatch, Silence


def test_cameras_fall_silent_each_for_itself() -> None:
    now = [100.0]
    watch = CameraWatch(2, lambda: now[0])
    assert watch.look(5.0) == [], "nothing is expected yet"
    watch.begin()
    now[0] += 4
    watch.heard(1)
    assert watch.look(5.0) == []
    now[0] += 2
    assert watch.look(5.0) == [Silence(0, 6.0)]
    assert watch.look(0.0) == [], "0 is off"
    assert watch.look(2.0) == [Silence(0, 6.0), Silence(1, 2.0)], "the limit may change"
    watch.heard(0)
    assert [silence.source for silence in watch.look(2.0)] == [1]


def test_a_silence_is_counted_once() -> None:
    now = [0.0]
    watch = CameraWatch(1, lambda: now[0])
    watch.begin()
    for seconds in (3, 3, 3):
        now[0] += seconds
        watch.look(1.0)
    assert watch.silences == 1
    watch.heard(0)
    watch.look(1.0)
    now[0] += 3
    watch.look(1.0)
    assert watch.silences == 2
    watch.end()
    now[0] += 3
    assert watch.look(1.0) == []
    watch.heard(0)
    watch.begin()
    assert watch.look(1.0) == [], "activating begins anew"

"""When a training process that has died is started again."""

from __future__ import annotations

from perception_train.training.restarts import Restarts


def test_a_death_is_followed_by_another_try_until_there_were_too_many_in_a_row() -> None:
    restarts = Restarts(2)
    assert [restarts.after(-9) for _ in range(3)] == [True, True, False]
    assert restarts.deaths == 2
    assert "status -9" in restarts.last


def test_a_kept_step_gives_the_tries_back_but_the_same_one_does_not() -> None:
    restarts = Restarts(1)
    assert restarts.after(-9)
    restarts.hear({"event": "checkpoint", "step": 30})
    assert restarts.after(1)
    restarts.hear({"event": "checkpoint", "step": 30})
    assert not restarts.after(1)


def test_a_mistake_of_the_user_is_told_and_not_tried_again() -> None:
    restarts = Restarts(3)
    restarts.hear({"event": "error", "message": "no such dataset"})
    assert not restarts.after(2)
    assert restarts.last == "no such dataset"

"""Versions that the operator chooses, and the pin that holds one."""

from __future__ import annotations

import pytest
from servers import Bench, version
from waiting import until

from perception_common.errors import UserError


def test_a_version_is_chosen_by_hand_also_an_older_one(bench: Bench) -> None:
    bench.write(3)
    server = bench.serving(3)
    server.announce(bench.announcement(1))
    assert "older than the accepted v3" in server.status().last_error
    server.choose(1)
    until(lambda: version(server) == 1)
    server.choose(0)
    until(lambda: version(server) == 3)
    with pytest.raises(UserError, match=r"has no version 7 .*there are 1, 2, 3"):
        server.choose(7)
    assert version(server) == 3


def test_choosing_the_one_that_serves_gives_up_the_one_that_loads(bench: Bench) -> None:
    bench.write(2)
    server = bench.serving(1)
    bench.hold(server, 2)
    server.choose(1)
    bench.loader.gate.set()
    until(lambda: bench.loader.asked == [1, 2, 1] and not server.status().loading)
    assert version(server) == 1
    assert any("v2 given up" in line for line in bench.told)


def test_a_pin_holds_the_model_and_lets_the_last_announcement_in_afterwards(bench: Bench) -> None:
    bench.write(4)
    server = bench.serving(1)
    server.pin(True)
    for number in (2, 3):
        server.announce(bench.announcement(number))
    assert (server.status().ignored, server.status().pinned) == (2, True)
    assert (version(server), bench.loader.asked) == (1, [1])
    server.choose(4)
    until(lambda: version(server) == 4)
    server.pin(False)
    assert "v3 refused: older than the accepted v4" in server.status().last_error
    server.pin(True)
    server.pin(False)
    assert (version(server), server.status().pinned) == (4, False)


def test_what_was_announced_while_pinned_is_served_after_it(bench: Bench) -> None:
    bench.write(3)
    server = bench.serving(1)
    server.pin(True)
    for number in (2, 3):
        server.announce(bench.announcement(number))
    server.pin(False)
    until(lambda: version(server) == 3)
    assert bench.loader.asked == [1, 3]


def test_a_pin_that_is_there_from_the_start(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.pin(True)
    server.load_first(1)
    server.announce(bench.announcement(2))
    assert version(server) == 1

"""Engines that have to be built first: what serves meanwhile, and when they are built."""

from __future__ import annotations

import time

import pytest
from servers import Bench, at_rest, version
from waiting import until

from perception_common.errors import UserError


def test_the_first_model_serves_on_what_is_there_and_moves_to_its_engine(bench: Bench) -> None:
    bench.write()
    bench.loader.prefers = "tensorrt"
    server = bench.server()
    bench.loader.gate.set()
    assert server.load_first()
    bench.loader.gate.clear()
    assert (version(server), server.status().waits) == (1, "tensorrt")
    bench.loader.gate.set()
    at_rest(server, loads=2)
    assert (version(server), server.status().swaps, server.status().waits) == (1, 1, "")
    assert bench.loader.asked == [1, 1]


def test_at_once_builds_before_a_new_version_serves(bench: Bench) -> None:
    bench.write(2)
    server = bench.serving(1)
    bench.loader.needs = "tensorrt"
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)
    assert bench.loader.asked == [1, 2]


def test_when_idle_waits_for_it(bench: Bench) -> None:
    bench.write(2)
    bench.loader.prefers = "tensorrt"
    server = bench.server(build="when_idle")
    assert server.load_first(1)
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)
    assert server.status().waits == "tensorrt"
    time.sleep(0.2)
    assert server.status().loads == 2, "somebody needs answers"
    bench.idle.set()
    at_rest(server, loads=3)
    assert (bench.loader.asked, server.status().waits) == ([1, 2, 2], "")


def test_when_idle_with_no_other_backend_keeps_the_old_version_serving(bench: Bench) -> None:
    bench.write(3)
    server = bench.server(build="when_idle")
    assert server.load_first(1)
    bench.loader.needs = "tensorrt"
    server.announce(bench.announcement(2))
    until(lambda: server.status().waits == "tensorrt")
    assert version(server) == 1
    server.announce(bench.announcement(3))
    until(lambda: bench.loader.asked == [1, 2, 3])
    bench.idle.set()
    until(lambda: version(server) == 3)
    assert bench.loader.asked == [1, 2, 3, 3], "the newer announcement takes the older one's place"


def test_a_node_that_needs_an_engine_configures_without_it(bench: Bench) -> None:
    bench.write()
    bench.loader.needs = "tensorrt"
    server = bench.server()
    assert not server.load_first(), "nothing serves yet"
    until(lambda: version(server) == 1)
    assert server.status().refused == 0


def test_never_takes_what_is_there(bench: Bench) -> None:
    bench.write(2)
    bench.loader.prefers = "tensorrt"
    server = bench.server(build="never")
    assert server.load_first(1)
    time.sleep(0.1)
    assert (bench.loader.asked, server.status().waits) == ([1], "")
    bench.loader.needs = "tensorrt"
    server.announce(bench.announcement(2))
    at_rest(server, refused=1)
    assert "is not built yet" in server.status().last_error
    assert version(server) == 1
    with pytest.raises(UserError, match="is not built yet"):
        bench.server(build="never").load_first(1)


def test_an_engine_that_cannot_be_built_leaves_the_model_where_it_is(bench: Bench) -> None:
    bench.write()
    bench.loader.prefers = "tensorrt"
    server = bench.server(build="when_idle")
    assert server.load_first()
    assert version(server) == 1
    bench.loader.error = UserError("the parser refuses the graph")
    bench.idle.set()
    at_rest(server, refused=1)
    assert server.status().last_error == "rectangles v1 does not come to tensorrt: the parser refuses the graph"
    assert (version(server), server.status().waits, server.status().loads) == (1, "", 1)
    bench.loader.error = None
    server.announce(bench.announcement(1))
    assert server.status().ignored == 1, "it serves"


def test_the_same_version_announced_while_its_engine_is_built_changes_nothing(bench: Bench) -> None:
    bench.write()
    bench.loader.needs = "tensorrt"
    server = bench.server()
    bench.loader.gate.set()
    server.load_first()
    bench.loader.gate.clear()
    server.announce(bench.announcement(1))
    bench.loader.gate.set()
    until(lambda: version(server) == 1)
    assert bench.loader.asked == [1, 1]


def test_closing_while_an_engine_waits(bench: Bench) -> None:
    bench.write()
    bench.loader.prefers = "tensorrt"
    server = bench.server(build="when_idle")
    server.load_first()
    began = time.monotonic()
    server.close()
    assert time.monotonic() - began < 1.4, "it does not wait for idleness"
    assert bench.loader.closed == [1]

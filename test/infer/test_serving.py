"""The rules of serving: what is loaded, refused, ignored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from servers import Bench, ask, at_rest, version
from waiting import until

from perception_common.errors import UserError
from perception_infer.models import ModelRepository
from perception_infer.serving import Announcement


def test_an_empty_repository_waits_for_the_first_announcement(bench: Bench) -> None:
    server = bench.server()
    assert not server.load_first()
    assert ask(server) is None
    bench.write()
    server.announce(bench.announcement(1))
    at_rest(server, loads=1)
    assert version(server) == 1
    status = server.status()
    assert (status.swaps, status.refused, status.ignored, status.backend) == (0, 0, 0, "onnxruntime fp32")


def test_the_newest_is_served_first_or_the_one_that_is_named(bench: Bench) -> None:
    bench.write(3)
    newest, named = bench.server(), bench.server()
    assert newest.load_first()
    assert named.load_first(2)
    assert (version(newest), version(named)) == (3, 2)
    with pytest.raises(UserError, match="no version 9"):
        bench.server().load_first(9)


def test_when_the_newest_is_damaged_the_next_older_is_served(bench: Bench) -> None:
    bench.write(2)
    (bench.root / "rectangles" / "2" / "model.onnx").write_bytes(b"damaged")
    server = bench.server()
    assert server.load_first()
    assert version(server) == 1
    assert server.status().refused == 1
    assert "v2 refused" in bench.told[0]


def test_other_names_and_the_same_version_are_ignored(bench: Bench) -> None:
    bench.write()
    server = bench.server()
    server.load_first()
    server.announce(bench.announcement(1, "others"))
    server.announce(bench.announcement(1))
    ask(server)
    server.announce(bench.announcement(1))
    assert (server.status().ignored, server.status().refused) == (3, 0)
    assert bench.loader.asked == [1]


def test_an_older_version_is_refused_unless_allowed(bench: Bench) -> None:
    bench.write(2)
    strict, lax = bench.server(), bench.server(allow_downgrade=True)
    for server in (strict, lax):
        server.load_first()
        ask(server)
        server.announce(bench.announcement(1))
    assert (strict.status().refused, version(strict)) == (1, 2)
    assert "older than the accepted v2" in strict.status().last_error
    until(lambda: version(lax) == 1)


def test_a_version_that_was_accepted_may_come_back(bench: Bench) -> None:
    bench.write(2)
    server = bench.serving(1)
    for wanted in (2, 1, 2):
        server.announce(bench.announcement(wanted))
        until(lambda wanted=wanted: version(server) == wanted)
    assert (server.status().swaps, server.status().refused) == (3, 0)


def damage(path: Path) -> None:
    (path / "model.onnx").write_bytes(b"damaged")


def tamper(path: Path) -> None:
    data = bytearray((path / "weights.safetensors").read_bytes())
    data[-1] ^= 1
    (path / "weights.safetensors").write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [damage, tamper, lambda path: (path / "manifest.json").unlink(), lambda path: path.rename(path.with_name("9"))],
)
def test_a_damaged_bundle_is_refused_and_the_old_model_stays(bench: Bench, harm: Callable[[Path], None]) -> None:
    bench.write(2)
    harm(bench.root / "rectangles" / "2")
    server = bench.serving(1)
    server.announce(bench.announcement(2))
    at_rest(server, refused=1)
    assert version(server) == 1
    assert (server.status().swaps, server.replacing) == (0, False)
    assert server.status().last_error
    bench.write()
    newest = ModelRepository(bench.root).versions("rectangles")[-1]
    server.announce(bench.announcement(newest))
    until(lambda: version(server) == newest)


def test_a_model_that_fails_its_parity_check_is_refused(bench: Bench) -> None:
    bench.write()
    bench.write(score=0.9, answers_score=0.5)
    server = bench.server()
    server.load_first(1)
    server.announce(bench.announcement(2))
    at_rest(server, refused=1)
    assert "otherwise than the trainer" in server.status().last_error
    assert version(server) == 1


def test_the_loader_survives_what_nobody_expected(bench: Bench) -> None:
    bench.write(3)
    server = bench.server()
    server.load_first(1)
    bench.loader.error = RuntimeError("strange")
    server.announce(bench.announcement(2))
    at_rest(server, refused=1)
    assert "strange" in server.status().last_error
    bench.loader.error = None
    server.announce(bench.announcement(3))
    until(lambda: version(server) == 3)


def test_an_announcement_that_lies_is_refused(bench: Bench) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    server.announce(Announcement("rectangles", bench.announcement(2).uri, 5))
    at_rest(server, refused=1)
    assert "not what was announced" in server.status().last_error
    server.announce(Announcement("rectangles", "file:///etc/rectangles/6/manifest.json", 6))
    at_rest(server, refused=2)
    assert "outside of model_root" in server.status().last_error
    server.announce(bench.announcement(2))
    until(lambda: version(server) == 2)


def test_other_classes_are_refused_or_accepted(bench: Bench) -> None:
    bench.write()
    bench.write(classes=("cone", "barrel", "box"))
    strict, lax = bench.server(), bench.server(accept_class_change=True)
    for server in (strict, lax):
        server.load_first(1)
        server.announce(bench.announcement(2))
    at_rest(strict, refused=1)
    assert "red, green, blue becomes detection of cone, barrel, box" in strict.status().last_error
    assert version(strict) == 1
    until(lambda: version(lax) == 2)

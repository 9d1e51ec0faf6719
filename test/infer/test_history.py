"""What a robot remembers over restarts: accepted versions, and what served when."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from servers import Bench, ask, at_rest, version
from waiting import until

from perception_common.errors import UserError
from perception_infer import history as module
from perception_infer.commands.history import HistoryParams, history, time_ns
from perception_infer.history import Event, History
from perception_infer.trust_params import StateParams


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "history.sqlite"


def complain(line: str) -> None:
    raise AssertionError(line)


def served(at: int, version: int, node: str = "/n", why: str = "announced") -> Event:
    return Event(at, node, "m", version, "serves", why, f"{version:064x}", "trainer", "onnxruntime fp32")


def test_an_older_version_is_refused_also_after_a_restart(bench: Bench, file: Path) -> None:
    bench.write(3)
    shutil.move(bench.root / "rectangles" / "2", bench.root.parent / "2")
    first = bench.server(file)
    first.load_first()
    assert version(first) == 3
    first.close()
    # Somebody puts the version that was never accepted in the place of the newest.
    shutil.rmtree(bench.root / "rectangles" / "3")
    shutil.move(bench.root.parent / "2", bench.root / "rectangles" / "2")
    second = bench.server(file)
    assert not second.load_first()
    assert second.status().refused == 2
    assert all("older than the accepted v3" in line and "--forget rectangles" in line for line in bench.told[-2:])
    second.announce(bench.announcement(2))
    assert second.status().refused == 3
    second.close()
    # By hand, the operator may.
    third = bench.server(file)
    assert third.load_first(1)
    third.close()
    # What was accepted by hand is known from now on, and what is allowed is allowed.
    assert bench.server(file).load_first()
    assert bench.server(file, allow_downgrade=True).load_first()


def test_a_version_that_was_accepted_may_come_back(bench: Bench, file: Path) -> None:
    bench.write(2)
    first = bench.server(file)
    first.load_first(1)
    ask(first)
    first.announce(bench.announcement(2))
    at_rest(first, loads=2)
    ask(first)
    first.close()
    shutil.rmtree(bench.root / "rectangles" / "2")
    second = bench.server(file)
    assert second.load_first()
    assert version(second) == 1


def test_another_model_under_the_same_number_is_refused(bench: Bench, file: Path) -> None:
    bench.write()
    first = bench.server(file)
    first.load_first()
    first.close()
    shutil.rmtree(bench.root / "rectangles")
    bench.write(score=0.8)
    second = bench.server(file)
    assert not second.load_first()
    assert "is not the rectangles v1 that was accepted here" in bench.told[-1]
    second.announce(bench.announcement(1))
    at_rest(second, refused=2)
    second.close()
    kept = History(file, bench.root, complain)
    assert kept.forget("rectangles") == 1
    kept.close()
    assert bench.server(file).load_first()


def test_what_served_when_and_why(bench: Bench, file: Path) -> None:
    bench.write(3)
    (bench.root / "rectangles" / "3" / "model.onnx").write_bytes(b"damaged")
    server = bench.server(file)
    server.load_first(1)
    # Ready is not serving: that begins with the first frame.
    ask(server)
    server.announce(bench.announcement(3))
    at_rest(server, refused=1)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    ask(server)
    between = time.time_ns()
    server.choose(1)
    at_rest(server, loads=3)
    ask(server)
    server.close()
    kept = History(file, bench.root, complain)
    events = kept.events("rectangles")
    assert [(event.kind, event.version) for event in events] == [
        ("serves", 1),
        ("refused", 3),
        ("serves", 2),
        ("serves", 1),
        ("ended", 0),
    ]
    assert [event.why for event in events if event.kind == "serves"] == [
        "chosen at the start",
        "announced",
        "chosen by hand",
    ]
    assert "the file has 7 bytes" in events[1].why
    assert {event.node for event in events} == {"/robot/infer_node"}
    proven = {(len(event.sha256), event.backend) for event in events if event.kind == "serves"}
    assert proven == {(64, "onnxruntime fp32")}
    assert [event.version for event in kept.serving(between)] == [2]
    assert kept.serving(events[0].at_ns - 1) == []
    assert kept.serving(time.time_ns()) == []
    kept.close()


def test_a_model_that_fails_on_frames_is_withdrawn_and_the_return_is_told(bench: Bench, file: Path) -> None:
    bench.write(2)
    server = bench.server(file, watch_frames=10)
    server.load_first(1)
    ask(server)
    server.announce(bench.announcement(2))
    at_rest(server, loads=2)
    ask(server)

    def breaks(predictor: object) -> int:
        number = int(predictor.bundle.manifest.version)  # type: ignore[attr-defined]
        if number == 2:
            raise RuntimeError("broken")
        return number

    answer = server.answer(breaks)
    assert answer is not None and answer.value == 1
    server.close()
    kept = History(file, bench.root, complain)
    assert set(kept.accepted("rectangles")) == {1}
    last = [event for event in kept.events() if event.kind == "serves"][-1]
    assert (last.version, last.why) == (1, "rolled back: rectangles v2 failed")
    kept.close()


def test_repositories_and_names_do_not_mix(tmp_path: Path, file: Path) -> None:
    here, there = (History(file, tmp_path / name, complain) for name in ("here", "there"))
    here.accept("m", 5, "a" * 64)
    assert (here.accepted("m"), here.accepted("other"), there.accepted("m")) == ({5: "a" * 64}, {}, {})
    here.add(served(1, 5))
    here.close()
    assert there.events() == []
    every = History(file, None, complain)
    assert [event.version for event in every.events()] == [5]
    every.close()
    there.close()


def test_of_refusals_the_newest_are_kept(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_REFUSALS", 10)
    kept = History(file, tmp_path, complain)
    kept.add(served(1, 1))
    for number in range(50):
        kept.add(Event(2 + number, "/n", "m", number, "refused", "x" * 100_000))
    kept.close(20)
    kept = History(file, tmp_path, complain)
    events = kept.events()
    assert [event.version for event in events] == [1, *range(40, 50)]
    assert len(events[-1].why) == 2000
    kept.close()


def test_refusals_that_come_faster_than_the_disk_are_left_out(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING", 5)
    kept = History(file, tmp_path, complain)
    slow = sqlite3.connect(file, isolation_level=None)
    slow.execute("BEGIN EXCLUSIVE")
    for number in range(50):
        kept.add(Event(number, "/n", "m", number, "refused", ""))
    kept.add(served(100, 100))
    slow.execute("COMMIT")
    slow.close()
    kept.close(20)
    kept = History(file, tmp_path, complain)
    versions = [event.version for event in kept.events()]
    kept.close()
    # One may have been taken already, and waits for the disk.
    assert versions[-1] == 100 and 5 <= len(versions) - 1 <= 6


def test_what_could_not_be_written_is_written_later(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BUSY_SECONDS", 0.02)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.02)
    told: list[str] = []
    kept = History(file, tmp_path, told.append)
    busy = sqlite3.connect(file, isolation_level=None)
    busy.execute("BEGIN EXCLUSIVE")
    for number in range(1, 4):
        kept.add(served(number, number))
        until(lambda: bool(told))
    time.sleep(0.2)
    assert len(told) == 1 and "'state' is writable and has room" in told[0]
    busy.execute("COMMIT")
    busy.close()
    until(lambda: len(told) == 2)
    assert "can be written again" in told[1]
    assert [event.version for event in kept.events()] == [1, 2, 3]
    kept.close(20)


def test_two_processes_write_at_once(tmp_path: Path, file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from perception_infer.history import History, Event\n"
        "h = History(Path(sys.argv[1]), Path('/r'), lambda line: sys.exit(line))\n"
        "for n in range(40):\n"
        "    h.accept(sys.argv[2], n, 'a'); h.add(Event(n, sys.argv[2], 'm', n, 'serves', ''))\n"
        "h.close(20)\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(file), name]) for name in ("one", "two")]
    assert [process.wait(60) for process in running] == [0, 0]
    kept = History(file, Path("/r"), complain)
    assert len(kept.events()) == 80
    assert (len(kept.accepted("one")), len(kept.accepted("two"))) == (40, 40)
    kept.close()


def test_what_was_accepted_survives_being_killed(tmp_path: Path, file: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from perception_infer.history import History\n"
        "History(Path(sys.argv[1]), Path('/r'), print).accept('m', 7, 'a'); os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(file)], check=False)
    kept = History(file, Path("/r"), complain)
    assert kept.accepted("m") == {7: "a"}
    kept.close()


@pytest.mark.parametrize("damage", [b"no database at all" * 100, None])
def test_a_damaged_file_is_set_aside_and_told(tmp_path: Path, file: Path, damage: bytes | None) -> None:
    kept = History(file, tmp_path, complain)
    for number in range(200):
        kept.accept("m", number, "a" * 64)
    kept.close()
    data = bytearray(file.read_bytes())
    data[4096:8192] = b"\xff" * 4096
    file.write_bytes(damage or bytes(data))
    told: list[str] = []
    kept = History(file, tmp_path, told.append)
    assert kept.accepted("m") == {}
    kept.close()
    assert len(told) == 1 and "is damaged" in told[0]
    assert len(list(file.parent.glob("history.sqlite.damaged-*"))) == 1


def test_a_later_version_is_left_alone(tmp_path: Path, file: Path) -> None:
    History(file, tmp_path, complain).close()
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 9")
    with pytest.raises(UserError, match="version 9"):
        History(file, tmp_path, complain)


def test_where_nothing_can_be_written_the_node_goes_on(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told: list[str] = []
    kept = StateParams(state=str(tmp_path / "file" / "below")).history(tmp_path, told.append)
    kept.accept("m", 1, "a")
    assert kept.accepted("m") == {1: "a"}
    kept.close()
    assert len(told) == 1 and "parameter 'state'" in told[0]


def test_a_full_disk_is_told_and_harms_nobody(tmp_path: Path, file: Path) -> None:
    told: list[str] = []
    kept = History(file, tmp_path, told.append)
    # As far as the file may grow: what SQLite says on a full disk.
    with kept._transaction() as database:
        database.execute("PRAGMA max_page_count = 1")
    for number in range(100):
        kept.add(Event(number, "/n", "m", 1, "refused", "x" * 1000))
    kept.close(5)
    assert told and "full" in told[0]


def test_times_are_told_as_people_say_them() -> None:
    now = datetime(2026, 3, 2, 12, 0)
    assert time_ns("11:30", now) == int((now - timedelta(minutes=30)).timestamp() * 1e9)
    assert time_ns("14:02", now) == int(datetime(2026, 3, 1, 14, 2).timestamp() * 1e9)
    assert time_ns("2026-01-05T07:00", now) == int(datetime(2026, 1, 5, 7).timestamp() * 1e9)
    for text in ("yesterday", "", "99999-01-01"):
        with pytest.raises(UserError, match="is no time"):
            time_ns(text, now)


def test_the_command_tells_and_forgets(tmp_path: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = str(file.parent)
    with pytest.raises(UserError, match="there is no history yet"):
        history(HistoryParams(state=state))
    kept = History(file, tmp_path / "models", complain)
    kept.accept("m", 3, "c" * 64)
    now = time.time_ns()
    kept.add(served(now - 3 * 10**9, 3, why="announced \x1b[31mred"))
    kept.close()
    shown = history(HistoryParams(state=state))["events"]
    assert [event["version"] for event in shown] == [3]
    printed = capsys.readouterr().out
    assert "signed by trainer" in printed and "m v3 " in printed and "\x1b" not in printed
    moment = datetime.fromtimestamp(now / 1e9 + 1).isoformat()
    assert history(HistoryParams(state=state, at=moment, model="m"))["events"][0]["version"] == 3
    assert history(HistoryParams(state=state, since=moment))["events"] == []
    assert "nothing happened then" in capsys.readouterr().out
    with pytest.raises(UserError, match="--model-root"):
        history(HistoryParams(state=state, forget="m"))
    assert history(HistoryParams(state=state, forget="m", model_root=str(tmp_path / "models")))["forgotten"] == 1


def test_frames_do_not_wait_for_the_disk(tmp_path: Path, file: Path) -> None:
    kept = History(file, tmp_path, complain)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with kept._transaction():
            held.set()
            assert release.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    kept.add(served(1, 1))
    release.set()
    holder.join()
    kept.close()

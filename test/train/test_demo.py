"""The demo's process handling, files and report; nothing here starts ROS or trains."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from demo_run import made_up_run
from rich.console import Console

from perception_common.errors import UserError
from perception_train.demo import guard, processes, summary
from perception_train.demo.display import Display
from perception_train.demo.processes import ProcessDied, Processes
from perception_train.demo.report import write_report
from perception_train.demo.report.charts import ticks
from perception_train.demo.run import ros_args
from perception_train.demo.settings import FULL, PRESETS, DemoParams, Limit
from perception_train.demo.watch import CsvFile, JsonFile

# A child that ignores SIGINT and SIGTERM and has a child of its own in another session.
STUBBORN = """
import signal, subprocess, sys, time
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
# What the demo does: a group of children, a loop, and signals that end it.
ORCHESTRATOR = """
import os, signal, sys, time
from pathlib import Path
from perception_train.demo import __main__ as demo
from perception_train.demo.processes import Processes
signal.signal(signal.SIGTERM, demo._interrupt)
try:
    with Processes(Path(sys.argv[1]), dict(os.environ), patience=0.3) as group:
        for index in range(3):
            group.start(f"child{index}", ["stubborn"])
        print(group._tag, flush=True)
        while True:
            group.check()
            time.sleep(0.05)
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on PYTHONPATH with the modules that children run."""
    root = str(Path(processes.__file__).resolve().parents[2])
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    (tmp_path / "broken.py").write_text("print('starting')\nprint('the camera is on fire')\nraise SystemExit(3)\n")
    (tmp_path / "brief.py").write_text("print('done')\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), root, os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def wait_for(condition: Any, timeout: float = 10.0) -> bool:
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def start_orchestrator(modules: Path) -> tuple[subprocess.Popen[str], str]:
    process = subprocess.Popen(
        [sys.executable, "-c", ORCHESTRATOR, str(modules / "logs")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    tag = process.stdout.readline().strip()
    # Three children and three of their children.
    assert wait_for(lambda: len(guard.tagged(tag)) == 6), [p.read_text() for p in (modules / "logs").iterdir()]
    return process, tag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_survives_the_end_of_the_demo(modules: Path, number: signal.Signals) -> None:
    process, tag = start_orchestrator(modules)
    process.send_signal(number)
    status = process.wait(timeout=10)
    assert status == (-number if number == signal.SIGKILL else 130)
    assert wait_for(lambda: not guard.tagged(tag), 5.0 if number == signal.SIGKILL else 0.1)


def test_a_second_ctrl_c_while_stopping_leaves_nothing_either(modules: Path) -> None:
    process, tag = start_orchestrator(modules)
    process.send_signal(signal.SIGINT)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=10)
    assert wait_for(lambda: not guard.tagged(tag), 5.0)


def test_a_death_is_told_with_the_end_of_its_log(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ)) as group:
        child = group.start("camera", ["broken"])
        assert wait_for(lambda: not child.running)
        with pytest.raises(ProcessDied, match=r"camera ended with exit status 3 \[.*camera.log\]") as told:
            group.check(finished=["camera"])
        assert told.value.tail == ["starting", "the camera is on fire"]
        group.check(waited=["camera"])


def test_a_kill_is_told_by_its_signal(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ), patience=0.2) as group:
        child = group.start("infer", ["stubborn"])
        child.process.kill()
        assert wait_for(lambda: not child.running)
        with pytest.raises(ProcessDied, match="infer was killed by SIGKILL"):
            group.check()


def test_who_may_finish_may(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ)) as group:
        child = group.start("train", ["brief"], nice=10)
        assert wait_for(lambda: not child.running)
        group.check(finished=["train"])
        with pytest.raises(ProcessDied):
            group.check()


def test_children_are_niced_and_share_the_session(modules: Path) -> None:
    with Processes(modules / "logs", dict(os.environ), patience=0.1) as group:
        child = group.start("train", ["stubborn"], nice=7)
        assert os.getpriority(os.PRIO_PROCESS, child.process.pid) == os.getpriority(os.PRIO_PROCESS, 0) + 7
        assert os.getpgid(child.process.pid) == child.process.pid
        # A session of its own would be a scheduling group of its own, in which nice means nothing to the others.
        assert os.getsid(child.process.pid) == os.getsid(0)


def test_a_domain_in_use_is_not_chosen() -> None:
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        first = processes.free_domain()
        taken.bind(("", 7400 + 250 * first))
        assert processes.free_domain() != first


def test_ros_arguments_keep_their_types() -> None:
    arguments = ros_args(dict(text="123", path="/a b/c: d", rate=8.0, flag=False))
    assert arguments[2::2] == ['text:="123"', 'path:="/a b/c: d"', "rate:=8.0", "flag:=false"]


def test_presets_and_flags() -> None:
    assert DemoParams().settings() == FULL
    changed = DemoParams(preset="quick", train_minutes=0.5, camera_hz=6.0).settings()
    assert (changed.name, changed.train_minutes, changed.camera_hz) == ("quick", 0.5, 6.0)
    for preset in PRESETS.values():
        assert len({preset.train_seed, preset.val_seed, preset.live_seed}) == 3


def test_limits() -> None:
    assert Limit("x", ">=", 3).holds(3) and not Limit("x", ">=", 3).holds(2.9)
    assert Limit("x", "<=", 0).holds(0) and not Limit("x", "<=", 0).holds(1)
    assert not Limit("x", "<=", 0).holds(None)


def test_a_foreign_directory_is_not_touched(tmp_path: Path) -> None:
    from perception_train.demo.__main__ import _locked

    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(UserError, match="holds something else"), _locked(tmp_path):
        pass


def test_an_earlier_run_is_set_aside_and_its_datasets_stay(tmp_path: Path) -> None:
    from perception_train.demo.__main__ import _locked, _set_aside

    with _locked(tmp_path):
        (tmp_path / "summary.json").write_text("old")
        (tmp_path / "data").mkdir()
        with pytest.raises(UserError, match="another demo runs"), _locked(tmp_path):
            pass
        _set_aside(tmp_path)
    assert (tmp_path / "previous" / "summary.json").read_text() == "old"
    assert (tmp_path / "data").is_dir() and not (tmp_path / "summary.json").exists()


def test_growing_files_are_read_piece_by_piece(tmp_path: Path) -> None:
    table = CsvFile(tmp_path / "t.csv")
    assert table.read() == []
    with table.path.open("a") as file:
        file.write("step,loss,version\n1,2.5,\n2,2.")
        file.flush()
        assert table.read() == [dict(step=1.0, loss=2.5, version=None)]
        file.write("25,7\n")
    assert table.read()[-1] == dict(step=2.0, loss=2.25, version=7.0)
    content = JsonFile(tmp_path / "x.json")
    assert content.read() == {}
    content.path.write_text('{"a": 1}')
    assert content.read() == {"a": 1}


class Page(HTMLParser):
    """Checks that elements close in order, and collects what refers to something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        self.ids += [value or "" for name, value in attrs if name == "id"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.text += data


def test_report_of_a_made_up_run(tmp_path: Path) -> None:
    result, files = made_up_run(tmp_path, classes=("ball", "<script>alert(1)</script>", 'b"o&x'))
    text = write_report(tmp_path, result, files).read_text()
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == [] and len(page.ids) == len(set(page.ids))
    assert page.references and all(reference.startswith("data:image/jpeg;base64,") for reference in page.references)
    assert not re.search(r"https?://|url\(|@import|<script", text)
    assert "nan" not in page.text.lower().split() and "None" not in page.text
    for part in (
        "Learning",
        "Live mAP50",
        "What it sees",
        "Version 1",
        "Version 5",
        "Latency",
        "AP50 per class",
        "Stages",
        "Provenance",
    ):
        assert part in page.text, part
    assert "<script>alert(1)</script>" in page.text  # as text
    assert "all 7 checks passed" in page.text
    assert text.count('class="mark"') >= 4 + 4


def test_report_of_a_run_that_recorded_little(tmp_path: Path) -> None:
    result, files = made_up_run(tmp_path)
    live = files.evaluation.read()
    live.update(
        windows=[],
        swaps=[],
        samples=[],
        outputs=dict(at_s=[], latency_ms=[], version=[]),
        versions=[],
        first_model_s=None,
    )
    files.steps.rows, files.validations.rows = [], []
    result |= dict(val_map50=None, live_map50=None, max_gap_around_swaps_ms=None, max_gap_around_swaps_periods=None)
    result["checks"] = summary.checks(FULL, result)
    page = Page()
    page.feed(write_report(tmp_path, result, files).read_text())
    assert "3 of 7 checks failed" in page.text
    assert "val_map50 is not known, must be >= 0.8" in page.text and "nothing was recorded" in page.text


def test_summary_and_checks(tmp_path: Path) -> None:
    result, _ = made_up_run(tmp_path)
    assert summary.failed(result) == []
    assert result["latency_idle_ms"]["p50"] < result["latency_ms"]["p50"]
    assert result["frames_lost_in_swaps"] == 0 and result["swaps"] == 4 and result["live_frames_scored"] > 200
    assert result["max_gap_around_swaps_periods"] == pytest.approx(
        result["max_gap_around_swaps_ms"] * result["camera_hz_asked"] / 1000
    )
    assert [row["version"] for row in result["versions"]] == [1, 2, 3, 4, 5]
    result["swaps"] = 2
    result["checks"] = summary.checks(FULL, result)
    assert summary.failed(result) == ["swaps is 2, must be >= 3"]


def test_ticks_are_round_and_inside() -> None:
    assert ticks(0, 1, 5) == [0, 0.25, 0.5, 0.75, 1]
    assert ticks(0.93, 8.5, 7) == [2, 4, 6, 8]
    assert ticks(3, 3, 5) == [3]


def test_plain_display_says_stages_and_figures(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(["one", "two"], Console(force_terminal=False)) as display:
        display.stage("one", 10, "images")
        display._last = -100.0
        display.progress.done, display.progress.loss = 4, 1.234
        display.update()
        display.stage("two")
        display.end()
    assert [line[8:] for line in capsys.readouterr().out.splitlines()] == [
        "one…",
        "  4 of 10 images; loss 1.23",
        "two…",
    ]


def test_terminal_display_renders(capsys: pytest.CaptureFixture[str]) -> None:
    with Display(["one", "two"], Console(force_terminal=True, width=80)) as display:
        display.stage("one", 10, "images")
        display.progress.done = 5
        display.stage("two")
        display.end()
    assert "one" in capsys.readouterr().out

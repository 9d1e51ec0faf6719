"""The demo's settings, files and display; nothing here starts ROS or trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from perception_common.errors import UserError
from perception_train.demo.display import Display
from perception_train.demo.settings import FULL, PRESETS, DemoParams, Limit
from perception_train.demo.watch import CsvFile, JsonFile


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

"""The demo's report and summary, of runs that are made up."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from demo_run import made_up_run

from perception_train.demo import summary
from perception_train.demo.report import write_report
from perception_train.demo.report.charts import ticks
from perception_train.demo.settings import FULL


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

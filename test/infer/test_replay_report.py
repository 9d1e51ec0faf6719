"""The page of a replay: what it says, that it needs nothing else, and that nothing breaks out of it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from replay_samples import NASTY, Replay, detection, hostile, page_of, segmentation

from perception_infer.replay.report import build_report, choose_pictures

VOID = {"meta", "input", "img"}


class _Page(HTMLParser):
    """The elements of a page, what it refers to, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.handlers: list[str] = []
        self.references: list[str] = []
        self.scripts: list[str] = []
        self.policy = ""
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.handlers += [key for key in values if key.startswith("on")]
        self.references += [values[key] or "" for key in ("src", "href", "action", "data") if key in values]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"] or ""
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        # Every element is closed where it should be.
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        else:
            self.text += data

    @property
    def data(self) -> dict[str, Any]:
        return json.loads(self.scripts[0])

    def array(self, name: str) -> np.ndarray:
        kind, text = self.data["arrays"][name]
        return np.frombuffer(base64.b64decode(text), f"<{kind}")


@pytest.mark.parametrize("replay", [detection(), detection(truth=False), segmentation(), segmentation(truth=False)])
def test_the_page_needs_nothing_outside_of_it(replay: Replay) -> None:
    text = page_of(replay)
    page = _Page(text)
    assert page.open == [] and page.references == [] and page.handlers == []
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert len(page.data["pictures"]) == 12
    assert page_of(replay) == text


def test_boxes_are_in_the_page_to_a_tenth_of_a_pixel() -> None:
    replay = detection(20)
    page = _Page(page_of(replay))
    rows = np.array([row for frame in replay.frames for row in frame["found"] if row[4] >= 0.05])
    assert np.abs(page.array("box").reshape(-1, 4) / 10 - rows[:, :4]).max() <= 0.05 + 1e-9
    assert np.abs(page.array("score") / 65535 - rows[:, 4]).max() < 1e-5
    assert page.array("label").tolist() == rows[:, 5].tolist()
    assert page.array("stamp").tolist() == [frame["stamp"] for frame in replay.frames]
    kept = [row[4] >= replay.summary["model"]["thresholds"][int(row[5])] for row in rows]
    assert ((page.array("state") & 4) > 0).tolist() == kept
    assert sum(kept) == replay.summary["counts"]["detections"]


def test_nothing_breaks_out() -> None:
    plain, nasty = _Page(page_of(detection(40, classes=("drum", "cone"), things=4))), _Page(page_of(hostile()))
    assert NASTY not in page_of(hostile())
    assert {*nasty.tags} == {*plain.tags} and nasty.handlers == [] and len(nasty.scripts) == 2
    assert nasty.data["classes"][0] == NASTY and nasty.data["names"][0] == NASTY
    # Everywhere as text: heading, lead, warnings, tables.
    assert nasty.text.count(NASTY) > 12


def test_figures_and_what_is_odd_are_told() -> None:
    replay = detection()
    replay.summary["truth"]["unknown_classes"] = ["tractor"]
    text = _Page(page_of(replay)).text
    figures = replay.summary["figures"]
    for told in (f"{figures['map50']:.3f}", "3 frames: the JPEG ends early", "8 frames are missing", "tractor"):
        assert told in text
    for told in ("4 frames of 80 without truth", "2 of the truth's frames", "yard v12", "0-2 m", "1.57 × real time"):
        assert told in text
    replay.summary["bag"] |= {"skipped": [], "warnings": []}
    replay.summary["truth"] |= {"unknown_classes": [], "without_frame": 0, "frames": 80}
    assert "nothing is to be warned of" in _Page(page_of(replay)).text


def test_classes_that_only_the_truth_has_are_shown() -> None:
    replay = detection(30)
    replay.summary["classes"] = [*replay.summary["classes"], "tractor"]
    figures = replay.summary["figures"]
    figures["classes"].append(figures["classes"][0] | {"name": "tractor", "threshold": None, "curve": []})
    replay.frames[3]["truth"].append([10, 10, 90, 90, 5, 0, None])
    page = _Page(page_of(replay))
    assert page.data["classes"][5] == "tractor" and 5 in page.array("trueLabel")
    # Masks hold none of them.
    areas = segmentation(30)
    areas.summary["classes"] = [*areas.summary["classes"], "tractor"]
    assert len(_Page(page_of(areas)).data["classes"]) == 3


@pytest.mark.parametrize("sample", [detection, segmentation])
def test_what_cannot_be_known_is_a_dash(sample: Any) -> None:
    replay = sample(30)
    summary = replay.summary
    figures = summary["figures"]
    figures |= {key: None for key, value in figures.items() if isinstance(value, float)}
    for row in figures["classes"]:
        row |= {key: None for key in row if key not in ("name", "curve")}
        if "curve" in row:
            row["curve"] = []
    summary["timing"] |= {"frames_per_second": None, "realtime_factor": None}
    summary["timing"]["latency_ms"]["total"] = {"p50": None, "p99": None, "max": None}
    summary["stability"] = {"flicker": None, "track_breaks_per_minute": None, "jitter_px": None, "tracks": None}
    summary["bag"]["duration_s"] = None
    text = _Page(page_of(replay)).text
    assert "None" not in text and "nan" not in text.lower() and "–" in text


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("sample", [detection, segmentation])
def test_a_bag_without_frames_has_a_page(sample: Any, truth: bool) -> None:
    full = sample(30, truth=truth)
    page = _Page(build_report(full.summary | {"figures": None}, [], {}))
    assert page.data["truth"] is False and page.array("index").tolist() == []
    assert choose_pictures(full.summary, [], 10) == {}

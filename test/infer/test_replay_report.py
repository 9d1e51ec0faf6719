"""The page of a replay: what it says, that nothing breaks out of it, and that a browser shows it."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from replay_samples import NASTY, RATE, Replay, detection, picture_of, segmentation

from perception_infer.replay.report import build_report, choose_pictures
from perception_infer.replay.report.frames import read_areas, read_boxes

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


def report(replay: Replay, most: int = 12, linked: dict[int, str] | None = None) -> str:
    roles = choose_pictures(replay.summary, replay.frames, most)
    pictures = {index: picture_of(replay, index, role) for index, role in roles.items()}
    return build_report(replay.summary, replay.frames, pictures, linked)


def hostile() -> Replay:
    """A replay in which everything that has a name is called the same."""
    replay = copy.deepcopy(detection(40, classes=(NASTY, "cone"), things=4))
    summary = replay.summary
    summary["model"] |= {"name": NASTY, "title": NASTY, "directory": NASTY}
    summary["bag"] |= {"path": f"/bags/{NASTY}", "topic": NASTY, "warnings": [NASTY]}
    summary["bag"]["skipped"] = [{"reason": NASTY, "count": 1, "first_index": 0}]
    summary["truth"] |= {"source": NASTY, "unknown_classes": [NASTY]}
    summary["environment"]["cpu"] = NASTY
    summary["figures"]["by_size"][0]["name"] = NASTY
    for frame in replay.frames:
        frame["name"] = NASTY
    return replay


def bare(rows: list[list[float]], truth: list[list[float | None]] | None, index: int = 0) -> dict[str, Any]:
    return {"index": index, "stamp": 0, "time": index, "width": 100, "height": 100, "name": None, "found": rows} | {
        "truth": truth
    }


@pytest.mark.parametrize("replay", [detection(), detection(truth=False), segmentation(), segmentation(truth=False)])
def test_the_page_needs_nothing_outside_of_it(replay: Replay) -> None:
    text = report(replay)
    page = _Page(text)
    assert page.open == [] and page.references == [] and page.handlers == []
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/2000/svg)", text)
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page.policy
    assert len(page.data["pictures"]) == 12
    assert report(replay) == text


def test_the_errors_of_the_frames_are_those_of_the_figures() -> None:
    replay = detection(200)
    boxes = read_boxes(replay.frames, replay.summary["model"]["thresholds"])
    rows = replay.summary["figures"]["classes"]
    for label, row in enumerate(rows):
        assert (boxes.false & (boxes.labels == label)).sum() == row["false_alarms"]
        assert (boxes.missed & (boxes.true_labels == label)).sum() == row["missed"]
    assert sum(row["missed"] for row in rows) > 20


def test_each_object_knows_who_found_it() -> None:
    truth = [[10, 10, 30, 30, 0, 0, 2.5], [60, 60, 90, 90, 0, 1, None], [40, 40, 50, 50, 2, 0, None]]
    found = [
        [10, 10, 30, 31, 0.9, 0],
        [11, 10, 30, 30, 0.8, 0],  # too late
        [62, 62, 88, 88, 0.7, 0],  # an object that does not count
        [40, 40, 50, 50, 0.4, 1],  # another class's
        [1, 1, 9, 9, 0.04, 1],
        [1, 1, 9, 9, 0.02, 1],  # below half of its threshold
    ]
    boxes = read_boxes([bare([], None), bare(found, truth, 1), bare(found, None, 2)], [0.5, 0.06])
    one = slice(0, 5)
    assert boxes.right[one].tolist() == [True, False, False, False, False]
    assert boxes.false[one].tolist() == [False, True, False, True, False]
    assert boxes.neutral[one].tolist() == [False, False, True, False, False]
    assert boxes.finder.tolist() == [0, -1, -1] and boxes.missed.tolist() == [False, False, True]
    assert boxes.neutral[5:].all() and len(boxes.frame) == 10
    # The same pairs hold at any threshold: found, but below it, is missed.
    strict = read_boxes([bare(found, truth)], [0.95, 0.06])
    assert strict.finder.tolist() == boxes.finder.tolist() and strict.missed.tolist() == [True, False, True]


def test_boxes_are_in_the_page_to_a_tenth_of_a_pixel() -> None:
    replay = detection(20)
    page = _Page(report(replay))
    rows = np.array([row for frame in replay.frames for row in frame["found"] if row[4] >= 0.05])
    assert np.abs(page.array("box").reshape(-1, 4) / 10 - rows[:, :4]).max() <= 0.05 + 1e-9
    assert np.abs(page.array("score") / 65535 - rows[:, 4]).max() < 1e-5
    assert page.array("label").tolist() == rows[:, 5].tolist()
    assert page.array("stamp").tolist() == [frame["stamp"] for frame in replay.frames]
    kept = [row[4] >= replay.summary["model"]["thresholds"][int(row[5])] for row in rows]
    assert ((page.array("state") & 4) > 0).tolist() == kept
    assert sum(kept) == replay.summary["counts"]["detections"]


def test_nothing_breaks_out() -> None:
    plain, nasty = _Page(report(detection(40, classes=("drum", "cone"), things=4))), _Page(report(hostile()))
    assert NASTY not in report(hostile())
    assert {*nasty.tags} == {*plain.tags} and nasty.handlers == [] and len(nasty.scripts) == 2
    assert nasty.data["classes"][0] == NASTY and nasty.data["names"][0] == NASTY
    # Everywhere as text: heading, lead, warnings, tables.
    assert nasty.text.count(NASTY) > 12


def test_figures_and_what_is_odd_are_told() -> None:
    replay = detection()
    replay.summary["truth"]["unknown_classes"] = ["tractor"]
    text = _Page(report(replay)).text
    figures = replay.summary["figures"]
    for told in (f"{figures['map50']:.3f}", "3 frames: the JPEG ends early", "8 frames are missing", "tractor"):
        assert told in text
    for told in ("4 frames of 80 without truth", "2 of the truth's frames", "yard v12", "0-2 m", "1.57 × real time"):
        assert told in text
    replay.summary["bag"] |= {"skipped": [], "warnings": []}
    replay.summary["truth"] |= {"unknown_classes": [], "without_frame": 0, "frames": 80}
    assert "nothing is to be warned of" in _Page(report(replay)).text


def test_classes_that_only_the_truth_has_are_shown() -> None:
    replay = detection(30)
    replay.summary["classes"] = [*replay.summary["classes"], "tractor"]
    figures = replay.summary["figures"]
    figures["classes"].append(figures["classes"][0] | {"name": "tractor", "threshold": None, "curve": []})
    replay.frames[3]["truth"].append([10, 10, 90, 90, 5, 0, None])
    page = _Page(report(replay))
    assert page.data["classes"][5] == "tractor" and 5 in page.array("trueLabel")
    # Masks hold none of them.
    areas = segmentation(30)
    areas.summary["classes"] = [*areas.summary["classes"], "tractor"]
    assert len(_Page(report(areas)).data["classes"]) == 3


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
    text = _Page(report(replay)).text
    assert "None" not in text and "nan" not in text.lower() and "–" in text


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("sample", [detection, segmentation])
def test_a_bag_without_frames_has_a_page(sample: Any, truth: bool) -> None:
    full = sample(30, truth=truth)
    page = _Page(build_report(full.summary | {"figures": None}, [], {}))
    assert page.data["truth"] is False and page.array("index").tolist() == []
    assert choose_pictures(full.summary, [], 10) == {}


def test_pictures_are_of_the_worst_the_best_and_of_all_over_the_bag() -> None:
    replay = detection(300)
    chosen = choose_pictures(replay.summary, replay.frames, 40)
    assert chosen == choose_pictures(replay.summary, copy.deepcopy(replay.frames), 40)
    assert len(chosen) == 40 and list(chosen) == sorted(chosen)
    assert set(chosen.values()) == {"worst", "false alarm", "miss", "best", "sample"}
    boxes = read_boxes(replay.frames, replay.summary["model"]["thresholds"])
    errors = np.bincount(boxes.frame[boxes.false], minlength=300)
    errors += np.bincount(boxes.true_frame[boxes.missed], minlength=300)
    by_role = {role: [i for i, other in chosen.items() if other == role] for role in set(chosen.values())}
    assert errors[by_role["best"]].sum() == 0
    assert errors[by_role["worst"]].mean() > 2 * errors.mean()
    # Neighbours look alike.
    assert np.diff(by_role["worst"]).min() > 1
    # The samples leave no large part of the bag unseen.
    assert np.diff([0, *by_role["sample"], 299]).max() < 50
    assert choose_pictures(replay.summary, replay.frames, 0) == {}
    assert len(choose_pictures(replay.summary, replay.frames, 1000)) == 300


def test_without_truth_pictures_are_of_what_the_model_doubts() -> None:
    frames = [bare([[1, 1, 9, 9, 0.95, 0]] if i != 7 else [[1, 1, 9, 9, 0.51, 0]], None, 3 * i) for i in range(50)]
    summary = detection(5, truth=False).summary
    chosen = choose_pictures(summary | {"model": summary["model"] | {"thresholds": [0.5]}}, frames, 5)
    # Known by the index that the frame has, not by its place.
    assert chosen[21] == "uncertain" and list(chosen.values()).count("sample") == 4
    areas = segmentation(50)
    roles = choose_pictures(areas.summary, areas.frames, 10)
    worst = [index for index, role in roles.items() if role == "worst"]
    assert worst and all(20 < index < 30 for index in worst)
    assert set(choose_pictures(areas.summary, segmentation(50, truth=False).frames, 10).values()) == {"sample"}


def test_a_segmenters_frames_have_an_iou_each() -> None:
    frame = bare([], None) | {
        "found": {"shares": [0.5, 0.5, 0]},
        "truth": {"confusion": [[0, 0, 4], [0, 1, 2], [1, 1, 3], [1, 0, 1]]},
    }
    unknown = frame | {"truth": None, "index": 1}
    areas = read_areas([frame, unknown], 2)
    assert areas.iou[0, :2].tolist() == [4 / 7, 3 / 6] and np.isnan(areas.iou[0, 2])
    assert areas.true[0].tolist() == [0.6, 0.4, 0.0]
    # Without the background, and what the frame does not have.
    assert areas.mean_iou[0] == 3 / 6 and np.isnan(areas.mean_iou[1])


class _Shown:
    """A page in the browser, and what the browser complained of."""

    def __init__(self, browser: Any, path: Path, width: int = 1280, **options: Any) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        self.errors: list[str] = []
        self.page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.goto(path.as_uri())

    def click(self, share: float) -> None:
        """Click the timeline at a share of its width."""
        box = self.page.locator("#timeline").bounding_box()
        self.page.locator("#timeline").click(position={"x": 34 + (box["width"] - 34) * share, "y": 40})

    @property
    def frame(self) -> int:
        return int(self.page.locator("#number").input_value())

    @property
    def caption(self) -> str:
        return self.page.locator("#viewer figcaption").inner_text()


def written(folder: Path, text: str) -> Path:
    path = folder / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_click_on_the_timeline_shows_the_frame(browser: Any, tmp_path: Path) -> None:
    replay = detection()
    shown = _Shown(browser, written(tmp_path, report(replay)))
    page = shown.page
    page.locator("#timeline").scroll_into_view_if_needed()
    shown.click(0.5)
    # Eight frames are missing at 30 %.
    seconds = 0.5 * (len(replay.frames) + 8) / RATE
    assert abs(replay.frames[shown.frame]["time"] - replay.frames[0]["time"] - seconds * 1e9) < 2e9 / RATE
    boxes = read_boxes(replay.frames, replay.summary["model"]["thresholds"])
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert shown.frame == 2 and shown.caption.startswith("frame 2 · 0.10 s · ")
    assert "stamp 1700000000.100000000" in shown.caption
    assert page.locator("#viewer .frame .found").count() == (boxes.kept & (boxes.frame == 2)).sum()
    assert page.locator("#viewer .frame .truth").count() == (boxes.true_frame == 2).sum()
    page.keyboard.press("n")
    wrong = {*boxes.frame[boxes.false].tolist(), *boxes.true_frame[boxes.missed].tolist()}
    assert shown.frame == min(frame for frame in wrong if frame > 2)
    page.keyboard.press("End")
    assert shown.frame == 79
    pictured = sorted(choose_pictures(replay.summary, replay.frames, 12))
    page.get_by_role("button", name="« picture").click()
    assert shown.frame == [index for index in pictured if index < 79][-1]
    image = page.locator("#viewer .frame img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 480
    page.locator("#number").fill("30")
    page.keyboard.press("Enter")
    assert shown.frame == 30
    page.wait_for_url("**/report.html#frame=30")
    page.reload()
    assert shown.frame == 30
    page.locator("#worst-misses a").first.click()
    assert page.locator("#viewer .frame .missed").count() > 0
    assert shown.errors == []


def test_the_threshold_changes_what_is_counted(browser: Any, tmp_path: Path) -> None:
    replay = detection()
    shown = _Shown(browser, written(tmp_path, report(replay)))
    told = shown.page.locator("#limit-told")
    figures = replay.summary["figures"]
    assert f"precision {figures['precision']:.3f} · recall {figures['recall']:.3f}" in told.inner_text()
    shown.page.locator("#limit").fill("0.8")
    strict = read_boxes(replay.frames, [0.8] * 5)
    assert f"{strict.false.sum()} false alarm" in told.inner_text()
    assert f"{strict.missed.sum()} missed" in told.inner_text()
    shown.page.get_by_role("button", name="the model's").click()
    assert f"recall {figures['recall']:.3f}" in told.inner_text()
    shown.page.get_by_role("button", name="AP50").click()
    rows = shown.page.locator("table:has([aria-sort]) tbody tr td:nth-child(3)").all_inner_texts()
    known = sorted((row["ap50"] for row in figures["classes"] if row["ap50"] is not None), reverse=True)
    assert rows == [f"{value:.3f}" for value in known] + ["–"] * (5 - len(known))
    assert shown.errors == []


def test_hostile_names_run_no_script(browser: Any, tmp_path: Path) -> None:
    replay = hostile()
    pictures = {index: picture_of(replay, index, NASTY) for index in (3, 4)}
    page_text = build_report(replay.summary, replay.frames, pictures, {39: f"{NASTY}/x.jpg"})
    shown = _Shown(browser, written(tmp_path, page_text))
    page = shown.page
    assert NASTY in page.locator("h1").inner_text() and NASTY in shown.caption
    assert NASTY in page.locator("#viewer tbody").inner_text()
    assert shown.errors == []
    page.locator("#number").fill("39")
    page.keyboard.press("Enter")
    page.get_by_text("the picture cannot be read").wait_for()
    assert page.evaluate("window.broken") is None
    # That the picture is not there is all that there is to say.
    assert all("ERR_FILE_NOT_FOUND" in error for error in shown.errors)


def test_linked_pictures_are_read_from_beside_the_page(browser: Any, tmp_path: Path) -> None:
    replay = detection(20)
    name = "frames 1#2?/100%.jpg"
    path = tmp_path / name
    path.parent.mkdir()
    path.write_bytes(picture_of(replay, 3, "sample", 320).jpeg)
    shown = _Shown(browser, written(tmp_path, build_report(replay.summary, replay.frames, {}, {3: name})))
    assert "no picture of this frame" in shown.page.locator("#viewer .frame").inner_text()
    shown.page.get_by_role("button", name="picture »").click()
    assert shown.frame == 3
    image = shown.page.locator("#viewer .frame img")
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") == 320
    assert shown.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Any, tmp_path: Path, scheme: str) -> None:
    samples = (detection(), detection(truth=False), segmentation(), segmentation(truth=False), hostile())
    crowded = detection(30, classes=[f"class number {i}" for i in range(45)], things=40)
    for replay in (*samples, crowded):
        shown = _Shown(browser, written(tmp_path, report(replay)), 390, color_scheme=scheme)
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
        # Nothing but columns of tables is left out.
        assert not [grid for grid in shown.page.locator(".grid").all() if not grid.is_visible()]
        assert shown.errors == []
        shown.page.close()


def test_segmentation_is_shown_by_areas(browser: Any, tmp_path: Path) -> None:
    replay = segmentation()
    shown = _Shown(browser, written(tmp_path, report(replay)))
    shown.page.locator("#timeline").focus()
    shown.page.keyboard.press("Home")
    areas = read_areas(replay.frames, 3)
    assert f"IoU {areas.mean_iou[0]:.3f}" in shown.caption
    rows = shown.page.locator("#viewer tbody tr").all_inner_texts()
    assert len(rows) == 4 and rows[0].split() == ["background", *self_told(replay, areas)]
    assert shown.page.locator("#limit").is_hidden()
    assert shown.errors == []


def self_told(replay: Replay, areas: Any) -> list[str]:
    found = replay.frames[0]["found"]["shares"][0]
    return [f"{100 * found:.1f}", "%", f"{100 * areas.true[0, 0]:.1f}", "%", f"{areas.iou[0, 0]:.3f}"]


@pytest.mark.slow
def test_a_long_bag_stays_small_and_opens(browser: Any, tmp_path: Path, record_property: Any) -> None:
    part = detection(500, things=10)
    times = [part.frames[0]["time"] + int(i * 1e9 / RATE) for i in range(10_000)]
    frames = [part.frames[i % 500] | {"index": i, "time": times[i]} for i in range(10_000)]
    picture = picture_of(part, 0, "sample", 640)
    text = build_report(part.summary, frames, dict.fromkeys(range(0, 10_000, 200), picture))
    assert len(text.encode()) < 25_000_000
    start = time.perf_counter()
    shown = _Shown(browser, written(tmp_path, text))
    shown.click(0.5)
    record_property("opened_s", time.perf_counter() - start)
    assert abs(shown.frame - 5000) < 20
    assert shown.errors == []

"""The page of a replay in a browser: what a click, a key and a threshold show, and that no name runs a script."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from replay_samples import NASTY, RATE, Replay, detection, hostile, page_of, picture_of, segmentation

from perception_infer.replay.report import build_report, choose_pictures
from perception_infer.replay.report.frames import read_areas, read_boxes


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
    shown = _Shown(browser, written(tmp_path, page_of(replay)))
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
    shown = _Shown(browser, written(tmp_path, page_of(replay)))
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
        shown = _Shown(browser, written(tmp_path, page_of(replay)), 390, color_scheme=scheme)
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= 390
        # Nothing but columns of tables is left out.
        assert not [grid for grid in shown.page.locator(".grid").all() if not grid.is_visible()]
        assert shown.errors == []
        shown.page.close()


def test_segmentation_is_shown_by_areas(browser: Any, tmp_path: Path) -> None:
    replay = segmentation()
    shown = _Shown(browser, written(tmp_path, page_of(replay)))
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

"""perception-sim view: the page and the sheet, and datasets that are damaged."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from labelled import HEIGHT, NASTY, WIDTH, content_of, written

from perception_sim.cli import main
from perception_sim.view.annotations import read_dataset
from perception_sim.view.pixels import measure


def _view(*arguments: str) -> int:
    return main(["view", *arguments])


def _findings(result: dict[str, Any], index: int = 0) -> dict[str, int]:
    return {finding["kind"]: finding["count"] for finding in result["datasets"][index]["findings"]}


def test_a_damaged_dataset_is_shown_with_its_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = content_of(8)
    annotations = content["annotations"]
    annotations[0]["bbox"] = [-20, 8, 30, 20]
    annotations[1]["amodal_bbox"] = [12, 8, 5, 5]
    annotations[2]["segmentation"] = [[1, 2, 3]]
    base = annotations[4]
    annotations += [
        base | {"id": 0},  # a second one at the same place, too
        base | {"id": 11, "image_id": 99},
        base | {"id": 12, "category_id": 99},
        base | {"id": 13, "bbox": [1, 1, 0, 5]},
        base | {"id": 13, "image_id": 6, "bbox": [1, 1, 9, 5]},
    ]
    outside = tmp_path / "secret.png"
    outside.write_bytes(cv2.imencode(".png", np.full((HEIGHT, WIDTH, 3), 7, np.uint8))[1].tobytes())
    root = written(tmp_path / "data", content)
    images = root / "images"
    (images / "6.png").unlink()
    (images / "7.png").write_bytes(b"no picture")
    (images / "4.png").write_bytes((images / "3.png").read_bytes())
    (images / "5.png").write_bytes(cv2.imencode(".png", np.zeros((10, 10, 3), np.uint8))[1].tobytes())
    (images / "extra.png").write_bytes(b"x")
    content["images"][7]["file_name"] = "../../secret.png"
    (root / "annotations.json").write_text(json.dumps(content))
    (root / "dataset.json").write_text("{broken")
    assert _view("--dataset", str(root), "--output", str(tmp_path / "out"), "--json", "-", "--min-per-class", "9") == 0
    result = json.loads(capsys.readouterr().out)
    found = _findings(result)
    assert found["missing_images"] == 2 and found["unreadable_images"] == 1 and found["other_size"] == 1
    assert found["boxes_outside"] == 1 and found["amodal_inside"] == 1 and found["broken_masks"] == 1
    assert found["loose_masks"] == 1 and found["repeated_boxes"] == 1 and found["duplicates"] == 1
    assert found["tiny_boxes"] == 1 and found["rare_classes"] == 2 and found["unlisted_files"] == 2
    faults = result["datasets"][0]["faults"]
    assert sorted(faults.values()) == [1] * 6
    levels = [finding["level"] for finding in result["datasets"][0]["findings"]]
    assert levels == sorted(levels, key=("bad", "odd", "note").index)
    assert (tmp_path / "out" / "contact_sheet.png").exists()
    data = read_dataset(root)
    assert measure(data, [7], lambda _: None).unreadable == ("../../secret.png",)


class _Page(HTMLParser):
    """What a page refers to, and its texts by element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.json = ""
        self._in_json = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append(tag)
        self.references += [
            values[key] or "" for key in ("src", "href", "xlink:href", "data", "action") if key in values
        ]
        self.ids += [values["id"] or ""] if "id" in values else []
        self._in_json = values.get("id") == "heat-maps"

    def handle_data(self, data: str) -> None:
        self.json += data if self._in_json else ""

    def handle_endtag(self, tag: str) -> None:
        self._in_json = False


def test_the_page_needs_nothing_outside_of_it(dataset: Path, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    assert _view("--dataset", str(dataset), "--output", str(path)) == 0
    text = path.read_text()
    page = _Page(text)
    assert len(page.references) > 10
    assert all(one.startswith(("data:image/", "#")) for one in page.references)
    assert "url(http" not in text and "@import" not in text
    # Names from the dataset stay text, also in the script's data.
    assert "b" not in page.tags and NASTY not in text
    maps = json.loads(page.json)
    assert maps[0][NASTY]["count"] == 2 and maps[0][""]["count"] == 5
    # Repeated ids would let one chart clip another.
    defined = [one for one in page.ids if one]
    assert len(defined) == len(set(defined))
    assert 'class="amodal"' in text and 'class="crowd"' in text and 'class="mask"' in text
    assert len(text) < 3_000_000
    again = tmp_path / "again.html"
    assert _view("--dataset", str(dataset), "--output", str(again)) == 0
    assert again.read_text() == text


def test_two_datasets_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = written(tmp_path / "train", content_of())
    content = content_of()
    content["categories"].append({"id": 9, "name": "only here"})
    content["annotations"][4]["category_id"] = 9
    second = written(tmp_path / "val", content, seed=1)
    (second / "images" / "4.png").write_bytes((first / "images" / "2.png").read_bytes())
    provenance = {"generator": "g", "seed": 3, "config": {"preset": {"name": "p"}}}
    for root in (first, second):
        (root / "dataset.json").write_text(json.dumps(provenance))
    out = tmp_path / "out"
    assert _view("--dataset", str(first), "--compare", str(second), "--output", str(out), "--json", "-") == 0
    result = json.loads(capsys.readouterr().out)
    assert _findings(result, 1)["overlap"] == 1 and _findings(result, 1)["same_seed"] == 1
    assert "overlap" not in _findings(result, 0)
    assert result["comparison"]["classes"] == {"only_in_first": [], "only_in_second": ["only here"], "distance": 0.2}
    assert {row["feature"] for row in result["comparison"]["features"]} >= {"size_px", "brightness", "occlusion"}
    text = (out / "index.html").read_text()
    assert "Where the two differ" in text and "train" in text and "val" in text


def test_without_output_the_page_is_named_for_the_dataset(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert _view("--dataset", "data") == 0
    assert sorted(path.name for path in (tmp_path / "data-view").iterdir()) == ["contact_sheet.png", "index.html"]
    assert sorted(path.name for path in dataset.iterdir()) == ["annotations.json", "images"]


def test_a_dataset_without_pictures_or_objects_has_a_page(tmp_path: Path) -> None:
    content = content_of(3) | {"annotations": [], "categories": []}
    root = written(tmp_path / "data", content)
    for path in (root / "images").iterdir():
        path.unlink()
    page = tmp_path / "page.html"
    assert _view("--dataset", str(root), "--output", str(page)) == 0
    assert "nothing is labelled" in page.read_text() and "images missing in images/: 3 of 3" in page.read_text()


def _broken(change: Any) -> str:
    content = content_of()
    change(content)
    return json.dumps(content)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "truncated"),
        ("[1, 2]", "object"),
        ('{"images": [], "categories": []}', "annotations"),
        (_broken(lambda c: c["annotations"][2].update(bbox=[1, 2, 3])), "broken annotation 2"),
        (_broken(lambda c: c["annotations"][1].update(bbox=[1, 2, "3", 4])), "$.bbox[2]"),
        (_broken(lambda c: c["annotations"][0].pop("image_id")), "image_id"),
        (_broken(lambda c: c["annotations"][0].update(area=float("nan"))), "malformed"),
        (_broken(lambda c: c["images"][0].update(width=0)), "1.png"),
        (_broken(lambda c: c["images"][0].update(width=2**80)), "1.png"),
        (_broken(lambda c: c["categories"].append({"id": 1, "name": "again"})), "two categories"),
        (_broken(lambda c: c["images"].clear()), "no images"),
        ("[" * 100_000, "broken annotations"),
    ],
)
def test_broken_annotations_are_told_in_one_line(
    text: str, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "annotations.json").write_text(text)
    assert _view("--dataset", str(tmp_path), "--output", str(tmp_path / "out")) == 2
    answer = capsys.readouterr().err
    assert told in answer and len(answer.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_combined_is_refused(dataset: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--dataset", str(dataset), "--compare", str(dataset)]
    assert _view(*arguments) == 2 and "the same" in capsys.readouterr().err
    assert _view(*arguments, "--output", "sheet.png") == 2 and "one dataset" in capsys.readouterr().err

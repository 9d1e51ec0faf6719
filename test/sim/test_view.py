"""perception-sim view: reading, statistics, findings, and the page."""

from __future__ import annotations

import copy
import json
import random
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from perception_common.errors import UserError
from perception_sim import rle
from perception_sim.cli import main
from perception_sim.sheet import spread, write_sheet
from perception_sim.view import statistics
from perception_sim.view.annotations import read_dataset
from perception_sim.view.comparison import compare_features, ks_distance
from perception_sim.view.features import feature_values
from perception_sim.view.files import find_duplicates, list_files
from perception_sim.view.masks import BrokenMaskError, extent, outlines
from perception_sim.view.pixels import measure
from perception_sim.view.provenance import headline, rows
from perception_sim.view.shapes import shapes_of

WIDTH, HEIGHT = 96, 64
NASTY = "</script><b>\"Häß\" & $x_1$ '空'"


def _mask(x: int, y: int, w: int, h: int) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[y : y + h, x : x + w] = True
    return mask


def _runs(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's uncompressed run lengths, written pixel by pixel."""
    runs, value = [0], False
    for pixel in mask.ravel(order="F").tolist():
        if pixel != value:
            runs.append(0)
            value = pixel
        runs[-1] += 1
    return {"size": [HEIGHT, WIDTH], "counts": runs}


def _content(images: int = 5) -> dict[str, Any]:
    """Image 1 has one object in each way to write a mask, image 2 a crowd; the last one nothing."""
    box = [10, 8, 30, 20]
    base = {"image_id": 1, "category_id": 1, "bbox": box, "iscrowd": 0, "area": 600}
    polygon = [[10, 8, 40, 8, 40, 28, 10, 28]]
    annotations = [
        base | {"segmentation": rle.encode(_mask(*box)), "occlusion": 0.25, "truncation": 0.0},
        base | {"segmentation": _runs(_mask(*box)), "category_id": 7, "amodal_bbox": [5, 3, 50, 40]},
        base | {"segmentation": polygon, "category_id": 7, "bbox": [10, 8, 30, 20.5]},
        base | {"image_id": 2, "iscrowd": 1, "bbox": [0, 0, 50, 50]},
        base | {"image_id": 3, "bbox": [60, 40, 36, 24]},
        base | {"image_id": 4, "bbox": [60, 40, 3, 10]},
    ]
    return {
        "images": [{"id": n, "file_name": f"{n}.png", "width": WIDTH, "height": HEIGHT} for n in range(1, images + 1)],
        "categories": [{"id": 1, "name": "cup"}, {"id": 7, "name": NASTY}],
        "annotations": [{"id": number, **one} for number, one in enumerate(annotations, 1)],
    }


def _write(root: Path, content: dict[str, Any], seed: int = 0) -> Path:
    (root / "images").mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for image in content["images"]:
        picture = rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8)
        (root / "images" / image["file_name"]).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    (root / "annotations.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    return _write(tmp_path / "data", _content())


def _describe(root: Path) -> dict[str, Any]:
    data = read_dataset(root)
    files = list_files(root / "images", data.file_names)
    pixels = measure(data, files.present.tolist(), lambda _: None)
    return statistics.describe(data, files, pixels, feature_values(data, pixels))


def _view(*arguments: str) -> int:
    return main(["view", *arguments])


@pytest.mark.parametrize("seed", range(5))
def test_every_way_to_write_a_mask_has_the_same_extent(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = int(rng.integers(0, 60)), int(rng.integers(0, 40))
    w, h = int(rng.integers(1, WIDTH - x)), int(rng.integers(1, HEIGHT - y))
    mask = _mask(x, y, w, h)
    box = (x, y, x + w, y + h)
    polygon = [[x, y, x + w, y, x + w, y + h, x, y + h]]
    for segmentation in (rle.encode(mask), _runs(mask), polygon):
        assert extent(segmentation, WIDTH, HEIGHT) == box
        points = np.concatenate(outlines(segmentation, WIDTH, HEIGHT))
        assert np.abs(np.r_[points.min(0), points.max(0)] - box).max() <= 0.25


def test_outlines_of_a_mask_enclose_its_pixels_and_leave_its_holes() -> None:
    mask = _mask(20, 10, 30, 20) & ~_mask(28, 14, 8, 8) | _mask(70, 50, 26, 14)
    drawn = np.zeros((HEIGHT * 16, WIDTH * 16), np.uint8)
    rings = [np.rint(ring * 16).astype(np.int32) for ring in outlines(rle.encode(mask), WIDTH, HEIGHT)]
    cv2.fillPoly(drawn, rings, 1)
    assert len(rings) == 3
    assert (drawn[8::16, 8::16].astype(bool) == mask).all()
    assert outlines(rle.encode(np.zeros_like(mask)), WIDTH, HEIGHT) == []


def test_a_mask_of_noise_stays_short_in_the_page(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).random((HEIGHT, WIDTH)) > 0.4
    content = _content()
    content["annotations"][0]["segmentation"] = rle.encode(noise)
    data = read_dataset(_write(tmp_path / "data", content))
    shape = next(one for one in shapes_of(data, 0, 4.0) if one.name == "cup")
    assert 0 < len(shape.rings) <= 8 and max(map(len, shape.rings)) <= 60


@pytest.mark.parametrize(
    "segmentation",
    [
        [[1, 2, 3]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, "x", 5, 6]],
        [[1, 2, 3, 1e300, 5, 6]],
        "text",
        {"size": [HEIGHT, WIDTH]},
        {"size": [2, 2], "counts": [4]},
        {"size": [HEIGHT, WIDTH], "counts": [1, 2]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": [HEIGHT, WIDTH], "counts": "zz"},
        {"size": [HEIGHT, WIDTH], "counts": "ooooooooooo0"},
        {"size": None, "counts": None},
    ],
)
def test_broken_masks_are_told_as_such(segmentation: Any) -> None:
    with pytest.raises(BrokenMaskError):
        extent(segmentation, WIDTH, HEIGHT)
    with pytest.raises(BrokenMaskError):
        outlines(segmentation, WIDTH, HEIGHT)


def test_annotations_become_columns_ordered_by_image(tmp_path: Path) -> None:
    content = _content()
    content["annotations"].reverse()
    data = read_dataset(_write(tmp_path / "data", content))
    assert data.image.tolist() == [0, 0, 0, 1, 2, 3]
    assert list(data.of(0)) == [0, 1, 2] and list(data.of(4)) == []
    assert data.category.tolist() == [1, 1, 0, 0, 0, 0]
    assert data.boxes[4].tolist() == [60, 40, 96, 64]
    assert data.crowd.tolist() == [False, False, False, True, False, False]
    assert np.flatnonzero(~np.isnan(data.occlusion)).tolist() == [2] and data.occlusion[2] == 0.25
    assert data.amodal[1].tolist() == [5, 3, 55, 43] and np.isnan(data.amodal[0]).all()
    assert data.segmentation(2) == rle.encode(_mask(10, 8, 30, 20)) and data.segmentation(3) is None
    assert data.faults == {}


def test_numbers_of_a_known_dataset(dataset: Path) -> None:
    numbers = _describe(dataset)
    assert (numbers["images"], numbers["objects"], numbers["unlabelled"]) == (5, 5, 1)
    assert numbers["negative_images"] == 1
    assert [(row["labelled"], row["unlabelled"], row["images"]) for row in numbers["classes"]] == [(3, 1, 3), (2, 0, 1)]
    assert numbers["coco_bands"] == {"small": 5, "medium": 0, "large": 0}
    per_image = numbers["features"]["objects_per_image"]
    assert (per_image["mean"], per_image["maximum"]) == (1.0, 3.0)
    assert numbers["features"]["occlusion"]["count"] == 1 and numbers["features"]["occlusion"]["mean"] == 25
    assert numbers["sample"]["masks"] == 3 and numbers["sample"]["masks_that_differ_from_the_box"] == 0
    assert sum(numbers["features"]["size_px"]["histogram"]["counts"]) == 5
    json.dumps(numbers, allow_nan=False)


def test_pixels_are_measured_in_their_units(tmp_path: Path) -> None:
    root = _write(tmp_path / "data", _content(2) | {"annotations": []})
    red = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    red[:, :, 2] = 200
    half = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    half[:, WIDTH // 2 :] = 100
    for name, picture in (("1.png", red), ("2.png", half)):
        (root / "images" / name).write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    pixels = measure(read_dataset(root), [0, 1], lambda _: None)
    assert pixels.color.tolist() == [[200, 0, 0], [50, 50, 50]]
    assert pixels.saturation.tolist() == [1, 0]
    assert pixels.brightness == pytest.approx([60, 50])  # ITU-R BT.601: 0.299 of red
    assert pixels.contrast == pytest.approx([0, 50])
    assert pixels.sharpness[0] == 0 < pixels.sharpness[1]


def test_the_heat_map_counts_the_boxes_over_each_cell(dataset: Path) -> None:
    data = read_dataset(dataset)
    rows_, columns = statistics.HEAT_GRID
    expected = np.zeros((rows_, columns))
    for box, crowd in zip(data.boxes, data.crowd, strict=True):
        for row in range(rows_):
            for column in range(columns):
                x0, x1 = column * WIDTH / columns, (column + 1) * WIDTH / columns
                y0, y1 = row * HEIGHT / rows_, (row + 1) * HEIGHT / rows_
                expected[row, column] += not crowd and x0 < box[2] and x1 > box[0] and y0 < box[3] and y1 > box[1]
    assert np.allclose(statistics.heat_map(data, None), expected / 5)


def test_ks_distance_against_values_known_from_the_definition() -> None:
    assert ks_distance(np.array([1.0, 2, 3]), np.array([3.0, 1, 2])) == 0
    assert ks_distance(np.arange(4.0), np.arange(10.0, 12)) == 1
    assert ks_distance(np.array([1.0, 2, 3, 4]), np.array([3.0, 4, 5, 6])) == 0.5


def test_the_features_farthest_apart_come_first() -> None:
    rng = np.random.default_rng(0)
    first = {"brightness": rng.normal(50, 5, 300), "contrast": rng.normal(30, 5, 300)}
    second = {"brightness": rng.normal(200, 5, 300), "contrast": rng.normal(30, 5, 300)}
    empty = {key: np.zeros(0) for key in feature_values_keys()}
    found = compare_features(empty | first, empty | second)
    assert [row["feature"] for row in found] == ["brightness", "contrast"]
    assert found[0]["distance"] == 1 and found[1]["distance"] < 0.2


def feature_values_keys() -> list[str]:
    from perception_sim.view.features import FEATURES

    return [feature.key for feature in FEATURES]


def test_identical_files_are_found_within_and_between_datasets(tmp_path: Path) -> None:
    paths = {}
    content = {(0, 0): b"a" * 9000, (0, 1): b"a" * 8999 + b"b", (0, 2): b"a" * 9000, (1, 0): b"b" + b"a" * 8999}
    content |= {(1, 1): b"a" * 8999 + b"b", (1, 2): b"short"}
    for key, data in content.items():
        paths[key] = tmp_path / "_".join(map(str, key))
        paths[key].write_bytes(data)
    sizes = [np.array([9000, 9000, 9000, -1]), np.array([9000, 9000, 5])]

    def search(limit: int) -> Any:
        return find_duplicates(sizes, lambda *key: paths[key], limit, np.random.default_rng(0))

    found = search(100)
    assert found.groups == (((0, 0), (0, 2)), ((0, 1), (1, 1)))
    assert found.looked_at == found.candidates == 5
    assert search(0).groups == () and search(3).looked_at == 3


def test_files_are_listed_in_their_folders_and_never_outside(tmp_path: Path) -> None:
    for name in ("a.jpg", "images/b.jpg", "images/sub/c.jpg", "images/sub/extra.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"123")
    names = ["b.jpg", "sub/c.jpg", "none.jpg", "../a.jpg", str(tmp_path / "a.jpg"), "sub/../../a.jpg"]
    files = list_files(tmp_path / "images", names)
    assert files.size.tolist() == [3, 3, -1, -1, -1, -1]
    assert files.unlisted == 1


def _findings(result: dict[str, Any], index: int = 0) -> dict[str, int]:
    return {finding["kind"]: finding["count"] for finding in result["datasets"][index]["findings"]}


def test_a_damaged_dataset_is_shown_with_its_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = _content(8)
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
    root = _write(tmp_path / "data", content)
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
    first = _write(tmp_path / "train", _content())
    content = _content()
    content["categories"].append({"id": 9, "name": "only here"})
    content["annotations"][4]["category_id"] = 9
    second = _write(tmp_path / "val", content, seed=1)
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
    content = _content(3) | {"annotations": [], "categories": []}
    root = _write(tmp_path / "data", content)
    for path in (root / "images").iterdir():
        path.unlink()
    page = tmp_path / "page.html"
    assert _view("--dataset", str(root), "--output", str(page)) == 0
    assert "nothing is labelled" in page.read_text() and "images missing in images/: 3 of 3" in page.read_text()


def _broken(change: Any) -> str:
    content = _content()
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


def _mutated(content: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """The content with one value somewhere below replaced or removed."""
    content = copy.deepcopy(content)
    node: Any = content
    while True:
        key = rng.choice(list(node) if isinstance(node, dict) else range(len(node)))
        if not isinstance(node[key], (dict, list)) or not node[key] or rng.random() < 0.15:
            break
        node = node[key]
    if isinstance(node, dict) and rng.random() < 0.2:
        del node[key]
    else:
        node[key] = rng.choice([None, -1, 0, 1e308, -1e308, "x", [], {}, [[]], True, 2**70, "\0", [1e400], {"a": 1}])
    return content


def test_no_mutation_of_the_annotations_gets_past_the_reader_as_a_crash(dataset: Path, tmp_path: Path) -> None:
    rng = random.Random(4)
    outcomes = {True: 0, False: 0}
    for _ in range(200):
        (dataset / "annotations.json").write_text(json.dumps(_mutated(_content(), rng)))
        try:
            if read_dataset(dataset).file_names:
                json.dumps(_describe(dataset), allow_nan=False)
                write_sheet(dataset, tmp_path / "sheet.png", 2, 1)
            outcomes[True] += 1
        except UserError:
            outcomes[False] += 1
    assert min(outcomes.values()) > 20  # both were tried


def test_a_sheet_draws_boxes_amodal_boxes_and_masks_where_they_are(dataset: Path, tmp_path: Path) -> None:
    (dataset / "annotations.json").write_text(json.dumps(_content()).replace(json.dumps(NASTY), '"a"'))
    for path in (dataset / "images").iterdir():
        path.write_bytes(cv2.imencode(".png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))[1].tobytes())
    assert write_sheet(dataset, tmp_path / "sheet.png", 1, 1) == 1
    tile = cv2.imread(str(tmp_path / "sheet.png"))[6 : 6 + HEIGHT, 6 : 6 + WIDTH]
    lit = tile.any(2)
    assert lit[27, 10:40].all() and lit[8:28, 10].all() and lit[8:28, 39].all()
    assert not lit[30:42, 12:50].any()
    dashes = lit[42, 5:55]
    assert 0.3 < dashes.mean() < 0.8
    assert not lit[43:].any() and not lit[:, 56:].any()


def test_pictures_are_spread_over_the_dataset_or_begin_where_asked() -> None:
    assert spread(range(100), 4) == [0, 25, 50, 75]
    assert spread(range(3), 10) == [0, 1, 2]
    assert spread(range(100), 3, first=98) == [98, 99]
    assert spread([], 3) == []


def test_provenance_of_any_tool_is_told_briefly() -> None:
    imported = {
        "generator": "perception_train import",
        "config": {"max_occlusion": 0.85, "seed": 0},
        "sources": [{"format": "kitti", "images": 2, "path": "a/b"}],
        "report": {"object_dropped": {"too small": {"count": 3, "examples": ["x.txt"]}}},
    }
    assert headline(imported) == [
        ("made by", "perception_train import"),
        ("from", "a/b (kitti, 2 images)"),
        ("limits of labels", "max_occlusion: 0.85"),
        ("object dropped", "3 too small"),
    ]
    assert ("report.object_dropped.too small.count", "3") in rows(imported)
    generated = {"config": {"preset": {"name": "demo", "labels": {"min_box_px": 24.0, "other": 1}}}, "seed": 0}
    assert headline(generated) == [("preset", "demo"), ("seed", "0"), ("limits of labels", "min_box_px: 24.0")]
    assert rows({}) == [] and headline({}) == []
    assert headline({"config": 3, "sources": "x", "report": [], "seed": {}}) == [("from", "x")]
    long = rows({str(n): "x" * 1000 for n in range(1000)})
    assert len(long) < 200 and max(len(text) for _, text in long) <= 300

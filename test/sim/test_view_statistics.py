"""perception-sim view: what is read from a dataset, counted, measured and compared."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from labelled import HEIGHT, WIDTH, block, content_of, described, written

from perception_common.errors import UserError
from perception_sim import rle
from perception_sim.view import statistics
from perception_sim.view.annotations import read_dataset
from perception_sim.view.comparison import compare_features, ks_distance
from perception_sim.view.features import FEATURES
from perception_sim.view.files import find_duplicates, list_files
from perception_sim.view.pixels import measure
from perception_sim.view.provenance import headline, rows
from perception_sim.view.sheet import write_sheet


def test_annotations_become_columns_ordered_by_image(tmp_path: Path) -> None:
    content = content_of()
    content["annotations"].reverse()
    data = read_dataset(written(tmp_path / "data", content))
    assert data.image.tolist() == [0, 0, 0, 1, 2, 3]
    assert list(data.of(0)) == [0, 1, 2] and list(data.of(4)) == []
    assert data.category.tolist() == [1, 1, 0, 0, 0, 0]
    assert data.boxes[4].tolist() == [60, 40, 96, 64]
    assert data.crowd.tolist() == [False, False, False, True, False, False]
    assert np.flatnonzero(~np.isnan(data.occlusion)).tolist() == [2] and data.occlusion[2] == 0.25
    assert data.amodal[1].tolist() == [5, 3, 55, 43] and np.isnan(data.amodal[0]).all()
    assert data.segmentation(2) == rle.encode(block(10, 8, 30, 20)) and data.segmentation(3) is None
    assert data.faults == {}


def test_numbers_of_a_known_dataset(dataset: Path) -> None:
    numbers = described(dataset)
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
    root = written(tmp_path / "data", content_of(2) | {"annotations": []})
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
    empty = {key: np.zeros(0) for key in (feature.key for feature in FEATURES)}
    found = compare_features(empty | first, empty | second)
    assert [row["feature"] for row in found] == ["brightness", "contrast"]
    assert found[0]["distance"] == 1 and found[1]["distance"] < 0.2


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
        (dataset / "annotations.json").write_text(json.dumps(_mutated(content_of(), rng)))
        try:
            if read_dataset(dataset).file_names:
                json.dumps(described(dataset), allow_nan=False)
                write_sheet(dataset, tmp_path / "sheet.png", 2, 1)
            outcomes[True] += 1
        except UserError:
            outcomes[False] += 1
    assert min(outcomes.values()) > 20  # both were tried


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

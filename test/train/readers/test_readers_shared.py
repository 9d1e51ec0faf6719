"""Real samples made by others, where they lie beside the checkout: the counts that their notes give."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from foreign import params, read

from perception_train.data.coco import CocoDataset
from perception_train.data.importing.command import import_datasets
from perception_train.data.readers import Tally, detect
from perception_train.data.readers.masks import extent

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the sample data (../shared/data) is not here")


def test_cards(tmp_path: Path) -> None:
    assert detect(DATA / "cards") == "voc"
    result = import_datasets(params(DATA / "cards", tmp_path / "out", split="source", images="link", verify=False))
    counts = {name: (part["images"], part["annotations"]) for name, part in result["parts"].items()}
    assert counts == {"train": (296, 527), "test": (67, 143)}
    assert result["classes"] == ["ace", "jack", "king", "nine", "queen", "ten"]
    assert set(result["report"]) <= {"note"}
    assert len(CocoDataset.open(tmp_path / "out" / "train").samples) == 296


def test_nuts(tmp_path: Path) -> None:
    assert detect(DATA / "nuts") == "coco"
    result = import_datasets(params(DATA / "nuts", tmp_path / "out"))
    assert result["report"] == {}
    assert result["parts"][""]["per_class"] == {"date": 71, "hazelnut": 53, "fig": 41}
    assert len(list((tmp_path / "out" / "masks").iterdir())) == 18
    dataset = CocoDataset.open(tmp_path / "out")
    assert (len(dataset.samples), sum(len(sample.boxes) for sample in dataset.samples)) == (18, 165)


def test_replicator(tmp_path: Path) -> None:
    source = DATA / "replicator" / "pallet_mit"
    assert detect(source) == "replicator"
    tally = Tally()
    samples = read("replicator", source, tally)
    assert {sample.image.parent.name: len(sample.objects) for sample in samples} == {
        "_out_sdrec_mess": 291,
        "_out_sdrec_fallRight": 567,
    }
    assert tally.rows() == []
    for sample in samples:
        # Inclusive maxima: what reaches the last pixel of 1280x720 ends at the edge.
        assert np.max([item.box[2:] for item in sample.objects], 0).tolist() == [1280, 720]
        assert sample.intrinsics is not None
        assert sample.intrinsics[0][0] == pytest.approx(sample.intrinsics[1][1])
    result = import_datasets(params(source, tmp_path / "out", classes=("pallet", "cone=traffic_cone")))
    rows = Counter(item.names[0] for sample in samples for item in sample.objects)
    part = result["parts"][""]
    assert part["annotations"] + part["unlabelled"] == rows["pallet"] + rows["cone"]
    assert result["report"]["object_dropped"]["class not selected"]["count"] == 858 - rows["pallet"] - rows["cone"]
    assert part["per_class"] == {"pallet": 23, "traffic_cone": 3}


def test_solo_boxes_are_mask_extents(tmp_path: Path) -> None:
    assert detect(DATA / "solo") == "solo"
    samples = read("solo", DATA / "solo")
    boxes = 0
    for sample in samples:
        for item in sample.objects:
            if item.mask is not None:
                assert extent(item.mask.pixels(1024, 768)) == item.box
                boxes += 1
    assert boxes >= 3
    assert [Counter(item.names[0] for item in sample.objects) for sample in samples] == [
        {"Crate": 2, "Character": 1},
        {"Crate": 2, "Character": 1},
    ]
    result = import_datasets(params(DATA / "solo", tmp_path / "out"))
    # Its picture of classes knows crates only: the objects' own masks are painted.
    assert list(result["report"]) == ["note"]
    mask = cv2.imread(str(tmp_path / "out" / "masks" / "000000.png"), cv2.IMREAD_UNCHANGED)
    assert np.bincount(mask.ravel()).tolist()[1:] == [16777, 35950 + 47768]
    assert result["parts"][""]["per_class"] == {"Character": 2, "Crate": 4}
    areas = {entry["area"] for entry in json.loads((tmp_path / "out" / "annotations.json").read_text())["annotations"]}
    # Perception's own count of visible pixels.
    assert {35950, 16777, 47768} <= areas

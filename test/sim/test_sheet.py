"""The contact sheet: what is drawn where, and which pictures are on it."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from labelled import HEIGHT, NASTY, WIDTH, content_of

from perception_sim.view.sheet import spread, write_sheet


def test_a_sheet_draws_boxes_amodal_boxes_and_masks_where_they_are(dataset: Path, tmp_path: Path) -> None:
    (dataset / "annotations.json").write_text(json.dumps(content_of()).replace(json.dumps(NASTY), '"a"'))
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

#!/usr/bin/env python3
"""Pictures of a run's report for the documentation: ``.venv/bin/python scripts/make_report_pictures.py``.

Draws the report of a finished run anew and writes docs/images/report_plots.png, its plots in one picture, and
docs/images/report_worst.jpg, the first of its worst validation pictures with truth (left) and answer (right).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from docs_images import write

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import param
from perception_train.data.coco import CocoDataset
from perception_train.evaluation.curves import run_plots
from perception_train.evaluation.pictures import draw_pair
from perception_train.evaluation.plots import figure_plots
from perception_train.evaluation.rundata import RunData

PLOTS = ("losses", "validations", "precision_recall", "classes", "confusion", "calibration")
COLUMNS, CELL_PX, GAP_PX, PAIRS = 2, 640, 12, 4


@dataclass(frozen=True)
class PictureParams:
    """Parameters of the picture maker."""

    run_directory: str = param("runs/train", "directory of the training run")
    validation: str = param("datasets/val", "directory of its validation dataset")


def make(params: PictureParams) -> Result:
    """Both pictures."""
    run = RunData.read(Path(params.run_directory))
    if run.figures is None:
        raise UserError("the run has no validation yet", where=params.run_directory, fix="train first")
    drawn = run_plots(run) | figure_plots(run.figures)
    plots = [decoded(drawn[name]) for name in PLOTS if name in drawn]
    write("report_plots.png", stacked([scaled(plot, CELL_PX) for plot in plots], COLUMNS))
    dataset = CocoDataset.open(Path(params.validation))
    pairs = [draw_pair(dataset, example) for example in run.figures.examples[:PAIRS]]
    sides = [
        np.hstack([scaled(decoded(side), CELL_PX // 2 - 1) for side in (pair.truth, pair.found)]) for pair in pairs
    ]
    write("report_worst.jpg", stacked(sides, COLUMNS))
    return None


def decoded(data: bytes) -> np.ndarray:
    """The picture, BGR."""
    return np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR))


def scaled(picture: np.ndarray, width: int) -> np.ndarray:
    """The picture at that width."""
    factor = width / picture.shape[1]
    return np.asarray(cv2.resize(picture, (width, round(picture.shape[0] * factor)), interpolation=cv2.INTER_AREA))


def stacked(pictures: list[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one width in rows, on white."""
    rows = []
    for start in range(0, len(pictures), columns):
        row = pictures[start : start + columns]
        height = max(picture.shape[0] for picture in row)
        width = max(picture.shape[1] for picture in pictures)
        sheet = np.full((height + GAP_PX, (width + GAP_PX) * columns, 3), 255, np.uint8)
        for index, picture in enumerate(row):
            left, top = index * (width + GAP_PX), (height - picture.shape[0]) // 2
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        rows.append(sheet)
    return np.vstack(rows)[:-GAP_PX, :-GAP_PX]


if __name__ == "__main__":
    command = Command("make_report_pictures", "Draw the report of a run for the documentation.", PictureParams, make)
    sys.exit(cli.single("make_report_pictures", command))

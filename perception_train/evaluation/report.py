"""Plots and a page of a run directory or of one evaluation, made of the figures that are on disk already."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perception_common import durable

from ..data.coco import CocoDataset
from ..training.records import FIGURES, SUMMARY
from ..training.samples import NAME as SAMPLES
from .curves import run_plots
from .figures import DetectionFigures, Figures
from .page import Content, build_page
from .pictures import draw_pair
from .plots import figure_plots
from .rundata import RunData
from .tables import number

PAGE, PLOTS, EVALUATION = "report.html", "plots", "evaluation.json"
Cards = list[tuple[str, str, str]]


class RunReport:
    """Writes ``plots/*.png`` and ``report.html`` of a run, as often as is asked.

    Args:
        run_directory: where the run keeps its files.
        validation: directory of its validation dataset, read when the first pictures are drawn.
        params: names and values, to be shown.
    """

    def __init__(self, run_directory: Path, validation: Path, params: Mapping[str, Any]) -> None:
        self._run, self._validation, self._params = run_directory, validation, params
        self._dataset: CocoDataset | None = None

    def write(self, start: Mapping[str, Any], state: str) -> Path:
        """Draw everything anew from the run's files; the page.

        Args:
            start: what the run said when it started (the trainer's ``start`` event).
            state: how it stands, in a word.

        Raises:
            UserError, OSError, ValueError: a file cannot be read or written.
        """
        run = RunData.read(self._run)
        curves, plots = run_plots(run), figure_plots(run.figures) if run.figures is not None else {}
        write_plots(self._run / PLOTS, curves | plots)
        if self._dataset is None:
            self._dataset = CocoDataset.open(self._validation)
        dataset = self._dataset
        samples = self._run / SAMPLES
        told = {key: start[key] for key in ("precision", "parameters", "images", "validation_images") if key in start}
        page = build_page(
            Content(
                title=f"Training {self._params.get('model', 'a model')}",
                lead=_run_lead(self._params, told, dataset),
                cards=_run_cards(run, state),
                source=f"train.csv, validation.csv, {FIGURES} and {SUMMARY}",
                figures=run.figures,
                validated=f"The last validation, at step {run.figures_step}",
                plots=plots,
                pairs=[draw_pair(dataset, example) for example in run.figures.examples] if run.figures else [],
                curves=curves,
                validations=run.validations,
                best_step=None if run.best is None else run.best["step"],
                metric=run.metric,
                samples=samples.read_bytes() if samples.exists() else None,
                facts=[(name, str(value)) for name, value in self._params.items()],
            )
        )
        durable.write_text(self._run / PAGE, page)
        return self._run / PAGE


def write_evaluation(
    directory: Path, title: str, dataset: CocoDataset, metrics: Mapping[str, float], figures: Figures
) -> Path:
    """Write ``plots/*.png``, ``evaluation.json`` and ``report.html`` of one evaluation; the page.

    Raises:
        UserError: the directory cannot be written, or a picture cannot be read.
    """
    durable.ensure_writable(directory)
    plots = figure_plots(figures)
    write_plots(directory / PLOTS, plots)
    told = {"title": title, "images": len(dataset.samples), **metrics, "figures": dataclasses.asdict(figures)}
    durable.write_text(directory / EVALUATION, json.dumps(told, indent=1) + "\n")
    page = build_page(
        Content(
            title=title,
            lead=f"{len(dataset.samples)} images of {dataset.root.name}; {len(dataset.classes)} classes",
            cards=[*_metric_cards(metrics), *_figure_cards(figures)],
            source=EVALUATION,
            figures=figures,
            validated="Figures",
            plots=plots,
            pairs=[draw_pair(dataset, example) for example in figures.examples],
        )
    )
    durable.write_text(directory / PAGE, page)
    return directory / PAGE


def write_plots(directory: Path, plots: Mapping[str, bytes]) -> None:
    """Write PNGs by their names."""
    for name, data in plots.items():
        durable.write_bytes(directory / f"{name}.png", data)


def _run_lead(params: Mapping[str, Any], start: Mapping[str, Any], dataset: CocoDataset) -> str:
    parts = [
        str(params.get("architecture", "")),
        f"{params.get('width')}×{params.get('height')}",
        f"{start['parameters']:,} parameters" if "parameters" in start else "",
        str(start.get("precision", "")),
        f"{start['images']:,} images to train on" if "images" in start else "",
        f"{len(dataset.samples):,} to validate on",
        f"{len(dataset.classes)} classes",
    ]
    return ", ".join(part for part in parts if part)


def _run_cards(run: RunData, state: str) -> Cards:
    cards: Cards = [("state", state, f"step {int(run.steps[-1]['step']):,}" if run.steps else "")]
    if run.validations:
        last = run.validations[-1]
        cards += _metric_cards({key: last[key] for key in _NAMES if key in last})
    if run.best is not None:
        version = f", v{run.best['version']}" if run.best.get("version") else ""
        cards.append(("best so far", number(run.best[run.metric]), f"step {run.best['step']:,}{version}"))
    if run.figures is not None:
        cards += _figure_cards(run.figures)
    versions = [f"v{row['version']}" for row in run.validations if row.get("version")]
    cards.append(("versions exported", ", ".join(versions[-4:]) or "none", f"of {len(versions)}" * (len(versions) > 4)))
    if run.steps:
        speeds: Sequence[float] = sorted(run.column("images_per_second"))
        cards.append(("speed", f"{speeds[len(speeds) // 2]:.1f}", "images/s"))
        cards.append(("time", f"{run.steps[-1]['seconds'] / 60:.1f}", "minutes"))
    return cards


_NAMES = {"map50": "mAP50", "map": "mAP", "map75": "mAP75", "miou": "mIoU", "pixel_accuracy": "pixels right"}


def _metric_cards(metrics: Mapping[str, float]) -> Cards:
    return [(label, number(metrics[name]), "") for name, label in _NAMES.items() if name in metrics]


def _figure_cards(figures: Figures) -> Cards:
    cards: Cards = [("calibration error", number(figures.calibration.error), "")]
    if isinstance(figures, DetectionFigures):
        cards.append(("objects", f"{sum(row.objects for row in figures.classes):,}", ""))
    return cards

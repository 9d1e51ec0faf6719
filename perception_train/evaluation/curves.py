"""Plots of a run over its steps: losses, learning rate, validations."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .rundata import RunData
from .style import INK, PALETTE, SOFT, to_png

_LABELS = {
    "map": "mAP (IoU 0.50 to 0.95)",
    "map50": "mAP50",
    "map75": "mAP75",
    "miou": "mIoU",
    "pixel_accuracy": "pixels right",
}
Floats = npt.NDArray[np.float64]


def run_plots(run: RunData) -> dict[str, bytes]:
    """PNGs by name, of what there is."""
    plots: dict[str, bytes] = {}
    if run.steps:
        plots |= {"losses": _losses(run), "learning_rate": _learning_rate(run)}
    if run.validations:
        plots["validations"] = _validations(run)
    return plots


def moving_mean(values: Floats, window: int) -> Floats:
    """The mean of the last ``window`` values at every place (of fewer at the beginning); NaN does not count."""
    known = np.isfinite(values)
    total, count = np.cumsum(np.where(known, values, 0.0)), np.cumsum(known)
    total[window:], count[window:] = total[window:] - total[:-window], count[window:] - count[:-window]
    mean: Floats = np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)
    return mean


def _losses(run: RunData) -> bytes:
    steps = np.array(run.column("step"))
    names = ["loss", *sorted({name for row in run.steps for name in row if name.startswith("loss_")})]
    window = max(1, len(steps) // 20)

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        shown = []
        for number, name in enumerate(names):
            values = np.array(run.column(name))
            mean, color = moving_mean(values, window), PALETTE[number % len(PALETTE)]
            axes.plot(steps, values, color=color, alpha=0.35, linewidth=0.8)
            label = "total" if name == "loss" else name.removeprefix("loss_")
            axes.plot(steps, mean, color=color, linewidth=2.2 if number == 0 else 1.4, label=label)
            shown.append(mean[np.isfinite(mean)])
        # What the first steps lose would flatten all the rest.
        every = np.concatenate(shown)
        axes.set_ylim(0, float(np.percentile(every, 99)) * 1.1 if every.size and every.max() > 0 else 1)
        axes.set(title="Losses", xlabel=f"step (lines: mean of {window} rows)" if window > 1 else "step")
        _step_axis(axes)
        axes.legend(ncols=min(len(names), 4), loc="upper right")

    return to_png(draw)


def _learning_rate(run: RunData) -> bytes:
    steps = run.column("step")

    def draw(figure: Figure) -> None:
        rate, speed = figure.subplots(2, 1, sharex=True)
        rate.plot(steps, run.column("lr"), color=PALETTE[0], linewidth=1.8)
        rate.set(title="Learning rate", ylim=(0, None))
        rate.ticklabel_format(axis="y", style="sci", scilimits=(-3, 3))
        speed.plot(steps, run.column("images_per_second"), color=PALETTE[2], linewidth=1.4)
        speed.set(title="Images per second", xlabel="step", ylim=(0, None))
        _step_axis(speed)

    return to_png(draw)


def _validations(run: RunData) -> bytes:
    rows, best = run.validations, run.best
    steps = [row["step"] for row in rows]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        names = [name for name in _LABELS if name in rows[0]]
        for number, name in enumerate(names):
            values = [row[name] for row in rows]
            axes.plot(
                steps, values, color=PALETTE[number], marker="o", markersize=4, linewidth=1.8, label=_LABELS[name]
            )
        if best is not None:
            label = f"best: {best[run.metric]:.3f} at step {best['step']}"
            axes.plot(best["step"], best[run.metric], "*", color=INK, markersize=11, zorder=5, label=label)
        top = max(row[name] for row in rows for name in names)
        axes.set(title="Validation", xlabel="step", ylim=(0, min(max(top * 1.25, 0.05), 1.02)))
        for row in rows:
            if row.get("version"):
                axes.axvline(row["step"], color=SOFT, linewidth=0.8, linestyle=(0, (3, 3)), zorder=0)
                axes.annotate(
                    f"v{row['version']}",
                    (row["step"], 1.0),
                    (-3, -2),
                    xycoords=("data", "axes fraction"),
                    textcoords="offset points",
                    ha="right",
                    va="top",
                    fontsize=9,
                    color=SOFT,
                )
        _step_axis(axes)
        axes.legend(loc="best", frameon=True, facecolor="white", edgecolor="none", framealpha=0.9)

    return to_png(draw)


def _step_axis(axes: Axes) -> None:
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))

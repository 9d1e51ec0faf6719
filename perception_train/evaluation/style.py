"""How plots look: one palette and one set of rules for all of them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK, SOFT, EDGE, PALE = "#1a2230", "#586475", "#dde2e9", "#a9c1ef"
#: Told apart on white, also by the colour-blind: after Okabe and Ito (2008), a little darker.
PALETTE = ("#2563c9", "#d2660f", "#0b8a6a", "#a83f8f", "#8a6d00", "#2b9bd0", "#b3261e", "#5b6b7d")
_STYLE: Any = {
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.edgecolor": EDGE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": EDGE,
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.solid_capstyle": "round",
    # A class may be called "$x$".
    "text.parse_math": False,
}
_DPI = 120


def to_png(draw: Callable[[Figure], None], size: tuple[float, float] = (5.6, 3.4)) -> bytes:
    """What ``draw`` makes of an empty figure of ``size`` inches, as a PNG."""
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # Letters that Matplotlib's own font lacks become boxes; the page has the names as text.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        buffer = io.BytesIO()
        # No compression worth its time: these are drawn while a model waits to be trained.
        figure.savefig(buffer, format="png", dpi=_DPI, pil_kwargs={"compress_level": 3}, metadata={"Software": None})
    return buffer.getvalue()


def shortened(name: str, most: int = 18) -> str:
    """A name that fits beside an axis; what is left out is in its middle, for numbers stand at the end."""
    end = most // 3
    return name if len(name) <= most else f"{name[: most - end - 1]}…{name[-end:]}"


def unit_axes(axes: Axes, x: str, y: str) -> None:
    """Both axes from 0 to 1."""
    axes.set(xlabel=x, ylabel=y, xlim=(0, 1), ylim=(0, 1.02))

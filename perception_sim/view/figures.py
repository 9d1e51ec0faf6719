"""Matplotlib figures as SVG that belongs into a page: its fonts, and colours that follow light and dark."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Stand-ins that no picture uses; in the page each becomes a variable of the style sheet.
INK, SOFT, EDGE, FIRST, SECOND = "#010203", "#020304", "#030405", "#040506", "#050607"
COLORS = (FIRST, SECOND)
_VARIABLES = {INK: "--ink", SOFT: "--soft", EDGE: "--edge", FIRST: "--a", SECOND: "--b"}
_STYLE = {
    "font.size": 10,
    "font.family": "sans-serif",
    "axes.edgecolor": EDGE,
    "axes.labelcolor": SOFT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": EDGE,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": EDGE,
    "ytick.color": EDGE,
    "xtick.labelcolor": SOFT,
    "ytick.labelcolor": SOFT,
    "svg.fonttype": "none",
    "axes.unicode_minus": False,
    # A class may be called "$x$".
    "text.parse_math": False,
}


def to_svg(title: str, draw: Callable[[Axes], None], size: tuple[float, float] = (4.1, 2.55)) -> Markup:
    """Draw into one pair of axes; inline SVG with ``title`` for screen readers. ``size`` is in inches."""
    # The salt makes the ids of one chart differ from those of all others in the page, and the same in every run.
    with mpl.rc_context({**_STYLE, "svg.hashsalt": title}), warnings.catch_warnings():
        # Of letters that Matplotlib's own font lacks: the reader's fonts draw them.
        warnings.filterwarnings("ignore", message="Glyph")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    # Sizes and fonts come from the page, and the names of Matplotlib's groups would repeat from chart to chart.
    text = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'<g id="[^"]*">', "<g>", text)
    text = re.sub(r"font: (\d[\d.]*px) [^;\"]*", r"font-size: \1", text)
    text = re.sub(r" ?font-family: [^;\"]*;?", "", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    label = Markup(' role="img" aria-label="{}"').format(title)
    return Markup(text.replace("<svg", f"<svg{label}", 1))  # noqa: S704  # ours, and Matplotlib escapes what it is given

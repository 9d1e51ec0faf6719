"""The page of a comparison: figures side by side, differences with their intervals, and where to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import perception_common

from ..bootstrap import Interval
from ..comparison import interval_of, shown_in
from .markup import Html, joined, tag
from .tables import table

_TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>$title</title>
<style>$style</style>
</head>
<body><main><h1>$title</h1>$body</main></body>
</html>
"""
_STYLE = """
table { border-collapse: collapse; width: 100%; } th, td { padding: 4px 10px; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; } tbody tr { border-top: 1px solid var(--edge); }
tbody th { font-weight: 500; } .panel { padding: 10px 14px; margin: 12px 0; overflow-x: auto; }
.range { display: inline-block; position: relative; width: 150px; height: 12px; background: var(--page); }
.range i { position: absolute; top: 4px; height: 4px; border-radius: 2px; background: var(--soft); }
.range b { position: absolute; top: 0; width: 1px; height: 12px; background: var(--ink); }
.better .range i { background: var(--a); } .worse .range i { background: var(--bad); }
.better .told { color: var(--a); } .worse .told { color: var(--bad); } a { color: var(--a); }
"""
#: Differences of shares beyond this are drawn at the end of their scale.
_LEAST_SCALE = 0.02


def build_comparison(comparison: Mapping[str, Any], reports: Sequence[str], bag: str) -> str:
    """The HTML document; nothing in it needs a script.

    Args:
        comparison: what comparison.json holds.
        reports: of each model, the page of its replay relative to this one; empty where there is none.
        bag: name of the recording.
    """
    models = comparison["models"]
    told = [f"{model['title']}, {model['backend']} {model['precision']}" for model in models]
    letters = [chr(ord("A") + index) for index in range(len(models))]
    drawn = comparison["resampling"]
    lead = (
        f"{comparison['frames']} frames with truth of {bag}. Intervals: {drawn['level']:.0%}, of {drawn['resamples']} "
        f"resamples of blocks of {drawn['block']} frames."
    )
    listed = [
        tag("li", tag("b", letter), " ", tag("a", text, href=quote(page)) if page else text)
        for letter, text, page in zip(letters, told, reports, strict=True)
    ]
    parts = [tag("p", lead, class_="lead"), tag("ul", *listed)]
    parts += [tag("p", note, class_="note") for note in comparison["notes"]]
    for pair in comparison["pairs"]:
        parts += _pair(pair, letters, reports)
    if len(models) > 2:
        rows = [[row["name"], *(shown_in(row, value) for value in row["values"])] for row in comparison["table"]]
        parts += [tag("h2", "All figures"), tag("div", table(["", *letters], rows), class_="panel")]
    return Template(_TEMPLATE).substitute(
        title=joined((f"{' against '.join(model['title'] for model in models[::-1])}",)),
        style=(Path(perception_common.__file__).parent / "page.css").read_text(encoding="utf-8") + _STYLE,
        body=joined(parts),
    )


def _pair(pair: Mapping[str, Any], letters: Sequence[str], reports: Sequence[str]) -> list[Html]:
    first, other = pair["first"], pair["other"]
    known = [(row, interval_of(row)) for row in pair["figures"]]
    scale = max(_LEAST_SCALE, *(abs(edge or 0.0) for _, told in known for edge in (told.low, told.high)))
    head = ["", letters[first], letters[other], "difference", "interval", "", "P(worse)", ""]
    body = [_row(row, told, scale) for row, told in known if told.difference is not None]
    heads = tag("thead", tag("tr", *(tag("th", name, scope="col") for name in head)))
    shown = tag("div", tag("table", heads, tag("tbody", *body)), class_="panel")
    links = [
        tag(
            "li",
            f"frame {frame['index']}: {frame['errors'][0]:.3g} against {frame['errors'][1]:.3g} errors ",
            *(
                tag("a", f" {letters[number]} ", href=f"{quote(reports[number])}#frame={frame['index']}")
                for number in (first, other)
                if reports[number]
            ),
        )
        for frame in pair["frames"]
    ]
    title = f"{letters[other]} against {letters[first]}"
    where = [tag("h3", "Where they differ most"), tag("ul", *links)] if links else []
    return [tag("h2", title), shown, *where]


def _row(row: Mapping[str, Any], told: Interval, scale: float) -> Html:
    assert told.difference is not None
    values = [shown_in(row, told.first), shown_in(row, told.other), shown_in(row, told.difference, "+")]
    cells = [tag("th", row["name"], scope="row"), *(tag("td", value) for value in values)]
    if _has_interval(told):
        between = f"{shown_in(row, told.low, '+')} … {shown_in(row, told.high, '+')}"
        cells += [tag("td", between), tag("td", _range(told, scale)), tag("td", f"{told.worse:.1%}")]
    else:
        cells += [tag("td"), tag("td"), tag("td")]
    return tag("tr", *cells, tag("td", told.verdict, class_="told"), class_=told.verdict or None)


def _has_interval(told: Interval) -> bool:
    return told.low is not None and told.high is not None


def _range(told: Interval, scale: float) -> Html:
    """The interval as a bar around zero."""
    low, high = (50 + 50 * max(-1.0, min(1.0, (edge or 0.0) / scale)) for edge in (told.low, told.high))
    bar = tag("i", style=f"left: {low:.1f}%; width: {max(high - low, 1):.1f}%")
    return tag("span", bar, tag("b", style="left: 50%"), class_="range")

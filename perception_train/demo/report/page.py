"""The page of the report: headline figures, charts, pictures and tables from a summary and the recorded curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from html import escape
from pathlib import Path
from typing import Any

from ..summary import failed
from ..watch import Row
from .charts import Mark, Series, bars, histogram, line_chart, smooth, thin, timeline
from .samples import MIN_SCORE, sample_rows

# A window with fewer frames says little.
_LEAST_WINDOW = 10
Values = Mapping[str, Any]


def build_page(summary: Values, live: Values, steps: Sequence[Row], validations: Sequence[Row]) -> str:
    """The whole HTML document.

    Args:
        summary: what summary.json holds.
        live: what the evaluator wrote.
        steps: rows of the trainer's train.csv.
        validations: rows of its validation.csv.
    """
    style = Path(__file__).with_name("style.css").read_text()
    body = "".join(
        (
            _head(summary),
            _cards(summary),
            _learning(summary, steps, validations),
            _live(summary, live),
            _pictures(summary, live),
            _delivery(summary, live),
            _classes(summary),
            _provenance(summary),
        )
    )
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>perception_suite demo</title><style>{style}</style></head><body><main>{body}</main></body></html>\n"
    )


def _head(s: Values) -> str:
    bad = [check for check in s["checks"] if not check["ok"]]
    count = len(s["checks"])
    verdict = f"{len(bad)} of {count} checks failed" if bad else f"all {count} checks passed"
    reasons = "".join(f"<li>{escape(line)}</li>" for line in failed(s))
    minutes = s["wall_seconds"]["total"] / 60
    versions = len(s["versions"])
    return (
        "<header><h1>From a synthetic world to live detections</h1>"
        f'<p class="lead">One run of the perception_suite demo ({escape(s["preset"]["name"])} preset: '
        f"{escape(s['preset']['note'])}). In {minutes:.1f} minutes it rendered {s['images']['train']} training images, "
        f"trained a detector from scratch on "
        f"{s['machine']['cpus']} cores, and swapped {versions} versions of it into a running camera pipeline.</p>"
        f'<span class="verdict {"bad" if bad else "good"}">{verdict}</span>'
        + (f'<ul class="note">{reasons}</ul></header>' if bad else "</header>")
    )


def _cards(s: Values) -> str:
    idle, bare = s["latency_idle_ms"]["p50"], s["bare_session_ms"]["p50"]
    gap = _text(s["max_gap_around_swaps_ms"], "{:.0f}", " ms")
    items = [
        ("Validation mAP50", _text(s["val_map50"], "{:.3f}"), "val_map50", f"mAP {_text(s['val_map'], '{:.3f}')}"),
        (
            "Live mAP50, last version",
            _text(s["live_map50"], "{:.3f}"),
            "live_map50",
            f"{s['live_frames_scored']} frames scored",
        ),
        ("Model swaps", str(s["swaps"]), "swaps", f"{s.get('refused') or 0} refused"),
        (
            "Frames lost in swaps",
            _text(s["frames_lost_in_swaps"], "{}"),
            "frames_lost_in_swaps",
            f"of {_text(s['frames_received'], '{}')}",
        ),
        (
            "Longest gap at a swap",
            gap,
            "max_gap_around_swaps_periods",
            _text(s["max_gap_around_swaps_periods"], "{:.2f} camera periods"),
        ),
        ("Camera", _text(s["camera_hz"], "{:.1f}", " Hz"), "camera_hz", f"{s['image_size'][0]} × {s['image_size'][1]}"),
        ("Latency, trainer done", _text(idle, "{:.0f}", " ms"), "", f"bare session {_text(bare, '{:.1f}')} ms"),
        (
            "Training",
            _text(s["train_images_per_second"], "{:.0f}", " images/s"),
            "",
            f"{_text(s.get('train_steps'), '{}')} steps",
        ),
    ]
    return f'<div class="cards">{"".join(_card(s, *item) for item in items)}</div>'


def _card(s: Values, name: str, value: str, check_name: str, note: str) -> str:
    check = next((check for check in s["checks"] if check["name"] == check_name), None)
    sign = {">=": "≥", "<=": "≤"}
    limit = ""
    if check is not None:
        passed = check["ok"]
        mark = f'<span class="{"good" if passed else "bad"}">{"✓" if passed else "✗"}</span>'
        limit = f"{mark} must be {sign[check['relation']]} {check['limit']:g} · "
    return (
        f'<div class="card"><div class="name">{escape(name)}</div><div class="value">{value}</div>'
        f'<div class="limit-text">{limit}{escape(note)}</div></div>'
    )


def _learning(s: Values, steps: Sequence[Row], validations: Sequence[Row]) -> str:
    loss = [
        (row["seconds"] / 60, row["loss"])
        for row in steps
        if row.get("seconds") is not None and row.get("loss") is not None
    ]
    ceiling = max((y for _, y in smooth(loss)[len(loss) // 50 :]), default=1.0) * 1.15
    lines = [Series("loss", thin(loss), "a", faint=True), Series("smoothed", thin(smooth(loss)), "a")]
    scored = [row for row in validations if row.get("seconds") is not None]
    curves = [
        Series(name, [(row["seconds"] / 60, row[key]) for row in scored if row.get(key) is not None], colour, dots=True)
        for name, key, colour in (("mAP50", "map50", "a"), ("mAP 50:95", "map", "b"))
    ]
    marks = [Mark(row["seconds"] / 60, f"v{int(row['version'])}") for row in scored if row.get("version")]
    limit = _limit(s, "val_map50")
    return (
        "<h2>Learning</h2>"
        '<p class="note">Minutes since training began; dashed lines are versions exported to the running pipeline.</p>'
        '<div class="two">'
        + _panel("Training loss", line_chart("training loss", lines, "minutes", "", (0, ceiling)))
        + _panel(
            "Validation", _legend(curves), line_chart("validation mAP", curves, "minutes", "", (0, 1), marks, limit)
        )
        + "</div>"
    )


def _live(s: Values, live: Values) -> str:
    shift = live["start_unix_s"] - s["train_start_unix_s"]
    windows = [
        window for window in live["windows"] if window["frames"] >= _LEAST_WINDOW and window["map50"] is not None
    ]
    points = [(((window["start_s"] + window["end_s"]) / 2 + shift) / 60, window["map50"]) for window in windows]
    marks = [Mark((swap["at_s"] + shift) / 60, f"v{swap['to']}") for swap in live["swaps"]]
    lines, limit = [Series("live", points, "c")], _limit(s, "live_map50")
    # Text in a chart shrinks with it: a narrow screen gets a chart of its own.
    wide, narrow = (
        line_chart("live mAP50", lines, "minutes", "", (0, 1), marks, limit, width=width) for width in (960, 460)
    )
    frames = live["parameters"]["window"]
    head = ("Version", "val mAP50", "live mAP50", "frames", "gap, ms", "gap, periods", "exported, min", "serves, min")
    return (
        "<h2>Live</h2>"
        '<p class="note">Detections of the running camera scored against the ground truth of the same image; a point '
        f"is {frames} frames, a dashed line a swap between two frames. A swap's gap is the longest time between two "
        "outputs around it; with nothing lost it is one camera period.</p>"
        + _panel("Live mAP50", f'<div class="wide">{wide}</div><div class="narrow">{narrow}</div>')
        + _panel("Versions", _table(head, _version_rows(s, live, shift)))
    )


def _version_rows(s: Values, live: Values, shift: float) -> list[tuple[str, ...]]:
    swaps = {swap["to"]: swap for swap in live["swaps"]}
    rows: list[tuple[str, ...]] = []
    for v in s["versions"]:
        swap = swaps.get(v["version"], {})
        gap, exported = swap.get("gap_ms"), v["exported_at_s"]
        at = swap.get("at_s") if rows else live["first_model_s"]
        rows.append(
            (
                f"v{v['version']}",
                _text(v["val_map50"], "{:.3f}"),
                _text(v["live_map50"], "{:.3f}"),
                str(v["live_frames"]),
                _text(gap, "{:.0f}"),
                _text(None if gap is None else gap * s["camera_hz_asked"] / 1e3, "{:.2f}"),
                _text(None if exported is None else exported / 60, "{:.1f}"),
                _text(None if at is None else (at + shift) / 60, "{:.1f}"),
            )
        )
    return rows


def _pictures(s: Values, live: Values) -> str:
    return (
        "<h2>What it sees</h2>"
        f'<p class="note">Camera pictures from the live world, early versions first. Dashed white: truth. '
        f"Coloured: detections from a score of {MIN_SCORE} on.</p>{sample_rows(live, s['world']['classes'])}"
    )


def _delivery(s: Values, live: Values) -> str:
    end = s["idle_unix_s"]
    outputs = list(zip(live["outputs"]["at_s"], live["outputs"]["latency_ms"], strict=True))
    busy = [value for at, value in outputs if at + live["start_unix_s"] < end[0]]
    idle = [value for at, value in outputs if end[0] <= at + live["start_unix_s"] <= end[1]]
    groups = [("beside the trainer", busy, "b"), ("trainer done", idle, "a")]
    rows = [
        ("published by the camera", s["frames_published"]),
        ("received by inference", s["frames_received"]),
        ("processed", s["frames_processed"]),
        ("not processed: a newer one came first", s["frames_unprocessed"] - s["frames_without_model"]),
        ("not processed: no model yet", s["frames_without_model"]),
        ("lost in transport", s["frames_lost_in_transport"]),
        ("lost in swaps", s["frames_lost_in_swaps"]),
    ]
    latency = [
        ("whole run", s["latency_ms"]), ("trainer done", s["latency_idle_ms"]), ("bare session", s["bare_session_ms"]),
    ]  # fmt: skip
    times = [(name, _text(v["p50"], "{:.1f}"), _text(v["p99"], "{:.1f}"), str(v["count"])) for name, v in latency]
    return (
        "<h2>Delivery</h2>"
        '<p class="note">Latency: from the image’s stamp to the arrival of its detections in another process. '
        "Bare session: the same graph and runtime in a loop, without ROS.</p>"
        '<div class="two">'
        + _panel(
            "Latency, milliseconds",
            _legend([Series(name, (), colour) for name, _, colour in groups]),
            histogram("latency", groups, "milliseconds"),
            _table(("", "p50", "p99", "frames"), times),
        )
        + _panel("Frames", _table(("", "frames"), [(name, _text(value, "{}")) for name, value in rows]))
        + "</div>"
    )


def _classes(s: Values) -> str:
    validation, live = s["per_class_ap50"]["validation"], s["per_class_ap50"]["live"]
    rows = [(name, (validation.get(name), live.get(name))) for name in sorted(set(validation) | set(live))]
    legend = _legend([Series("validation", (), "a"), Series("live, last version", (), "c")])
    stages = [(stage["name"], stage["start_s"], stage["seconds"]) for stage in s["stages"]]
    return (
        "<h2>By class, and where the time went</h2>"
        '<div class="two">'
        + _panel("AP50 per class", legend, bars("AP50 per class", rows, ("a", "c")))
        + _panel("Stages", timeline("stages", stages))
        + "</div>"
    )


def _provenance(s: Values) -> str:
    seeds = ", ".join(f"{name} {seed}" for name, seed in s["seeds"].items())
    images, machine = s["images"], s["machine"]
    rows = [
        ("World", f"{s['world']['name']}: {s['world']['description']}"),
        ("Classes", ", ".join(s["world"]["classes"])),
        ("Seeds", f"{seeds} (never shared)"),
        ("Images", f"{images['train']} for training, {images['validation']} for validation, {_size(s['image_size'])}"),
        (
            "Network input",
            f"{_size(s['network_size'])} pixels; detections published from a score of {s['score_threshold']} on",
        ),
        ("Machine", f"{machine['cpu']}, {machine['cpus']} cores, {machine['memory_gib']} GiB, {machine['system']}"),
        ("Software", ", ".join(f"{name} {version}" for name, version in s["software"].items())),
        ("Started", datetime.fromtimestamp(s["started_unix_s"], timezone.utc).strftime("%Y-%m-%d %H:%M UTC")),
    ]
    body = "".join(f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>" for name, text in rows)
    return (
        f'<h2>Provenance</h2><div class="panel"><table class="facts">{body}</table></div>'
        "<footer>Figures: summary.json beside this file. Metrics follow COCO (101 points, at most 100 detections)."
        "</footer>"
    )


def _panel(title: str, *content: str) -> str:
    return f'<div class="panel"><h3>{escape(title)}</h3>{"".join(content)}</div>'


def _legend(series: Sequence[Series]) -> str:
    entries = "".join(f'<span><i class="{line.colour}"></i>{escape(line.name)}</span>' for line in series)
    return f'<div class="legend">{entries}</div>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="none">nothing was recorded</p>'
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def _text(value: Any, form: str, unit: str = "") -> str:
    """A number in words; a dash when it is not known. The unit is small print."""
    return "–" if value is None else escape(form.format(value)) + (f"<small>{escape(unit)}</small>" if unit else "")


def _size(size: Sequence[int]) -> str:
    return f"{size[0]} × {size[1]}"


def _limit(s: Values, name: str) -> float | None:
    return next((check["limit"] for check in s["checks"] if check["name"] == name), None)

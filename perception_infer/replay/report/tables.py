"""The parts of the page that are text: headline figures, warnings, tables, and where everything comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .markup import Html, joined, number, share, tag

Summary = Mapping[str, Any]
_STAGES = ("read", "decode", "prepare", "infer", "total")


def lead(summary: Summary) -> Html:
    """What was replayed through what, in a line."""
    model, bag, running = summary["model"], summary["bag"], summary["running"]
    parts = [
        (bag["path"], ""),
        ("topic ", bag["topic"]),
        (f"{number(bag['frames'])} frames over ", duration(bag["duration_s"])),
        ("model ", named(model)),
        ("on ", " ".join(filter(None, (running["backend"], running["precision"])))),
        ("truth: ", _truth_in_words(summary["truth"])),
    ]
    return tag("p", *(joined((" · " if i else None, a, tag("b", b))) for i, (a, b) in enumerate(parts)), class_="lead")


def named(model: Mapping[str, Any]) -> str:
    """A model's name with its version."""
    return f"{model['name']} v{model['version']}"


def cards(summary: Summary) -> Html:
    """The figures to look at first."""
    found = summary["figures"]
    if summary["model"]["task"] == "segmentation":
        told = _segmentation_cards(summary)
    elif found is None:
        told = _counted_cards(summary)
    else:
        told = [
            ("mAP, IoU 0.5", share(found["map50"]), f"{number(summary['truth']['objects'])} objects"),
            ("mAP, IoU 0.5 to 0.95", share(found["map"]), ""),
            ("precision", share(found["precision"]), f"F1 {share(found['f1'])}"),
            ("recall", share(found["recall"]), ""),
            ("false alarms", number(found["false_alarms_per_minute"]), "a minute"),
            ("misses", number(found["missed_per_minute"]), "a minute"),
        ]
    timing = summary["timing"]
    factor = timing["realtime_factor"]
    total = timing["latency_ms"]["total"]
    told += [
        ("frames a second", number(timing["frames_per_second"]), f"{number(factor)} × real time" if factor else ""),
        ("latency, 99th percentile", _milliseconds(total["p99"]), f"ms, median {_milliseconds(total['p50'])}"),
    ]
    return tag("div", *(_card(*one) for one in told), class_="cards")


def _counted_cards(summary: Summary) -> list[tuple[str, str, str]]:
    """Without truth: how much is found, and how steadily."""
    counts, steady = summary["counts"], summary["stability"]
    frames = summary["bag"]["frames"]
    without = counts["frames_without"]
    return [
        ("frames", number(frames), duration(summary["bag"]["duration_s"])),
        ("detections", number(counts["detections"]), f"{number(counts['per_frame'])} a frame"),
        ("frames without", number(without), f"{without / frames:.0%}" if frames else ""),
        ("flicker", number(steady["flicker"]), ""),
        ("broken tracks", number(steady["track_breaks_per_minute"]), "a minute"),
        ("jitter", number(steady["jitter_px"]), "px"),
    ]


def _segmentation_cards(summary: Summary) -> list[tuple[str, str, str]]:
    figures = summary["figures"]
    frames = ("frames", number(summary["bag"]["frames"]), duration(summary["bag"]["duration_s"]))
    if figures is None:
        return [frames, ("classes", number(len(summary["model"]["classes"])), "")]
    known = f"{number(summary['truth']['frames'])} frames with truth"
    return [("mIoU", share(figures["miou"]), known), ("pixels right", share(figures["pixel_accuracy"]), ""), frames]


def _card(name: str, value: str, small: str) -> Html:
    shown = tag("div", value, " ", tag("small", small) if small else None, class_="value")
    return tag("div", tag("div", name, class_="name"), shown, class_="card")


def warnings(summary: Summary) -> Html:
    """What was left out or is odd; a line that there is nothing, otherwise."""
    bag, truth = summary["bag"], summary["truth"]
    found = [
        ("bad", "skipped", f"{_plural(one['count'], 'frame')}: {one['reason']} (the first is {one['first_index']})")
        for one in bag["skipped"]
    ]
    found += [("odd", "check", text) for text in bag["warnings"]]
    if truth["unknown_classes"]:
        text = f"The model does not know these classes of the truth: {', '.join(truth['unknown_classes'])}"
        found.append(("odd", "check", text))
    if truth["kind"] != "none" and truth["frames"] < bag["frames"]:
        left = bag["frames"] - truth["frames"]
        found.append(("note", "note", f"{_plural(left, 'frame')} of {number(bag['frames'])} without truth: not scored"))
    if truth["without_frame"]:
        found.append(("odd", "check", f"{number(truth['without_frame'])} of the truth's frames are not in the bag"))
    if not found:
        return tag("p", "Every frame was read, and nothing is to be warned of.", class_="note")
    items = [tag("li", tag("span", word), tag("div", text), class_=kind) for kind, word, text in found]
    title = tag("h2", f"{_plural(len(found), 'thing')} to know")
    return tag("section", title, tag("ul", *items), class_="findings")


def classes(summary: Summary, colours: Sequence[str]) -> Html:
    """Figures of every class; without truth how often it is found."""
    marks = [tag("span", class_="dot", style=f"background: {colour}") for colour in colours]
    dots = dict(zip(summary["classes"], marks, strict=False))
    table_of = _area_classes if summary["model"]["task"] == "segmentation" else _box_classes
    return table_of(summary, dots)


def _area_classes(summary: Summary, dots: Mapping[str, Html]) -> Html:
    shares = {name: f"{value:.1%}" for name, value in summary["counts"]["shares"].items()}
    if summary["figures"] is None:
        return table(("class", "mean share of the pixels"), list(shares.items()), dots, sortable=True)
    head = ("class", "true pixels", "IoU", "", "precision", "recall", "mean share found")
    rows = [
        (
            row["name"],
            number(row["pixels"]),
            share(row["iou"]),
            _meter(row["iou"]),
            share(row["precision"]),
            share(row["recall"]),
            shares.get(row["name"], "–"),
        )
        for row in summary["figures"]["classes"]
    ]
    return table(head, rows, dots, sortable=True)


def _box_classes(summary: Summary, dots: Mapping[str, Html]) -> Html:
    if summary["figures"] is None:
        found = summary["counts"]["per_class"]
        limits = zip(summary["model"]["classes"], summary["model"]["thresholds"], strict=True)
        plain = [(name, number(found.get(name, 0)), share(limit)) for name, limit in limits]
        return table(("class", "detections", "threshold"), plain, dots, sortable=True)
    head = ("class", "objects", "AP50", "", "AP", "precision", "recall", "false alarms", "missed", "threshold")
    rows = [
        (
            row["name"],
            number(row["objects"]),
            share(row["ap50"]),
            _meter(row["ap50"]),
            share(row["ap"]),
            share(row["precision"]),
            share(row["recall"]),
            number(row["false_alarms"]),
            number(row["missed"]),
            share(row["threshold"]),
        )
        for row in summary["figures"]["classes"]
    ]
    return table(head, rows, dots, sortable=True)


def bands(title: str, note: str, rows: Sequence[Mapping[str, Any]]) -> Html | None:
    """Figures by size or by distance."""
    if not rows:
        return None
    cells = [
        (row["name"], number(row["objects"]), share(row["ap50"]), share(row["recall"]), _meter(row["recall"]))
        for row in rows
    ]
    shown = table((title, "objects", "AP50", "recall", ""), cells)
    return tag("div", tag("div", shown, class_="scroll"), tag("p", note, class_="note"), class_="panel")


def stability(summary: Summary) -> Html | None:
    """How steadily things are followed from frame to frame; a detector's."""
    steady = summary["stability"]
    if not steady or steady["tracks"] is None:
        return None
    told = [
        ("tracks", "boxes linked from frame to frame", number(steady["tracks"])),
        ("flicker", "share of things missing in a frame, there before and after", number(steady["flicker"])),
        ("breaks", "how often that happens in a minute", number(steady["track_breaks_per_minute"])),
        ("jitter, px", "how far middles of boxes stray from even motion; median", number(steady["jitter_px"])),
    ]
    rows = [(joined((name, tag("small", text))), value) for name, text, value in told]
    return tag("div", table(("steadiness", ""), rows), class_="panel scroll")


def latency(summary: Summary) -> Html:
    """Milliseconds of each stage, with a bar of its median."""
    told = summary["timing"]["latency_ms"]
    stages = [(name, told[name]) for name in _STAGES if name in told]
    most = max((one["p50"] or 0 for _, one in stages), default=0) or 1
    rows = [
        (name, *(_milliseconds(one[key]) for key in ("p50", "p99", "max")), _meter((one["p50"] or 0) / most))
        for name, one in stages
    ]
    return tag("div", table(("stage, ms", "median", "p99", "longest", ""), rows), class_="panel scroll")


def provenance(summary: Summary) -> list[Html]:
    """Folded tables of everything that the figures depend on."""
    bag, truth = summary["bag"], summary["truth"]
    files = [(f"file {one['name']}", f"{number(one['bytes'])} bytes") for one in bag["files"]]
    span = f"{bag['start_ns']} to {bag['end_ns']} ns"
    facts = [(key, bag[key]) for key in ("path", "topic", "type", "messages", "frames")]
    truths = [(key.replace("_", " "), value) for key, value in truth.items()]
    timing = [(key.replace("_", " "), v) for key, v in summary["timing"].items() if key != "latency_ms"]
    return [
        _facts("Model", summary["model"].items()),
        _facts("How it ran", [*summary["running"].items(), *timing]),
        _facts("Bag", [*facts, ("time", span), *files]),
        _facts("Truth", truths),
        _facts("Machine and versions", summary["environment"].items()),
    ]


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[str]],
    dots: Mapping[str, Html] | None = None,
    *,
    sortable: bool = False,
) -> Html:
    """A table whose first column names the rows, with a mark for those in ``dots``."""
    cells = [tag("th", name, scope="col", data_sort=sortable and bool(name)) for name in head]
    body = [
        tag("tr", tag("th", (dots or {}).get(row[0]), row[0], scope="row"), *(tag("td", cell) for cell in row[1:]))
        for row in rows
    ]
    return tag("table", tag("thead", tag("tr", *cells)), tag("tbody", *body))


def duration(seconds: float | None) -> str:
    """Seconds as people say them."""
    if seconds is None:
        return "–"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _facts(title: str, rows: Iterable[tuple[str, Any]]) -> Html:
    body = [tag("tr", tag("td", str(key)), tag("td", _plain(value))) for key, value in rows]
    shown = tag("div", tag("table", tag("tbody", *body), class_="facts"), class_="panel scroll")
    return tag("details", tag("summary", title), shown)


def _plain(value: Any) -> str:
    """A value of the summary as text; nested ones in a line."""
    if value is None or value in ([], {}):
        return "–"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {_plain(one)}" for key, one in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(map(_plain, value))
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _meter(part: float | None) -> Html:
    width = f"width: {min(max(part or 0, 0), 1) * 100:.1f}%"
    return tag("span", tag("span", style=width), class_="meter")


def _milliseconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _truth_in_words(truth: Mapping[str, Any]) -> str:
    if truth["kind"] == "none":
        return "none"
    return f"{truth['source'] or truth['kind']}, joined by {truth['joined_by']}"


def _plural(count: int, word: str) -> str:
    return f"{number(count)} {word}{'' if count == 1 else 's'}"

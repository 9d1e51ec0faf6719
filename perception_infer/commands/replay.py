"""`perception-infer replay`: a recording as a test of a model, or of several side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import CheckFailed, UserError

from ..recordings.bag import Recording
from ..recordings.frames import bag_path, image_topic
from ..recordings.writer import refuse_existing, result_bag
from ..replay.comparison import Scored, compare, intervals_of
from ..replay.comparison_table import table
from ..replay.detections import DetectionScorer
from ..replay.gate import Gate, Verdict, evaluate, parse_gate, require
from ..replay.model_choice import Choice, choose_model
from ..replay.pages import REPORT, write_report
from ..replay.params import ReplayParams
from ..replay.report.comparison import build_comparison
from ..replay.run import Listener, Replayed, replay
from ..running import say

SUMMARY, COMPARISON, PAGE = "replay.json", "comparison.json", "comparison.html"


def replay_command(params: ReplayParams) -> dict[str, Any]:
    """Score one model, or compare several; a table on stdout.

    Raises:
        UserError: recording, model, truth or output cannot be used.
        CheckFailed: a condition of the gate does not hold.
    """
    bag, several = bag_path(params.bag), len(params.compare)
    if bool(params.model) == bool(several):
        raise UserError("which model?", fix="give --model MODEL, or --compare MODEL MODEL …")
    if several == 1:
        raise UserError("one model is not compared with anything", fix="name two or more after --compare")
    gate = parse_gate(params.gate, bool(several)) if params.gate else ()
    choices = [choose_model(text, params.model_root, params) for text in params.compare or (params.model,)]
    for choice in choices:
        manifest = choice.bundle.manifest
        require(gate, manifest.task, manifest.classes)
    # A directory for each of several models, in the output as among the results.
    folders = _folders(choices) if several else [""]
    results = _results(params, folders)
    output = Path(params.output).expanduser()
    durable.ensure_writable(output)
    done = [
        _one(bag, choice, params, output / folder, place)
        for choice, folder, place in zip(choices, folders, results, strict=True)
    ]
    if not several:
        summary = done[0].summary
        print(headline(summary))
        return _judged(gate, [summary], {}, summary)
    comparison = compare([scored(replayed) for replayed in done], params.resamples)
    durable.write_text(output / COMPARISON, json.dumps(comparison, indent=2) + "\n")
    pages = [f"{folder}/{REPORT}" if params.report else "" for folder in folders]
    durable.write_text(output / PAGE, build_comparison(comparison, pages, bag.name))
    print(table(comparison))
    say(f"comparison: {output / PAGE}")
    return _judged(gate, [replayed.summary for replayed in done], intervals_of(comparison), comparison)


def scored(replayed: Replayed) -> Scored:
    """A replay as a comparison wants it."""
    scorer = replayed.scorer
    if isinstance(scorer, DetectionScorer):
        return Scored(replayed.summary, replayed.judged, images=scorer.matches())
    return Scored(replayed.summary, replayed.judged, pixels=scorer.confusions)


def headline(summary: dict[str, Any]) -> str:
    """What a replay found, in a few lines for a terminal."""
    bag, figures, timing = summary["bag"], summary["figures"], summary["timing"]
    skipped = sum(entry["count"] for entry in bag["skipped"])
    lines = [f"{summary['model']['title']} on {bag['path']}, {bag['topic']}: {bag['frames']} frames, {skipped} skipped"]
    lines += [f"  warning: {warning}" for warning in bag["warnings"]]
    lines += [f"  skipped: {entry['count']} x {entry['reason']}" for entry in bag["skipped"]]
    if figures is None:
        counts = {name: value for name, value in summary["counts"].items() if not isinstance(value, dict)}
        lines.append("  no truth" + "".join(f", {name} {_short(value)}" for name, value in counts.items()))
    else:
        lines.append("  " + ", ".join(f"{name} {_short(value)}" for name, value in figures.items() if _plain(value)))
        lines += [f"  {_class_line(row)}" for row in figures["classes"]]
    total = timing["latency_ms"]["total"]
    faster = f", {timing['realtime_factor']:.1f} x real time" if timing["realtime_factor"] else ""
    times = f"{total['p50']:.1f} ms a frame, p99 {total['p99']:.1f} ms"
    lines.append(f"  {timing['frames_per_second']:.1f} frames/s{faster}; {times}")
    return "\n".join(lines)


def _one(bag: Path, choice: Choice, params: ReplayParams, output: Path, results: Path | None) -> Replayed:
    durable.ensure_writable(output)
    with _listeners(bag, choice, params, results) as listeners:
        replayed = replay(bag, choice, params, output, listeners)
    durable.write_text(output / SUMMARY, json.dumps(replayed.summary, indent=2) + "\n")
    if results is not None:
        say(f"results: {results}")
    if params.report:
        say(f"report: {write_report(replayed.summary, params, output)}")
    return replayed


def _results(params: ReplayParams, folders: Sequence[str]) -> list[Path | None]:
    """Where the results of each model go as a recording, and that is free before any of them runs; None for nowhere."""
    if not params.bag_output:
        if params.overlay:
            raise UserError("the overlay has no recording to go into", fix="give --bag-output DIR, too")
        return [None] * len(folders)
    places = [Path(params.bag_output).expanduser() / folder for folder in folders]
    for place in places:
        refuse_existing(place)
    return [*places]


@contextmanager
def _listeners(bag: Path, choice: Choice, params: ReplayParams, results: Path | None) -> Iterator[tuple[Listener, ...]]:
    if results is None:
        yield ()
        return
    with Recording(bag) as recording:
        topic = image_topic(recording, params.topic, besides=params.truth).name
    manifest = choice.bundle.manifest
    thresholds = params.selection().thresholds(manifest.thresholds, manifest.classes)
    with result_bag(results, topic, choice.bundle, thresholds, params.overlay) as written:
        yield (lambda frame, found, _: written.add(frame.stamp, frame.time, frame.frame_id, frame.rgb, found),)


def _folders(choices: Sequence[Choice]) -> list[str]:
    """A name for each that says what it is and is its own."""
    names = [re.sub(r"[^\w.=-]+", "_", choice.text).strip("_") for choice in choices]
    return [f"{index}-{name[-60:]}" for index, name in enumerate(names)]


def _judged(gate: Gate, summaries: Sequence[dict[str, Any]], intervals: Any, result: dict[str, Any]) -> dict[str, Any]:
    verdicts: tuple[Verdict, ...] = evaluate(gate, summaries, intervals)
    for verdict in verdicts:
        print(f"  gate {'holds' if verdict.passed else 'FAILS'}: {verdict.text}")
    result = {**result, "gate": [verdict._asdict() for verdict in verdicts]}
    failed = [verdict.condition for verdict in verdicts if not verdict.passed]
    if failed:
        raise CheckFailed(f"{len(failed)} of {len(verdicts)} conditions do not hold: {', '.join(failed)}", result)
    return result


def _class_line(row: dict[str, Any]) -> str:
    shown = {name: value for name, value in row.items() if name not in ("name", "curve") and value is not None}
    return f"{row['name']}: " + ", ".join(f"{name} {_short(value)}" for name, value in shown.items())


def _plain(value: Any) -> bool:
    return isinstance(value, int | float)


def _short(value: Any) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)

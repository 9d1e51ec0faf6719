"""What a gate lets pass, what it stops, and what it refuses to understand."""

from __future__ import annotations

from typing import Any

import pytest

from perception_common.errors import UserError
from perception_infer.replay.bootstrap import Interval
from perception_infer.replay.figures import CLASS_FIGURES, FIGURES
from perception_infer.replay.gate import Verdict, evaluate, parse_gate, require


def summary(map50: float | None = 0.8, p99: float = 40.0, task: str = "detection") -> dict[str, Any]:
    """A replay.json; without ``map50`` there is no truth."""
    figures: dict[str, Any] | None = {
        "detection": {
            "map": 0.55,
            "map50": map50,
            "map75": 0.5,
            "precision": 0.9,
            "recall": 0.7,
            "f1": 0.79,
            "false_alarms_per_minute": 12.0,
            "missed_per_minute": 3.0,
            "classes": [
                {"name": "cone", "ap": 0.5, "ap50": 0.75, "precision": 0.9, "recall": 0.6},
                {"name": "a, b>=c", "ap": 0.6, "ap50": 0.85, "precision": None, "recall": 0.8},
            ],
        },
        "segmentation": {
            "miou": 0.7,
            "pixel_accuracy": 0.95,
            "classes": [{"name": "background", "iou": 0.9}, {"name": "cone", "iou": 0.7, "precision": 0.8}],
        },
    }[task]
    return {
        "model": {"title": "finder:3", "task": task},
        "bag": {"frames": 500, "skipped": [{"reason": "a", "count": 2}, {"reason": "b", "count": 1}]},
        "truth": {"objects": 900},
        "classes": ["cone", "a, b>=c"],
        "figures": None if map50 is None else figures,
        "stability": {"flicker": 0.1, "track_breaks_per_minute": 4.0, "jitter_px": None},
        "timing": {
            "frames_per_second": 31.5,
            "realtime_factor": 1.05,
            "latency_ms": {"total": {"p50": 20.0, "p99": p99, "max": 80.0}},
        },
    }


def judged(
    text: str,
    *summaries: dict[str, Any],
    intervals: dict[str, Interval] | None = None,
) -> tuple[Verdict, ...]:
    return evaluate(parse_gate(text, comparing=True), summaries or (summary(),), intervals or {})


@pytest.mark.parametrize(
    "text",
    [
        "map50>=0.8",
        "map50 >= .8, p99_ms<=50",
        "map50==0.8,frames==500,skipped<=3",
        "fps>30,fps<1e3",
        "recall[cone]>=0.6",
        "ap50[ cone ] > 0.7",
        "ap50[a, b>=c]>=0.85,recall[a, b>=c]<=8e-1",
        "false_alarms_per_minute<=12, flicker<0.2, track_breaks_per_minute<=4, objects>100",
    ],
)
def test_what_holds_passes(text: str) -> None:
    assert all(verdict.passed for verdict in judged(text))


def test_one_failure_does_not_hide_another() -> None:
    verdicts = judged("map50>0.8, p99_ms<=50, recall[cone]>0.9, skipped==0")
    assert [verdict.passed for verdict in verdicts] == [False, True, False, False]
    assert verdicts[0] == Verdict("map50 > 0.8", False, 0.8, "map50 > 0.8: 0.8000")
    assert verdicts[1].text == "p99_ms <= 50: 40.00"
    assert verdicts[3].value == 3


@pytest.mark.parametrize(
    ("text", "which", "reason"),
    [
        ("map50<=1", summary(None), "not known of finder:3, for there is no truth"),
        ("recall[cone]>=0", summary(None), "there is no truth"),
        ("jitter_px<=1e9", summary(), "not known of finder:3"),
        ("precision[a, b>=c]>=0", summary(), "not known of finder:3"),
        ("recall[cnoe]>=0", summary(), "neither finder:3 nor the truth has the class; did you mean 'cone'?"),
        ("miou>=0", summary(), "not known of finder:3"),
        ("map<=1", summary() | {"figures": {"map": float("nan")}}, "not known of finder:3"),
        ("drop(map50)<=1", summary(None), "there is no truth"),
        ("not worse(map50)", summary(None), "there is no truth"),
        ("not worse(map50)", summary(), "its difference is not known"),
    ],
)
def test_what_is_not_known_fails_and_says_why(text: str, which: dict[str, Any], reason: str) -> None:
    (verdict,) = judged(text, summary(), which)
    assert not verdict.passed and verdict.value is None and reason in verdict.text


def test_the_candidate_is_the_last_and_a_drop_is_from_the_first() -> None:
    first, middle, last = summary(0.80, 50.0), summary(0.1, 900.0), summary(0.79, 40.0)
    verdicts = judged("map50<=0.79, drop(map50)<=0.01, drop(map50)<0.01, drop(p99_ms)<0", first, middle, last)
    assert [verdict.passed for verdict in verdicts] == [True, True, False, True]
    assert verdicts[1].text == "drop(map50) <= 0.01: 0.0100 (0.8000, now 0.7900)"
    assert verdicts[3].value == -10, "a shorter latency is no drop"
    assert judged("drop(recall[cone]) == 0, drop(miou) <= 0", first, last)[0].passed


def test_worse_is_what_the_whole_interval_says() -> None:
    def verdict(low: float | None, high: float | None) -> Verdict:
        interval = Interval(0.8, 0.75, -0.05, low, high, None if low is None else 0.9)
        return judged("not  worse( ap50[cone] )", summary(), summary(), intervals={"ap50[cone]": interval})[0]

    assert verdict(-0.1, 0.001).passed
    assert verdict(-0.1, -0.001) == Verdict(
        "not worse(ap50[cone])",
        False,
        -0.05,
        "not worse(ap50[cone]): -0.0500, interval -0.1000 to -0.0010",
    )
    assert not verdict(None, None).passed
    assert "too few for an interval" in verdict(None, None).text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' is no condition"),
        ("map50>=0.8,", "'' is no condition"),
        ("map50", "write FIGURE >= NUMBER"),
        ("mpa50>=0.8", "no figure 'mpa50' [--gate]: did you mean 'map50'?"),
        ("map 50>=0.8", "no figure 'map 50'"),
        ("map50=>0.8", "'=>' in 'map50=>0.8' compares nothing [--gate]: known are >=, <=, >, <, =="),
        ("map50=0.8", "'=' in"),
        ("map50>=high", "'high' in 'map50>=high' is no number"),
        ("map50>=nan", "is no number"),
        ("map50>=0.8>=0.7", "is no number"),
        ("map50>=0,8", "'8' is no condition"),
        ("map50>=80", "'map50' lies between 0 and 1"),
        ("drop(map)<=2", "'map' lies between 0 and 1"),
        ("ap50>=0.8", "'ap50' is a figure of one class [--gate]: write ap50[CLASS]"),
        ("map50[cone]>=0.8", "'map50' has no classes"),
        ("recall[cone>=0.8", "is no condition"),
        ("worse(map50)", "write not worse(map50)"),
        ("not worse(flicker)", "there is no interval for 'flicker'"),
        ("not worse(map50)>=0.8", "has no value to compare"),
        ("not drop(map50)>=0.8", "has no value to compare"),
        ("dorp(map50)<=0.1", "write drop(FIGURE) <= NUMBER"),
        ("drop(drop(map50))<=0.1", "no figure 'drop(map50)'"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_gate(text, comparing=True)
    assert message in str(caught.value)


@pytest.mark.parametrize("text", ["drop(map)<=0.01", "map>=0.5, not worse(map)"])
def test_a_comparison_needs_two(text: str) -> None:
    with pytest.raises(UserError, match="--compare"):
        parse_gate(text, comparing=False)
    assert parse_gate("map>=0.5", comparing=False)


def test_what_a_model_cannot_answer_is_refused_before_it_runs() -> None:
    require(parse_gate("map>=0.5, recall[cone]>=0.5, not worse(f1), fps>1", True), "detection", ["cone"])
    require(parse_gate("miou>=0.5, recall[background]>=0.5, iou[cone]>=0", True), "segmentation", ["cone"])
    for text, task, message in (
        ("miou>=0.5", "detection", "a model for detection has no 'miou'"),
        ("drop(ap50[cone])<=0.5", "segmentation", "a model for segmentation has no 'ap50[cone]'"),
        ("recall[cnoe]>=0.5", "detection", "no class 'cnoe' for 'recall[cnoe]' [--gate]: did you mean 'cone'?"),
    ):
        with pytest.raises(UserError) as caught:
            require(parse_gate(text, True), task, ["cone"])
        assert message in str(caught.value)


@pytest.mark.parametrize("task", ["detection", "segmentation"])
def test_every_figure_is_found_in_the_summary(task: str) -> None:
    known = summary(task=task)
    known["stability"]["jitter_px"] = 1.0
    for name in (name for name, figure in FIGURES.items() if figure.task in (None, task)):
        assert judged(f"{name} >= 0", known)[0].passed, name
    assert judged("iou[background]>=0.9", summary(task="segmentation"))[0].passed
    assert {name for name, tasks in CLASS_FIGURES.items() if task in tasks} >= {"precision", "recall"}

"""summary.json: the figures of a run, and whether they are within the limits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from perception_infer.evaluation.summary import percentiles
from perception_sim.presets import load_preset

from .settings import Settings
from .watch import Row

_COUNTERS = (
    "frames_received",
    "frames_processed",
    "frames_unprocessed",
    "frames_without_model",
    "frames_lost_in_transport",
    "frames_lost_in_swaps",
)


def build(
    settings: Settings,
    train: Mapping[str, Any],
    live: Mapping[str, Any],
    counters: Mapping[str, Mapping[str, str]],
    bare: Mapping[str, Any],
    idle: tuple[float, float],
    validations: list[Row],
) -> dict[str, Any]:
    """The summary of a finished run, without stages, machine and software.

    Args:
        settings: what was asked for.
        train: the trainer's summary.json.
        live: the evaluator's results.
        counters: by node, the last values that it said on /diagnostics as it ended, the camera before inference.
        bare: the result of `bare_session`.
        idle: system time (s) from when to when only camera, inference and evaluation ran.
        validations: rows of the trainer's validation.csv.
    """
    last: Mapping[str, Any] = next(
        (entry for entry in live["versions"] if entry["version"] == train["versions"][-1]), {}
    )
    infer, camera = counters["infer_node"], counters["sim_camera_node"]
    # Periods are nominal: a camera that is late itself must not make gaps look short.
    gap = live["max_gap_around_swaps_ms"]
    world = load_preset(settings.world)
    result: dict[str, Any] = {
        "val_map50": train.get("val_map50"),
        "val_map": train.get("val_map"),
        "live_map50": last.get("map50"),
        "live_map": last.get("map"),
        "live_frames_scored": last.get("frames", 0),
        "frames_published": _count(camera, "frames_published"),
        **{name: _count(infer, name) for name in _COUNTERS},
        "frames_without_detections": live["frames"]["without_detections"],
        "swaps": len(live["swaps"]),
        "refused": _count(infer, "refused"),
        "max_gap_ms": live["max_gap_ms"],
        "max_gap_around_swaps_ms": gap,
        "max_gap_around_swaps_periods": None if gap is None else gap * settings.camera_hz / 1e3,
        "camera_hz": live["camera_hz"],
        "camera_hz_asked": settings.camera_hz,
        "latency_ms": live["latency_ms"],
        "latency_idle_ms": percentiles(idle_latency(live, idle)),
        "bare_session_ms": {key: bare[key] for key in ("p50", "p99", "max", "count")},
        "train_images_per_second": train["train_images_per_second"],
        "train_steps": train.get("steps"),
        "versions": version_table(train["versions"], live, validations),
        "per_class_ap50": {"validation": train.get("per_class_ap50", {}), "live": last.get("ap50", {})},
        "preset": {"name": settings.name, "note": settings.note, "train_minutes": settings.train_minutes},
        "world": {"name": world.name, "description": world.description, "classes": list(world.content.classes)},
        "seeds": {"train": settings.train_seed, "validation": settings.val_seed, "live": settings.live_seed},
        "images": {"train": settings.train_images, "validation": settings.val_images},
        "image_size": [settings.image_width, settings.image_height],
        "network_size": [settings.network_width, settings.network_height],
        "score_threshold": settings.score_threshold,
        "evaluation_start_unix_s": live["start_unix_s"],
    }
    result["checks"] = checks(settings, result)
    return result


def checks(settings: Settings, figures: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every limit of the preset with the value found and whether it holds."""
    return [
        {
            "name": limit.name,
            "relation": limit.relation,
            "limit": limit.limit,
            "value": figures.get(limit.name),
            "ok": limit.holds(figures.get(limit.name)),
        }
        for limit in settings.limits
    ]


def failed(summary: Mapping[str, Any]) -> list[str]:
    """The checks that failed, each in words."""
    return [
        f"{check['name']} is {_shown(check['value'])}, must be {check['relation']} {check['limit']:g}"
        for check in summary["checks"]
        if not check["ok"]
    ]


def idle_latency(live: Mapping[str, Any], idle: tuple[float, float]) -> list[float]:
    """Latencies (ms) of the outputs that arrived within a span of system time."""
    outputs, start = live["outputs"], live["start_unix_s"]
    pairs = zip(outputs["at_s"], outputs["latency_ms"], strict=True)
    return [latency for at, latency in pairs if idle[0] <= at + start <= idle[1]]


def version_table(versions: list[int], live: Mapping[str, Any], validations: list[Row]) -> list[dict[str, Any]]:
    """What is known of every exported version: when, how good in validation, how good live."""
    by_version = {entry["version"]: entry for entry in live["versions"]}
    exported = {int(row["version"]): row for row in validations if row.get("version")}
    table = []
    for version in versions:
        row, scored = exported.get(version, {}), by_version.get(version, {})
        table.append(
            {
                "version": version,
                "exported_at_s": row.get("seconds"),
                "val_map": row.get("map"),
                "val_map50": row.get("map50"),
                "live_map50": scored.get("map50"),
                "live_map": scored.get("map"),
                "live_frames": scored.get("frames", 0),
            }
        )
    return table


def _count(values: Mapping[str, str], name: str) -> int | None:
    return int(values[name]) if name in values else None


def _shown(value: Any) -> str:
    return "not known" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)

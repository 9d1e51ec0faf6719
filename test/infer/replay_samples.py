"""Replays without a bag: things that cross a picture, a model that mostly finds them, and the figures of that."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from perception_infer.draw import draw_mask
from perception_infer.evaluation.metrics import RECALL_POINTS, DetectionMetrics
from perception_infer.replay.report import Picture, build_report, choose_pictures

WIDTH, HEIGHT = 640, 360
CLASSES = ("cone", "drum", "person", "forklift", "pallet")
NASTY = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 1'>\" & $x ${y} '空'"
#: Frames a second.
RATE = 20
_START = 1_700_000_000_000_000_000
_MODEL = {
    "name": "yard",
    "version": 12,
    "title": "yard v12",
    "architecture": "yolo_s",
    "directory": "/models/yard/12",
    "sha256": "9f" * 32,
    "created": "2026-11-02T09:14:00+00:00",
}
_RUNNING = {
    "backend": "onnxruntime",
    "precision": "fp32",
    "provider": "CPUExecutionProvider",
    "threads": 2,
    "selection": {"region": None, "tiles": None},
}
_TIMING = {
    "wall_s": 41.2,
    "cpu_s": 79.0,
    "frames_per_second": 31.4,
    "realtime_factor": 1.57,
    "latency_ms": {
        "read": {"p50": 0.61, "p99": 1.9, "max": 4.4},
        "decode": {"p50": 3.2, "p99": 4.8, "max": 9.6},
        "prepare": {"p50": 1.4, "p99": 2.0, "max": 2.9},
        "infer": {"p50": 26.3, "p99": 33.1, "max": 58.0},
        "total": {"p50": 31.6, "p99": 41.0, "max": 71.2},
    },
}
_ENVIRONMENT = {
    "python": "3.11.7",
    "platform": "Linux-6.1-x86_64",
    "cpu": "2 cores",
    "onnxruntime": "1.23",
    "opencv": "4.12",
    "numpy": "2.3",
    "perception_suite": "0.1.0",
    "started": "2026-11-28T00:12:00+00:00",
}


@dataclass(frozen=True)
class Replay:
    """What a replay writes: replay.json, and the lines of frames.jsonl."""

    summary: dict[str, Any]
    frames: list[dict[str, Any]]


def detection(
    count: int = 80, *, truth: bool = True, classes: Sequence[str] = CLASSES, things: int = 7, seed: int = 0
) -> Replay:
    """``things`` on paths of their own in every frame; a quarter of the bag is foggy, and there the model is worse."""
    random = np.random.default_rng(seed)
    thresholds = [round(0.35 + 0.05 * (i % 4), 2) for i in range(len(classes))]
    path = random.uniform(0, 1, (things, 6))
    labels = random.integers(0, len(classes), things)
    frames = []
    for index in range(count):
        moment = index / count
        foggy = 0.55 < moment < 0.8
        true, found = [], []
        for (x, y, speed, size, phase, far), label in zip(path.tolist(), labels.tolist(), strict=True):
            if math.sin(2 * math.pi * (3 * moment * (0.5 + far) + phase)) < -0.55:
                continue
            side = (0.05 + 0.2 * size**2) * WIDTH * (1 + 0.25 * math.sin(9 * moment + 6 * phase))
            left = (x * WIDTH + speed * 600 * moment) % (WIDTH + side) - side
            box = _inside(left, 40 + y * 220, side, side * (0.8 + 0.5 * far))
            if box is None:
                continue
            ignored = int(box[2] - box[0] < 12)
            true.append([*box, label, ignored, round(400 / side, 2) if things < 8 else None])
            if random.uniform() < (0.55 if foggy else 0.93) * (0.75 if label == 1 else 1):
                score = float(random.beta(4, 3) if foggy else random.beta(9, 2))
                noise = random.normal(0, 0.025 * side, 4)
                told = label if random.uniform() > 0.06 else int(random.integers(0, len(classes)))
                moved = _inside(box[0] + noise[0], box[1] + noise[1], box[2] - box[0] + noise[2], box[3] - box[1])
                found += [[*moved, score, told]] if moved else []
        for _ in range(int(random.poisson(4))):
            side = float(random.uniform(15, 90))
            score = float(random.beta(2, 3) if foggy else random.beta(1, 9))
            box = _inside(float(random.uniform(0, WIDTH)), float(random.uniform(40, 300)), side, side)
            found += [[*box, score, int(random.integers(0, len(classes)))]] if box else []
        found.sort(key=lambda row: -row[4])
        stamp = _START + int((index + (8 if moment > 0.3 else 0)) * 1e9 / RATE)
        known = truth and index % 17 != 16
        frames.append(_line(index, stamp, found, true if known else None))
    return Replay(_summary(frames, list(classes), thresholds, "detection", truth), frames)


def segmentation(count: int = 60, *, truth: bool = True, classes: Sequence[str] = CLASSES[:3], seed: int = 0) -> Replay:
    """Areas that grow and shrink, and are found better at some times than at others."""
    random = np.random.default_rng(seed)
    ids = len(classes) + 1
    pixels = WIDTH * HEIGHT
    frames = []
    total = np.zeros((ids, ids))
    for index in range(count):
        wave = np.array([0.06 + 0.05 * math.sin(index / 9 + i) for i in range(ids - 1)])
        true = np.rint(np.array([1 - wave.sum(), *wave]) * pixels)
        kept = np.clip(0.9 - 0.35 * (0.4 < index / count < 0.6) + random.normal(0, 0.03, ids), 0, 1)
        counts = np.diag(np.rint(true * kept))
        counts[:, 0] += true - counts.sum(1)
        total += counts
        shares = (counts.sum(0) / counts.sum()).tolist()
        sparse = [[int(i), int(j), int(counts[i, j])] for i, j in zip(*np.nonzero(counts), strict=True)]
        stamp = _START + int(index * 1e9 / RATE)
        frames.append(_line(index, stamp, {"shares": shares}, {"confusion": sparse} if truth else None))
    summary = _summary(frames, list(classes), [], "segmentation", False)
    names = ["background", *classes]
    mean = np.mean([frame["found"]["shares"] for frame in frames], axis=0).tolist()
    summary["counts"] = {"shares": dict(zip(names, mean, strict=True))}
    summary["stability"] = None
    if truth:
        right = np.diag(total)
        iou = (right / (total.sum(0) + total.sum(1) - right)).tolist()
        summary["truth"] |= {"kind": "coco", "source": "/data/masks", "joined_by": "name", "frames": count}
        summary["figures"] = {
            "miou": float(np.mean(iou[1:])),
            "pixel_accuracy": float(right.sum() / total.sum()),
            "classes": [
                {
                    "name": name,
                    "pixels": int(total[i].sum()),
                    "iou": iou[i],
                    "precision": float(right[i] / total[:, i].sum()),
                    "recall": float(right[i] / total[i].sum()),
                }
                for i, name in enumerate(names)
            ],
            "confusion": {"names": names, "counts": total.astype(int).tolist()},
        }
    return Replay(summary, frames)


def hostile() -> Replay:
    """A replay in which everything that has a name is called the same."""
    replay = detection(40, classes=(NASTY, "cone"), things=4)
    summary = replay.summary
    summary["model"] |= {"name": NASTY, "title": NASTY, "directory": NASTY}
    summary["bag"] |= {"path": f"/bags/{NASTY}", "topic": NASTY, "warnings": [NASTY]}
    summary["bag"]["skipped"] = [{"reason": NASTY, "count": 1, "first_index": 0}]
    summary["truth"] |= {"source": NASTY, "unknown_classes": [NASTY]}
    summary["environment"]["cpu"] = NASTY
    summary["figures"]["by_size"][0]["name"] = NASTY
    for frame in replay.frames:
        frame["name"] = NASTY
    return replay


def picture_of(replay: Replay, index: int, role: str, width: int = 480) -> Picture:
    """A frame drawn: a floor, a wall, and what is there."""
    line = next(frame for frame in replay.frames if frame["index"] == index)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = np.linspace(70, 190, HEIGHT)[:, None, None]
    image[:140] = (150, 140, 128)
    if replay.summary["model"]["task"] == "segmentation":
        mask = np.repeat(np.arange(len(replay.summary["classes"]) + 1), WIDTH // 4)[:WIDTH].astype(np.uint8)
        image = draw_mask(image, np.where(np.arange(HEIGHT)[:, None] > 200, mask, 0).astype(np.uint8))[..., ::-1]
        boxes = []
    else:
        boxes = line["truth"] or [[*row[:4], row[5]] for row in line["found"] if row[4] > 0.4]
    for x1, y1, x2, y2, label, *_ in boxes:
        colour = ((30, 110, 230), (190, 120, 40), (90, 160, 80), (40, 190, 220), (60, 80, 120))[int(label) % 5]
        centre, half = (round((x1 + x2) / 2), round((y1 + y2) / 2)), (round((x2 - x1) / 2), round((y2 - y1) / 2))
        cv2.ellipse(image, (centre[0], round(y2)), (half[0], max(half[1] // 6, 1)), 0, 0, 360, (60, 60, 60), -1)
        cv2.ellipse(image, centre, half, 0, 0, 360, colour, -1, cv2.LINE_AA)
    small = cv2.resize(image, (width, width * HEIGHT // WIDTH), interpolation=cv2.INTER_AREA)
    return Picture(cv2.imencode(".jpg", small)[1].tobytes(), small.shape[1], small.shape[0], role)


def page_of(replay: Replay, most: int = 12, linked: dict[int, str] | None = None) -> str:
    """The page, with the pictures that it would have."""
    roles = choose_pictures(replay.summary, replay.frames, most)
    pictures = {index: picture_of(replay, index, role) for index, role in roles.items()}
    return build_report(replay.summary, replay.frames, pictures, linked)


def _line(index: int, stamp: int, found: Any, truth: Any) -> dict[str, Any]:
    return {
        "index": index,
        "stamp": stamp,
        "time": stamp + 1_500_000,
        "width": WIDTH,
        "height": HEIGHT,
        "name": None,
        "found": found,
        "truth": truth,
    }


def _inside(left: float, top: float, width: float, height: float) -> list[float] | None:
    """A box cut at the picture's edges; None where little is left."""
    x1, x2 = (min(max(value, 0.0), float(WIDTH)) for value in (left, left + width))
    y1, y2 = (min(max(value, 0.0), float(HEIGHT)) for value in (top, top + height))
    return [x1, y1, x2, y2] if x2 - x1 > 6 and y2 - y1 > 6 else None


def _summary(
    frames: list[dict[str, Any]], classes: list[str], thresholds: list[float], task: str, truth: bool
) -> dict[str, Any]:
    seconds = (frames[-1]["time"] - frames[0]["time"]) / 1e9 if frames else 0.0
    found = task == "detection"
    # Copies, since tests write into what they get.
    return {
        "schema": "perception_suite/replay/1",
        "model": _MODEL | {"task": task, "classes": classes, "thresholds": thresholds},
        "running": copy.deepcopy(_RUNNING),
        "bag": _bag(frames, seconds),
        "truth": _truth(frames, truth),
        "classes": classes,
        "figures": _figures(frames, classes, thresholds, seconds / 60) if found and truth else None,
        "counts": _counts(frames, classes, thresholds) if found else {},
        "stability": {"flicker": 0.043, "track_breaks_per_minute": 2.6, "jitter_px": 1.37, "tracks": 31},
        "timing": copy.deepcopy(_TIMING),
        "environment": copy.deepcopy(_ENVIRONMENT),
    }


def _bag(frames: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    return {
        "path": "/data/bags/yard_loop_3",
        "topic": "/camera/front/image_raw",
        "type": "sensor_msgs/msg/Image",
        "files": [{"name": "yard_loop_3_0.mcap", "bytes": 734_003_200}],
        "start_ns": _START,
        "end_ns": _START + int(seconds * 1e9),
        "duration_s": seconds,
        "messages": len(frames) + 3,
        "frames": len(frames),
        "skipped": [{"reason": "the JPEG ends early", "count": 3, "first_index": 41}],
        "warnings": ["8 frames are missing between 24.0 s and 24.4 s: the recorder was too slow"],
    }


def _truth(frames: list[dict[str, Any]], known: bool) -> dict[str, Any]:
    return {
        "kind": "topic" if known else "none",
        "source": "/ground_truth" if known else None,
        "joined_by": "stamp" if known else None,
        "frames": sum(frame["truth"] is not None for frame in frames),
        "without_frame": 2 if known else 0,
        "objects": sum(len(frame["truth"]) for frame in frames if frame["truth"]) if known else 0,
        "unknown_classes": [],
    }


def _counts(frames: list[dict[str, Any]], classes: list[str], thresholds: list[float]) -> dict[str, Any]:
    kept = [[row for row in frame["found"] if row[4] >= thresholds[row[5]]] for frame in frames]
    rows = np.array([row for frame in frames for row in frame["found"]], float).reshape(-1, 6)
    total = sum(map(len, kept))
    return {
        "detections": total,
        "per_class": {name: sum(row[5] == i for one in kept for row in one) for i, name in enumerate(classes)},
        "per_frame": total / max(len(frames), 1),
        "frames_without": sum(not one for one in kept),
        "score_histogram": {
            name: np.histogram(rows[rows[:, 5] == i, 4], 20, (0, 1))[0].tolist() for i, name in enumerate(classes)
        },
    }


def _figures(
    frames: list[dict[str, Any]], classes: list[str], thresholds: list[float], minutes: float
) -> dict[str, Any]:
    metrics = DetectionMetrics()
    for frame in frames:
        if frame["truth"] is not None:
            found, true = np.array(frame["found"]).reshape(-1, 6), np.array(frame["truth"], float).reshape(-1, 7)
            labels = found[:, 5].astype(int), true[:, 4].astype(int)
            metrics.update(found[:, :4], found[:, 4], labels[0], true[:, :4], labels[1], true[:, 5] > 0)
    scores = metrics.compute()
    rows = []
    counts = np.zeros((len(classes) + 1, len(classes) + 1), int)
    for i, name in enumerate(classes):
        curve = metrics.curve(i)
        at = np.searchsorted(curve.recall, RECALL_POINTS)
        best = np.maximum.accumulate(curve.precision[::-1])[::-1]
        kept = int((curve.scores >= thresholds[i]).sum())
        precision, recall = metrics.precision_recall(thresholds[i], i)
        hits = round(precision * kept) if kept else 0
        objects = round(hits / recall) if recall > 0 else 0
        counts[i, i], counts[i, -1], counts[-1, i] = hits, objects - hits, kept - hits
        rows.append(
            {
                "name": name,
                "objects": objects,
                "ap": scores.ap.get(i),
                "ap50": scores.ap50.get(i),
                "threshold": thresholds[i],
                "precision": precision if kept else None,
                "recall": recall if objects else None,
                "false_alarms": kept - hits,
                "missed": objects - hits,
                "curve": [float(best[k]) if k < len(best) else 0.0 for k in at] if objects else [],
            }
        )
    right, false, missed = counts.trace(), sum(r["false_alarms"] for r in rows), sum(r["missed"] for r in rows)
    precision, recall = right / max(right + false, 1), right / max(right + missed, 1)
    return {
        "map": scores.map,
        "map50": scores.map50,
        "map75": scores.map75,
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-9),
        "classes": rows,
        "confusion": {"names": [*classes, "background"], "counts": counts.tolist()},
        "by_size": [
            {"name": "small", "objects": 120, "ap50": 0.61, "recall": 0.55},
            {"name": "medium", "objects": 210, "ap50": 0.82, "recall": 0.79},
            {"name": "large", "objects": 40, "ap50": None, "recall": None},
        ],
        "by_distance": [
            {"name": "0-2 m", "objects": 80, "ap50": 0.93, "recall": 0.9},
            {"name": "2-5 m", "objects": 200, "ap50": 0.77, "recall": 0.74},
        ],
        "false_alarms_per_minute": false / minutes,
        "missed_per_minute": missed / minutes,
    }

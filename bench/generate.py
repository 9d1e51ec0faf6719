"""Making pictures with all labels: how far from bare rendering, where the time goes, and whether memory stays flat."""

from __future__ import annotations

import cProfile
import json
import pstats
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil

from perception_sim.generation.pool import produce
from perception_sim.generation.producer import Plan, Producer
from perception_sim.presets import load_preset
from perception_sim.rendering import open_renderer
from perception_sim.rendering.viewer import Viewer
from perception_sim.sampling import sample_optics
from perception_sim.staging import propose_view, settled_world

from .figures import Figure

_SEED, _PREBUILT, _VIEWS = 5, 24, 4
"""Bare rendering shows the first scenes that the generator makes: what a scene costs differs too much for others."""
_STAGES = {
    "drawing scenes": ("sample_scene",),
    "compiling scenes": ("compile_scene",),
    "physics": ("settle",),
    "scene to the renderer": ("load",),
    "views and labels": ("labelled_view",),
    "RGB": ("rgb",),
    "sensor model": ("expose",),
    "backdrops and cut-outs": ("sample_backdrop", "before", "paste", "_keep"),
    "encoding and writing": ("_write",),
}


def plan(preset: str, width: int, height: int, output: Path, images: int) -> Plan:
    """Everything on: masks, depth, sensor model, four views a scene."""
    for folder in ("images", "masks", "depth"):
        (output / folder).mkdir(parents=True, exist_ok=True)
    return Plan(output, load_preset(preset), _SEED, images, _VIEWS, width, height, "jpg", 92, True, depth=True)


def bare(preset: str, width: int, height: int, seconds: float) -> float:
    """Images per second of RGB and segmentation alone, of scenes that are built and in OpenGL; one process."""
    chosen = load_preset(preset)
    images, spent = 0, 0.0
    with Viewer(width, height, partial(open_renderer, "classic")) as viewer:
        rngs = [np.random.default_rng([_SEED, scene]) for scene in range(_PREBUILT)]
        worlds = [settled_world(chosen, rng, False) for rng in rngs]
        while spent < seconds:
            for world, rng in zip(worlds, rngs, strict=True):
                viewer.load(world)
                optics = sample_optics(chosen.camera, width, height, rng)
                views = [propose_view(world, chosen, rng, viewer, optics) for _ in range(_VIEWS)]
                viewer.rgb(views[0]), viewer.things(views[0])
                start = time.perf_counter()
                for view in views:
                    viewer.rgb(view), viewer.things(view)
                spent += time.perf_counter() - start
                images += len(views)
    return images / spent


def measure(preset: str, width: int, height: int, workers: int, seconds: float) -> list[Figure]:
    """The bare rate of as many processes at once, and the rate of the generator with as many workers."""
    command = [sys.executable, "-m", __name__, preset, str(width), str(height), str(seconds)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(workers)]
    limit = sum(float(process.communicate()[0]) for process in running)
    with tempfile.TemporaryDirectory() as folder:
        made = _generated(plan(preset, width, height, Path(folder), 1_000_000), workers, seconds)
    return [
        Figure("bare RGB + segmentation of built scenes", limit, "images/s"),
        Figure("generator, all labels, sensor model, files", made, "images/s", "bare", made / limit),
    ]


def _generated(what: Plan, workers: int, seconds: float) -> float:
    scenes = produce(what, range(what.scenes), what.scenes, workers)
    try:
        # The first scenes also start the workers.
        for _ in range(2 * workers):
            next(scenes)
        start, images = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            images += len(json.loads(next(scenes))["shots"])
        return images / (time.perf_counter() - start)
    finally:
        scenes.close()


def profile(preset: str, width: int, height: int, scenes: int = 25) -> list[Figure]:
    """Milliseconds an image in every stage, in one process."""
    with tempfile.TemporaryDirectory() as folder:
        producer = Producer(plan(preset, width, height, Path(folder), 1_000_000))
        producer.make(0)
        recorder = cProfile.Profile()
        start = time.perf_counter()
        recorder.enable()
        for scene in range(1, scenes + 1):
            producer.make(scene)
        recorder.disable()
        total = (time.perf_counter() - start) / (scenes * _VIEWS) * 1e3
        producer.close()
    spent: dict[str, float] = {}
    for (file, _, name), (_, _, _, cumulative, _) in pstats.Stats(recorder).stats.items():  # type: ignore[attr-defined]
        if "perception_sim" in file:
            spent[name] = max(spent.get(name, 0.0), cumulative)
    figures = [Figure("all", total, "ms/image")]
    for stage, names in _STAGES.items():
        took = sum(spent.get(name, 0.0) for name in names) / (scenes * _VIEWS) * 1e3
        figures.append(Figure(stage, took, "ms/image", "all", took / total))
    return figures


def memory(preset: str, images: int = 5000, width: int = 160, height: int = 120) -> list[Figure]:
    """Resident memory of one process after a tenth of so many images, and at their end."""
    process, first = psutil.Process(), 0.0
    with tempfile.TemporaryDirectory() as folder:
        what = plan(preset, width, height, Path(folder), images)
        producer = Producer(what)
        for scene in range(what.scenes):
            producer.make(scene)
            if scene == what.scenes // 10:
                first = process.memory_info().rss / 1e6
        last = process.memory_info().rss / 1e6
        producer.close()
    return [
        Figure(f"resident after {images // 10} images", first, "MB"),
        Figure(f"resident after {images} images", last, "MB", "after a tenth", last / first),
    ]


if __name__ == "__main__":
    print(json.dumps(bare(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))))

"""What scoring a recording costs beside the bare parts of it, and whether memory stays flat over a long one.

``python -m bench.replay --bundle MODEL_REPO/NAME/VERSION --frames 20000``

A recording is made (JPEG, VGA). The bare parts are, frame by frame: rosbags' reader and OpenCV's decoder; letterbox and
session. Each runs in a process of its own on the same recording, in turns; sessions have one thread each unless told
otherwise.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer

from perception_common.machine import cores
from perception_infer.backends.select import make_backend
from perception_infer.benchmark.surroundings import MIB
from perception_infer.contract.geometry import Letterbox
from perception_infer.models import open_bundle
from perception_infer.recordings.types import COMPRESSED_IMAGE, ros2_types
from perception_infer.replay.model_choice import choose_model
from perception_infer.replay.params import ReplayParams
from perception_infer.replay.pipeline import Shown
from perception_infer.replay.run import replay
from perception_infer.running import RunningParams, say

TOPIC = "/camera/image_raw/compressed"
SIZE = (640, 480)
_DIFFERENT = 64
_PERIOD_NS = 33_333_333


def make_bag(path: Path, frames: int) -> Path:
    """A recording of ``frames`` JPEG pictures of drifting shapes on noise; 64 different ones, in turn."""
    store, rng = ros2_types(), np.random.default_rng(0)
    pictures = []
    for index in range(_DIFFERENT):
        picture = cv2.GaussianBlur(rng.integers(0, 120, (SIZE[1], SIZE[0], 3), np.uint8), (9, 9), 0)
        for kind in range(4):
            at = (80 + 120 * kind + index, 120 + 60 * kind)
            cv2.circle(picture, at, 25 + 5 * kind, rng.integers(120, 256, 3).tolist(), -1)
        pictures.append(cv2.imencode(".jpg", picture)[1].reshape(-1))
    types = store.types
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(TOPIC, COMPRESSED_IMAGE, typestore=store)
        for index in range(frames):
            stamp = 1_700_000_000_000_000_000 + index * _PERIOD_NS
            time_of = types["builtin_interfaces/msg/Time"](sec=stamp // 10**9, nanosec=stamp % 10**9)
            header = types["std_msgs/msg/Header"](stamp=time_of, frame_id="camera")
            message = types[COMPRESSED_IMAGE](header=header, format="jpeg", data=pictures[index % _DIFFERENT])
            writer.write(connection, stamp, store.serialize_cdr(message, COMPRESSED_IMAGE))
    return path


def run_bare(bag: Path, bundle: Path, threads: int, frames: int) -> dict[str, Any]:
    """Seconds of all processors, and of the clock, for the bare parts of ``frames`` frames."""
    opened = open_bundle(bundle)
    backend = make_backend(opened, RunningParams(threads=threads).wish(say))
    size = opened.manifest.input
    letterbox = Letterbox.fit(SIZE, (size.width, size.height))
    backend.run(np.zeros((1, size.height, size.width, 3), np.uint8))
    cpu, wall, done = time.process_time(), time.perf_counter(), 0
    with AnyReader([bag]) as reader:
        for connection, _, data in reader.messages():
            message: Any = reader.deserialize(data, connection.msgtype)
            picture = cv2.imdecode(message.data, cv2.IMREAD_COLOR)
            assert picture is not None
            backend.run(letterbox.image(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))[None])  # type: ignore[arg-type]
            done += 1
            if done == frames:
                break
    return {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall, "frames": done}


def run_replay(bag: Path, bundle: Path, threads: int, frames: int) -> dict[str, Any]:
    """The same of a replay, without its report, and resident memory over the run."""
    process, memory = psutil.Process(), []
    every = max(1, frames // 40)

    def watch(frame: Shown, found: object, line: object) -> None:
        if frame.index % every == 0:
            memory.append(process.memory_info().rss / MIB)

    params = ReplayParams(bag=str(bag), threads=threads, truth="none", frames=frames)
    with tempfile.TemporaryDirectory() as folder:
        choice = choose_model(str(bundle), "", params)
        timing = replay(bag, choice, params, Path(folder), (watch,)).summary["timing"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": timing["cpu_s"], "wall_s": timing["wall_s"], "memory_mib": memory, "peak_mib": peak}


def main() -> None:
    """Make the recording, run both in turns, and tell the ratios."""
    parser = argparse.ArgumentParser("python -m bench.replay", description=__doc__.split("\n")[0] if __doc__ else "")
    parser.add_argument("--bundle", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=2000, help="of the recording")
    parser.add_argument("--compared", type=int, default=1000, help="frames of each turn of the comparison")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1, help="of each session, on both sides")
    parser.add_argument("--part", choices=("bare", "replay"), help=argparse.SUPPRESS)
    parser.add_argument("--bag", type=Path, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.part:
        part = run_bare if told.part == "bare" else run_replay
        print(json.dumps(part(told.bag, told.bundle, told.threads, told.frames)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-replay-") as folder:
        say(f"making a recording of {told.frames} frames")
        bag = make_bag(Path(folder) / "bag", told.frames)

        def measured(part: str, frames: int) -> dict[str, Any]:
            command = [sys.executable, "-m", "bench.replay", "--part", part, "--bag", str(bag), "--frames", str(frames)]
            command += ["--bundle", str(told.bundle), "--threads", str(told.threads)]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
            say(f"{part}: {result['cpu_s']:.2f} s of processors, {result['wall_s']:.2f} s")
            return result

        turns = [(measured("bare", told.compared), measured("replay", told.compared)) for _ in range(told.turns)]
        whole = measured("replay", told.frames)
    memory = whole["memory_mib"]
    tenth = max(1, len(memory) // 10)
    print(
        json.dumps(
            {
                "cores": cores(),
                "cpu_ratio": [replayed["cpu_s"] / bare["cpu_s"] for bare, replayed in turns],
                "wall_ratio": [replayed["wall_s"] / bare["wall_s"] for bare, replayed in turns],
                "cores_used": [replayed["cpu_s"] / replayed["wall_s"] for _, replayed in turns],
                "frames": told.frames,
                "memory_mib": {
                    "after_a_tenth": memory[tenth],
                    "at_the_end": memory[-1],
                    "peak_with_figures": whole["peak_mib"],
                },
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()

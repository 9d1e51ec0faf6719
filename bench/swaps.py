"""Swaps under a 30 Hz camera: good models, bad models, and a long quiet time after both.

``python -m bench.swaps --bundle MODEL_REPO/NAME/VERSION``

Every good version is the bundle under a new number; every bad one has a damaged graph. What counts: frames that the
node lost, the longest gap between two outputs in camera periods, memory, and how the age of results develops.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from perception_common.machine import memory_of
from perception_infer.benchmark.partner import Partner
from perception_infer.benchmark.surroundings import picture_file
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.models import Bundle, open_bundle

NODE = "perception_infer.ros.infer_node"
#: How long one swap may take.
PATIENCE = 60.0


def renumbered(bundle: Bundle, root: Path, version: int, damaged: bool = False) -> Path:
    """The bundle under another number, with a damaged graph where that is wanted."""
    target = root / bundle.manifest.name / str(version)
    target.mkdir(parents=True)
    for name in bundle.manifest.files:
        if damaged and name == "model.onnx":
            (target / name).write_bytes(bundle.read(name)[:-1])
        else:
            shutil.copy(bundle.directory / name, target / name)
    told = json.loads((bundle.directory / MANIFEST_NAME).read_text(encoding="utf-8"))
    told["version"] = version
    (target / MANIFEST_NAME).write_text(json.dumps(told, indent=2), encoding="utf-8")
    return target


@dataclass
class Watch:
    """What the node publishes, as it arrives."""

    arrived: list[int] = field(default_factory=list)
    stamps: list[int] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)

    def on_result(self, message: Any) -> None:
        """A result of a frame."""
        self.arrived.append(time.time_ns())
        self.stamps.append(message.header.stamp.sec * 10**9 + message.header.stamp.nanosec)

    def on_values(self, message: Any) -> None:
        """The node's diagnostics."""
        self.values.update({entry.key: entry.value for entry in message.status[0].values})

    def number(self, name: str) -> int:
        """A counter, as it was told last."""
        return int(self.values.get(name, 0))


class Swaps:
    """The node, its camera, and who announces versions to it."""

    def __init__(self, bundle: Bundle, rate: float, seconds: float, stack: ExitStack) -> None:
        # Here, because the transport has to be chosen before.
        from perception_common.ros import dds

        dds.begin()
        import rclpy
        from diagnostic_msgs.msg import DiagnosticArray
        from rclpy.executors import SingleThreadedExecutor
        from rclpy.node import Node
        from rclpy.signals import SignalHandlerOptions
        from vision_msgs.msg import Detection2DArray, VisionInfo

        from perception_common.ros import qos

        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        self.bundle, self.root, self.period, self.watch = bundle, folder / "models", 1e9 / rate, Watch()
        renumbered(bundle, self.root, 1)
        self.version = 1
        namespace = f"/perception_swaps_{os.getpid()}"
        ros = ["--ros-args", "-r", f"__ns:={namespace}"]
        # Its handlers would keep Ctrl-C to themselves.
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
        node = Node("bench_swaps", namespace=namespace)
        node.create_subscription(Detection2DArray, "detections", self.watch.on_result, qos.RESULTS)
        node.create_subscription(DiagnosticArray, "/diagnostics", self.watch.on_values, 10)
        self._announce = node.create_publisher(VisionInfo, "checkpoint", qos.LATCHED)
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        threading.Thread(target=executor.spin, daemon=True).start()
        model = ["-p", f"model_root:={self.root}", "-p", f"model:={bundle.manifest.name}"]
        model += ["-p", "require_signature:=false", "-p", f"state:={folder}"]
        self.node = stack.enter_context(Partner("node", NODE, [*ros, *model], folder / "node"))
        world = Partner("camera", "perception_infer.ros.bench_world", ["world", *ros], folder / "world")
        self.camera = stack.enter_context(world)
        picture = picture_file(bundle, (640, 480), folder)
        self.camera.tell({"picture": picture, "rate": rate, "seconds": seconds})
        self.wait(lambda: len(self.watch.arrived) > 5)

    def swap(self, damaged: bool = False) -> None:
        """Announce the next version, and wait until it serves, or until it is refused."""
        from vision_msgs.msg import VisionInfo

        self.version += 1
        directory = renumbered(self.bundle, self.root, self.version, damaged)
        before = self.watch.number("refused")
        self._announce.publish(
            VisionInfo(
                method=self.bundle.manifest.name,
                database_location=(directory / MANIFEST_NAME).as_uri(),
                database_version=self.version,
            )
        )
        if damaged:
            self.wait(lambda: self.watch.number("refused") > before)
        else:
            self.wait(lambda: self.watch.number("serving_version") == self.version)

    def wait(self, condition: Any) -> None:
        """Until it holds."""
        limit = time.monotonic() + PATIENCE
        while not condition():
            self.node.check()
            if time.monotonic() > limit:
                raise SystemExit(f"bench.swaps: did not happen in {PATIENCE:.0f} s: {self.watch.values}")
            time.sleep(0.02)

    def phase(self, begin: int) -> dict[str, float]:
        """Of the results since one."""
        gaps = np.diff(self.watch.arrived[begin:]) / self.period
        ages = (np.array(self.watch.arrived[begin:]) - np.array(self.watch.stamps[begin:])) / 1e6
        return {
            "outputs": len(ages),
            "longest_gap_periods": round(float(gaps.max()), 2),
            "age_ms_p50": round(float(np.percentile(ages, 50)), 2),
            "age_ms_p99": round(float(np.percentile(ages, 99)), 2),
            "lost_in_swaps": self.watch.number("frames_lost_in_swaps"),
            "memory_mb": round(memory_of(self.node.process.pid) / (1 << 20), 1),
        }


def main() -> int:
    """Swap, and tell what it cost."""
    parser = argparse.ArgumentParser(prog="python -m bench.swaps", description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="MODEL_REPO/NAME/VERSION")
    parser.add_argument("--rate", type=float, default=30.0, help="of the camera, in Hz")
    parser.add_argument("--swaps", type=int, default=50)
    parser.add_argument("--failing", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=10.0, help="altogether")
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    ends = time.monotonic() + wish.minutes * 60
    result: dict[str, Any] = {"rate_hz": wish.rate, "phases": {}}
    with ExitStack() as stack:
        swaps = Swaps(open_bundle(wish.bundle), wish.rate, wish.minutes * 60 + 60, stack)
        for name, count, damaged in (("swaps", wish.swaps, False), ("failing swaps", wish.failing, True)):
            begin = len(swaps.watch.arrived)
            for _ in range(count):
                swaps.swap(damaged)
            result["phases"][f"{count} {name}"] = swaps.phase(begin)
            print(f"{count} {name}: {result['phases'][f'{count} {name}']}", flush=True)
        minute = 0
        while time.monotonic() < ends:
            begin, minute = len(swaps.watch.arrived), minute + 1
            time.sleep(60)
            result["phases"][f"minute {minute} after"] = swaps.phase(begin)
            print(f"minute {minute} after: {result['phases'][f'minute {minute} after']}", flush=True)
        time.sleep(1.5)
        result["counters"] = {
            key: swaps.watch.values.get(key)
            for key in ("frames_received", "frames_processed", "frames_unprocessed", "frames_lost_in_transport",
                        "frames_lost_in_swaps", "swaps", "refused", "loads")
        }  # fmt: skip
        print(result["counters"])
    if wish.json:
        wish.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`perception-infer bench`: what the node costs beside the bare session, over real DDS, with a camera of its own."""

from __future__ import annotations

import importlib.util
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_common.machine import cores, memory_of
from perception_common.params import param

from ..benchmark.partner import Partner
from ..benchmark.surroundings import (
    MIB,
    START_SECONDS,
    Camera,
    picture_file,
    real_node,
    running,
    size_of,
)
from ..evaluation.summary import percentiles
from ..models import Bundle, find_bundle
from ..running import RunningParams, say

#: The camera of the throughput's measurement sends so many times as many images as the bare session answers.
_PACE = 1.2
#: The camera of the latency's measurement leaves at least half of the time free.
_LATENCY_HZ, _LATENCY_SHARE = 30.0, 0.5
_FIRST_HZ = 10.0


@dataclass(frozen=True)
class BenchParams(RunningParams):
    """Parameters of `perception-infer bench`."""

    bundle: str = param("", "bundle directory, MODEL_REPO/<name>/<version>, or MODEL_REPO/<name> for the newest")
    sizes: tuple[str, ...] = param(("640x480", "1920x1080"), "sizes of the camera's images, WIDTHxHEIGHT")
    seconds: float = param(10.0, "how long each figure is measured", minimum=0.5, maximum=3600)
    camera_hz: float = param(
        0.0,
        f"images a second for the latency, of the camera (0: {_LATENCY_HZ:g}, or half of what the session does)",
        minimum=0,
        maximum=1000,
    )
    node: bool = param(True, "measure the node over DDS too, not only session and predictor")


def bench(params: BenchParams) -> dict[str, Any]:
    """Measure session, predictor and node in one run; a table on stdout.

    Raises:
        UserError: the bundle cannot be used, or a process of the benchmark ends.
    """
    if not params.bundle:
        raise UserError("no bundle is given", fix="--bundle MODEL_REPO/NAME/VERSION")
    bundle, sizes = find_bundle(Path(params.bundle)), [size_of(text) for text in params.sizes]
    if params.node and importlib.util.find_spec("rclpy") is None:
        raise UserError("rclpy is not installed", fix="source ROS 2, or measure without the node: --no-node")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perception-bench-")))
        setup = {"bundle": str(bundle.directory), "params": running(params)}
        say(f"{bundle.title}: loading")
        session = stack.enter_context(Partner("session", "perception_infer.benchmark.session", [], folder / "session"))
        backend = session.ask(setup, START_SECONDS)["backend"]
        camera = Camera(stack, folder) if params.node else None
        rows = [_measure(params, bundle, size, session, camera, folder) for size in sizes]
    result = {"model": bundle.title, "backend": backend, "cores": cores(), "sizes": rows}
    print_table(result)
    return result


def print_table(result: dict[str, Any]) -> None:
    """The result for people: a block per size of image, and every figure beside what it is held against."""
    print(f"{result['model']} on {result['backend']}, {result['cores']} cores")
    for row in result["sizes"]:
        bare, whole = row["bare"], row["predictor"]
        print(f"\n{row['width']}x{row['height']:<20} p50 ms   p99 ms       Hz   beside the bare session")
        print(f"  {'bare session':24}{bare['p50']:8.2f} {bare['p99']:8.2f} {bare['rate_hz']:8.1f}")
        print(
            f"  {'predictor':24}{whole['p50']:8.2f} {whole['p99']:8.2f} {whole['rate_hz']:8.1f}"
            f"   + {whole['p50'] - bare['p50']:.2f} ms, {whole['p50'] / bare['p50']:.2f} x"
        )
        if "node" not in row:
            continue
        node, beside, full = row["node"], row["bare_beside_camera"], row["saturated"]
        more = node["p50"] - beside["p50"]
        hop = row["message"]
        print(f"  {'image, node to node':24}{hop['p50']:8.2f} {hop['p99']:8.2f} {row['camera_hz']:8.1f}   nothing else")
        print(
            f"  {'bare, camera beside':24}{beside['p50']:8.2f} {beside['p99']:8.2f} {beside['rate_hz']:8.1f}"
            f"   camera at {row['camera_hz']:.1f} Hz"
        )
        print(
            f"  {'node, end to end':24}{node['p50']:8.2f} {node['p99']:8.2f} {node['rate_hz']:8.1f}"
            f"   + {more:.2f} ms, {node['p50'] / beside['p50']:.2f} x; p99 {node['p99'] / beside['p99']:.2f} x; "
            f"{more / hop['p50']:.2f} x an image's way"
        )
        print(
            f"  {'node, saturated':24}{full['p50']:8.2f} {full['p99']:8.2f} {full['rate_hz']:8.1f}"
            f"   {full['rate_hz'] / row['bare_saturated']['rate_hz']:.3f} of the bare session's rate; "
            f"camera at {row['saturating_hz']:.1f} Hz"
        )
        print(
            f"  {node['received']} of {node['sent']} images answered; first result {row['first_s']:.2f} s after the"
            f" node's start; {row['memory_mb']:.0f} MiB resident"
        )


def _measure(
    params: BenchParams, bundle: Bundle, size: tuple[int, int], session: Partner, camera: Camera | None, folder: Path
) -> dict[str, Any]:
    width, height = size
    seconds, patience = params.seconds, params.seconds + START_SECONDS
    say(f"{width}x{height}: session and predictor")
    row: dict[str, Any] = {"width": width, "height": height}
    row["bare"] = session.ask({"what": "bare", "seconds": seconds}, patience)
    picture = picture_file(bundle, size, folder)
    row["predictor"] = session.ask({"what": "predictor", "seconds": seconds, "picture": picture}, patience)
    if camera is None:
        return row
    from ..ros.bench_world import Stream

    say(f"{width}x{height}: the camera alone, and the bare session with a camera beside it")
    row["camera_hz"] = params.camera_hz or min(_LATENCY_HZ, _LATENCY_SHARE * row["bare"]["rate_hz"])
    row["saturating_hz"] = _PACE * row["bare"]["rate_hz"]
    with camera.null() as null:
        camera.stream(Stream(picture, row["camera_hz"], seconds))
        row["message"] = percentiles(null.ask({}, patience)["ms"])
        for name, rate in (("bare_beside_camera", "camera_hz"), ("bare_saturated", "saturating_hz")):
            wish = Stream(picture, row[rate], seconds + 1.0)
            camera.begin(wish)
            time.sleep(0.5)
            row[name] = session.ask({"what": "bare", "seconds": seconds - 0.5}, patience)
            camera.end(wish)
    say(f"{width}x{height}: the node")
    with real_node(params, bundle, folder) as (node, started):
        first = camera.stream(Stream(picture, _FIRST_HZ, START_SECONDS, until_first=True), node)
        if not first["received"]:
            raise UserError(f"the node answered nothing within {START_SECONDS:.0f} s", where=folder / "node.log")
        row["first_s"] = first["first_unix_s"] - started
        for name, rate in (("node", "camera_hz"), ("saturated", "saturating_hz")):
            streamed = camera.stream(Stream(picture, row[rate], seconds), node)
            counts = {key: streamed[key] for key in ("sent", "received", "rate_hz")}
            row[name] = {**percentiles(streamed["ms"]), **counts}
        row["memory_mb"] = memory_of(node.process.pid) / MIB
    return row

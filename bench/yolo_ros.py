"""``make bench-infer``: our node beside yolo_ros, in turns: latency, frames a second, memory, and the ratios.

yolo_ros (github.com/mgonzs13/yolo_ros) up to its version 4 runs Ultralytics' models in an rclpy node; later ones are
C++ and need models that are exported for it. Version 4 and Ultralytics have copyleft licences: the node is started as
a program of an environment that the user names, and nothing of ours installs or imports it; only the listener takes
its messages, from the workspace that is sourced. One process with camera and listener serves both nodes,
of which one runs at a time. Each is as it comes, with the same size of the network.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.machine import cores
from perception_common.params import param
from perception_infer.benchmark.surroundings import Camera, picture_file, real_node, size_of
from perception_infer.models import find_bundle
from perception_infer.running import RunningParams, say

from . import beside
from .peer_node import TOPIC, TYPE, Peer


@dataclass(frozen=True)
class BesideParams(RunningParams):
    """Parameters of the comparison."""

    bundle: str = param("", "bundle directory, MODEL_REPO/<name>/<version>, or MODEL_REPO/<name> for the newest")
    python: str = param(
        "",
        "the interpreter that has yolo_ros, yolo_msgs, cv_bridge and ultralytics: python3 where a workspace with them "
        "is sourced, or OTHER_ENVIRONMENT/bin/python (empty: only ours is measured)",
    )
    paths: tuple[str, ...] = param(
        (), "directories that come first on that one's PYTHONPATH, such as the site-packages that have ultralytics"
    )
    weights: str = param("", "the other's model, a .pt (empty: made of peer_model, with random weights)")
    peer_model: str = param("yolo11n.yaml", "the other's architecture, as Ultralytics names it")
    peer_device: str = param("cpu", "device of the other, such as cuda:0")
    size: str = param("640x480", "size of the camera's images, WIDTHxHEIGHT")
    rate: float = param(10.0, "of the camera for the latency, in Hz", minimum=0.5, maximum=1000)
    seconds: float = param(20.0, "how long each figure is measured", minimum=1.0, maximum=3600)
    turns: int = param(3, "turns of each node; the figures are the medians over them", minimum=1, maximum=100)


def run(params: BesideParams) -> Result:
    """Both nodes in turns."""
    if not params.bundle:
        raise UserError("no bundle is given", fix="--bundle MODEL_REPO/NAME/VERSION")
    bundle, size = find_bundle(Path(params.bundle)), size_of(params.size)
    told: dict[str, Any] = {"model": bundle.title, "size": params.size, "rate_hz": params.rate}
    told |= {"cores": cores(), "seconds": params.seconds, "turns": []}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="perception-beside-")))
        nodes: dict[str, Callable[[], Any]] = {"ours": partial(real_node, params, bundle, folder)}
        if params.python:
            say("the other's model")
            peer, network = Peer(params.python, params.paths, params.peer_device), bundle.manifest.input
            weights, told["peer"] = peer.prepare(params.weights, params.peer_model, folder)
            nodes["theirs"] = partial(peer.node, weights, (network.width, network.height), folder)
        picture = picture_file(bundle, size, folder)
        camera = Camera(stack, folder, results=[f"{TOPIC}={TYPE}"] if params.python else [])
        rates: dict[str, float] = {}
        for turn in range(params.turns):
            row: dict[str, dict[str, float]] = {}
            for who, begin in nodes.items():
                say(f"turn {turn + 1} of {params.turns}: {who}")
                with begin() as (node, started):
                    row[who] = beside.measure(
                        node, started, camera, picture, params.rate, params.seconds, rates.get(who)
                    )
                rates[who] = row[who]["saturating_hz"]
            told["turns"].append(row)
    told["summary"] = beside.summary(told["turns"])
    _show(told)
    return told


def _show(told: dict[str, Any]) -> None:
    table = Table(title=f"{told['model']}, {told['size']}, {told['cores']} cores, {len(told['turns'])} turns")
    for column in ("whose", "saturated Hz", f"p50 ms at {told['rate_hz']:g} Hz", "p99 ms", "MiB", "first result s"):
        table.add_column(column, justify="left" if column == "whose" else "right")
    for who in ("ours", "theirs"):
        if row := told["summary"].get(who):
            figures = (row["saturated_hz"], row["p50_ms"], row["p99_ms"], row["memory_mib"], row["first_s"])
            table.add_row(who, *(f"{figure:.1f}" for figure in figures))
    if ratios := told["summary"].get("ratios"):
        table.caption = "; ".join(f"{name} {_ratio(ratio)}" for name, ratio in ratios.items())
    Console().print(table)


def _ratio(ratio: dict[str, Any]) -> str:
    words = [f"{sign} {ratio[key]:g}" for key, sign in (("at_least", "≥"), ("at_most", "≤")) if key in ratio]
    met = {True: ", met", False: ", missed", None: ""}[ratio.get("met")]
    return f"{ratio['value']:.2f}" + (f" ({words[0]}{met})" if words else "")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point."""
    return cli.single("bench.yolo_ros", Command("yolo_ros", __doc__ or "", BesideParams, run), argv)


if __name__ == "__main__":
    sys.exit(main())

"""The security policies allow what the real nodes do, over real DDS, and nothing else."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from bundles import write_detector
from diagnostic_msgs.msg import DiagnosticArray
from infer_client import World
from policies import Names, Surface, differences, expand, read
from rclpy.action import get_action_client_names_and_types_by_node, get_action_server_names_and_types_by_node
from rclpy.node import Node

ROOT = Path(__file__).resolve().parents[2]
POLICIES = ROOT / "config" / "security"
#: Seconds for nodes to start, and for news of the graph to arrive.
PATIENCE, SETTLED = 90.0, 10.0
MODULES = {
    "sim_camera_node": "perception_sim.ros.camera_node",
    "infer_node": "perception_infer.ros.infer_node",
    "evaluate_node": "perception_infer.ros.evaluate_node",
    "train_node": "perception_train.ros.train_node",
}
#: Together they make each node do all that it can.
WAYS: dict[str, list[list[str]]] = {
    "sim_camera_node": [["publish_clock:=true", "depth:=16UC1"], ["use_sim_time:=true"]],
    "infer_node": [["detections_3d:=depth"], ["image_transport:=compressed", "use_sim_time:=true"]],
    "evaluate_node": [["samples:=1"], ["samples:=1", "image_transport:=compressed", "use_sim_time:=true"]],
    "train_node": [["autostart:=false"], ["autostart:=false", "use_sim_time:=true"]],
}
#: What a node says on /diagnostics when it has all its topics.
READY = {"infer_node": ("state", "active"), "train_node": ("state", "unconfigured")}


@dataclass(frozen=True)
class Started:
    node: str
    namespace: str
    enclave: str

    @property
    def title(self) -> str:
        return f"{self.namespace}/{self.node}"


class Watcher:
    """Starts nodes and reads from the ROS graph what they do."""

    def __init__(self, world: World, processes: Any, folder: Path) -> None:
        self._node: Node = world.client("/watching").node
        self._processes, self._folder = processes, folder
        self._reports: Counter[str] = Counter()
        self.values: dict[str, dict[str, str]] = {}
        self._node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        write_detector(folder / "models")

    def start(self, node: str, namespace: str, parameters: list[str], *words: str) -> Started:
        (enclave,) = policy(node)
        own = {
            "infer_node": [f"model_root:={self._folder / 'models'}", "model:=rectangles", "require_signature:=false"],
            "evaluate_node": [f"output:={self._folder / namespace[1:]}.json"],
            "sim_camera_node": ["width:=64", "height:=48", "rate:=2.0"],
        }
        told = [word for parameter in own.get(node, []) + parameters for word in ("-p", parameter)]
        ros = ["--ros-args", "--enclave", enclave, "-r", f"__ns:={namespace}", *words, *told]
        self._processes.python(MODULES[node], *ros)
        return Started(node, namespace, enclave)

    def wait(self, *started: Started, reports: int = 2) -> None:
        """Until they have all their topics, and have told so often afterwards."""
        goal = {one.title: self._reports[one.title] + reports for one in started}
        assert self._until(lambda: all(self._reports[title] >= count for title, count in goal.items())), self._reports

    def surface(self, one: Started) -> Surface:
        """What the graph says that a node does."""
        node, who = self._node, (one.node, one.namespace)
        asked = {
            "publish": node.get_publisher_names_and_types_by_node(*who),
            "subscribe": node.get_subscriber_names_and_types_by_node(*who),
            "reply": node.get_service_names_and_types_by_node(*who),
            "request": node.get_client_names_and_types_by_node(*who),
            "call": get_action_client_names_and_types_by_node(node, *who),
            "execute": get_action_server_names_and_types_by_node(node, *who),
        }
        return Surface(**{how: frozenset(name for name, _ in found) for how, found in asked.items()})

    def differences(self, allowed: Surface, *started: Started, expected: Sequence[str] = ()) -> list[str]:
        """Between what is allowed and what these do together, by names as within their namespaces.

        Asked again while they are not as expected, since news of the graph take time.
        """

        def look() -> list[str]:
            done = Surface()
            for one in started:
                done |= self.surface(one).within(one.namespace)
            return differences(allowed, done)

        self.wait(*started)
        self._until(lambda: look() == list(expected), patience=SETTLED)
        self.wait(*started)
        return look()

    def enclave(self, one: Started) -> str:
        (enclave,) = {
            enclave
            for name, namespace, enclave in self._node.get_node_names_and_namespaces_with_enclaves()
            if (name, namespace) == (one.node, one.namespace)
        }
        return enclave

    @staticmethod
    def _until(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
        end = time.monotonic() + patience
        while not condition() and time.monotonic() < end:
            time.sleep(0.2)
        return condition()

    def _on_diagnostics(self, array: DiagnosticArray) -> None:
        for status in array.status:
            values = {entry.key: entry.value for entry in status.values}
            key, wanted = READY.get(status.name.rpartition("/")[2], ("", ""))
            if values.get(key, "") == wanted:
                self._reports[status.name] += 1
                self.values[status.name] = values


@pytest.fixture
def watcher(processes: Any, tmp_path: Path) -> Iterator[Watcher]:
    world = World()
    yield Watcher(world, processes, tmp_path)
    world.close()


def policy(node: str) -> dict[str, Names]:
    """Enclave → what the node may do, of the file that is shipped."""
    enclaves = read((POLICIES / f"{node}.policy.xml").read_text(encoding="utf-8"))
    return {path: profiles["/", node] for path, profiles in enclaves.items()}


def allowed(node: str) -> Surface:
    """The same with names relative to the node's namespace, as far as it can be done here."""
    (names,) = policy(node).values()
    if node == "sim_camera_node" and importlib.util.find_spec("tf2_msgs") is None:
        names["publish"].remove("/tf")
    return expand(names, "/any", node).within("/any")


@pytest.mark.parametrize("node", WAYS)
def test_a_policy_allows_what_the_node_does_and_nothing_else(watcher: Watcher, node: str) -> None:
    # Each way in a namespace of its own.
    running = [watcher.start(node, f"/{node}_{place}", way) for place, way in enumerate(WAYS[node])]
    assert watcher.differences(allowed(node), *running) == []
    assert [[watcher.enclave(one)] for one in running] == [list(policy(node))] * 2
    assert {watcher.values[one.title]["security"] for one in running} == {"off"}


def test_what_a_policy_does_not_name_is_found(watcher: Watcher) -> None:
    # Topics of a named camera are others.
    started = watcher.start("sim_camera_node", "/named", ["cameras:=[left]"])
    found = watcher.differences(allowed("sim_camera_node"), started)
    assert "not allowed: publish left/image" in found and "never done: publish image" in found


def test_a_policy_is_printed_for_a_start_of_ones_own(watcher: Watcher) -> None:
    # Names that ROS resolves: a namespace, several cameras, remapped topics.
    words = ["-r", "front/image:=/driver/image_raw", "-r", "checkpoint:=/trainer/checkpoint"]
    parameters = ["cameras:=[front, rear]", "detections_3d:=depth"]
    told = [word for parameter in parameters for word in ("-p", parameter)]
    chosen = ["--ros-args", "-r", "__ns:=/robot1", "-e", "/robot1/eyes", *words, *told]
    program = [sys.executable, "-m", MODULES["infer_node"], "--print-policy", *chosen]
    ((enclave, profiles),) = read(subprocess.run(program, capture_output=True, text=True, check=True).stdout).items()
    ((place, names),) = profiles.items()
    assert (enclave, place) == ("/robot1/eyes", ("/robot1", "infer_node"))
    started = watcher.start("infer_node", "/robot1", parameters, *words)
    may = expand(names, "/robot1", "infer_node").within("/robot1")
    others = ["/clock", "/driver/image_raw/compressed", "rear/image/compressed"]
    expected = [f"never done: subscribe {name}" for name in others]
    assert watcher.differences(may, started, expected=expected) == expected

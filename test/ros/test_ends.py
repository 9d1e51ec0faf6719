"""The declared ends of topics are those that the real nodes have, over real DDS: names, types, quality of service."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from bundles import write_detector
from infer_client import World
from rclpy.node import Node

from perception_common.ros.ends import Publication, Subscription
from perception_infer.ros.ends import EVALUATE_NODE, INFER_NODE
from perception_sim.ros.ends import SIM_CAMERA_NODE
from perception_train.ros.ends import METRICS_NAMES, TRAIN_NODE

Seen = dict[tuple[str, str], tuple[str, str, str]]
NAMESPACE, PATIENCE = "/ends", 60.0
EVERYTHING: dict[str, tuple[str, tuple[Any, ...], dict[str, object]]] = {
    "infer_node": ("perception_infer.ros.infer_node", INFER_NODE, {"detections_3d": "depth"}),
    "evaluate_node": ("perception_infer.ros.evaluate_node", EVALUATE_NODE, {"samples": 1}),
    "sim_camera_node": ("perception_sim.ros.camera_node", SIM_CAMERA_NODE, {"depth": "16UC1", "publish_clock": True}),
    "train_node": ("perception_train.ros.train_node", TRAIN_NODE, {"autostart": False}),
}


@pytest.fixture(scope="module")
def nodes(module_processes: Any, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All four, with everything that they can publish switched on."""
    folder = tmp_path_factory.mktemp("ends")
    write_detector(folder / "models")
    own = {
        "infer_node": {"model_root": folder / "models", "model": "rectangles", "require_signature": False},
        "evaluate_node": {"output": folder / "live.json"},
    }
    for name, (module, _, parameters) in EVERYTHING.items():
        module_processes.node(module, namespace=NAMESPACE, **parameters, **own.get(name, {}))


@pytest.fixture(scope="module")
def looking(nodes: None) -> Iterator[Node]:
    world = World()
    yield world.client("/looking").node
    world.close()


def declared(node: str) -> Seen:
    found: Seen = {}
    for end in EVERYTHING[node][1]:
        kind = "publishes" if isinstance(end, Publication) else "subscribes"
        assert isinstance(end, Publication | Subscription)
        names = METRICS_NAMES if "<name>" in end.topic.name else ("",)
        for topic in (end.topic.named(name) for name in names):
            full = topic.name if topic.name.startswith("/") else f"{NAMESPACE}/{topic.name}"
            found[kind, full] = (topic.type, end.profile.reliability.name, end.profile.durability.name)
    if importlib.util.find_spec("tf2_msgs") is None:
        found.pop(("publishes", "/tf"), None)
    return found


def in_the_graph(looking: Node, node: str) -> Seen:
    found: Seen = {}
    for kind, topics, ends in (
        ("publishes", looking.get_publisher_names_and_types_by_node, looking.get_publishers_info_by_topic),
        ("subscribes", looking.get_subscriber_names_and_types_by_node, looking.get_subscriptions_info_by_topic),
    ):
        try:
            names = [name for name, _ in topics(node, NAMESPACE)]
        except Exception:  # not there yet
            return {}
        for name in names:
            for end in ends(name):
                if (end.node_name, end.node_namespace) == (node, NAMESPACE):
                    profile = end.qos_profile
                    found[kind, name] = (end.topic_type, profile.reliability.name, profile.durability.name)
    # What ROS itself gives every node.
    own = ("/rosout", "/parameter_events", f"{NAMESPACE}/{node}/transition_event")
    # With simulated time, a node hears the clock.
    return {key: told for key, told in found.items() if key[1] not in own and key != ("subscribes", "/clock")}


@pytest.mark.parametrize("node", EVERYTHING)
def test_every_node_has_the_ends_that_are_declared(looking: Node, node: str) -> None:
    end = time.monotonic() + PATIENCE
    while in_the_graph(looking, node) != declared(node) and time.monotonic() < end:
        time.sleep(0.2)
    assert in_the_graph(looking, node) == declared(node)


def test_quality_of_service_is_a_matter_of_parameters(looking: Node, module_processes: Any, tmp_path: Path) -> None:
    file = tmp_path / "qos.yaml"
    file.write_text(
        "/**/evaluate_node:\n  ros__parameters:\n"
        "    qos_overrides: {/other/ground_truth: {subscription: {reliability: best_effort}}}\n"
    )
    words = ["--ros-args", "-r", "__ns:=/other", "--params-file", file]
    module_processes.python("perception_infer.ros.evaluate_node", *words)
    until(lambda: looking.get_subscriptions_info_by_topic("/other/ground_truth"), patience=PATIENCE, pause=0.1)
    (found,) = looking.get_subscriptions_info_by_topic("/other/ground_truth")
    assert found.qos_profile.reliability.name == "BEST_EFFORT"

"""RViz's and Foxglove's files, and those of other simulators, name topics that there are, with types that fit."""

from __future__ import annotations

import json
import runpy
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from perception_common import topics
from perception_common.topics import Topic

CONFIG = Path(__file__).resolve().parents[2] / "config"
TOPICS = {topic.name: topic for topic in vars(topics).values() if isinstance(topic, Topic)}
#: RViz's display → the type of message that it shows.
SHOWN = {
    "rviz_default_plugins/Image": "sensor_msgs/msg/Image",
    "rviz_default_plugins/PointCloud2": "sensor_msgs/msg/PointCloud2",
    "vision_msgs_rviz_plugins/Detection3DArray": "vision_msgs/msg/Detection3DArray",
}
#: The panels of Foxglove that are used here.
PANELS = {"Image", "3D", "Plot", "RawMessages", "DiagnosticSummary"}
#: What ros_gz_bridge knows of these, in its table of types.
BRIDGED = {
    "sensor_msgs/msg/Image": "gz.msgs.Image",
    "sensor_msgs/msg/CameraInfo": "gz.msgs.CameraInfo",
    "vision_msgs/msg/Detection2DArray": "gz.msgs.AnnotatedAxisAligned2DBox_V",
    "rosgraph_msgs/msg/Clock": "gz.msgs.Clock",
}
#: What Isaac Sim's camera helper publishes, by its type, in release 6.0.
PICTURES = {
    "rgb": "sensor_msgs/msg/Image",
    "depth": "sensor_msgs/msg/Image",
    "bbox_2d_tight": "vision_msgs/msg/Detection2DArray",
}


def rviz() -> dict[str, Any]:
    return yaml.safe_load((CONFIG / "rviz" / "perception.rviz").read_text())["Visualization Manager"]


def test_rviz_shows_topics_of_ours() -> None:
    displays = [display for display in rviz()["Displays"] if "Topic" in display]
    assert {display["Topic"]["Value"] for display in displays} >= {"image", "overlay", "mask/color", "detections_3d"}
    for display in displays:
        assert TOPICS[display["Topic"]["Value"]].type == SHOWN[display["Class"]], display["Name"]


def test_rviz_asks_for_no_more_than_is_offered() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from rclpy.qos import ReliabilityPolicy

    from perception_common.ros.ends import Publication
    from perception_infer.ros import ends as infer
    from perception_sim.ros import ends as sim

    offered = {
        end.topic.name: end.profile.reliability
        for module in (infer, sim)
        for end in vars(module).values()
        if isinstance(end, Publication)
    }
    for display in (display for display in rviz()["Displays"] if "Topic" in display):
        topic = display["Topic"]
        if offered[topic["Value"]] == ReliabilityPolicy.BEST_EFFORT:
            assert topic["Reliability Policy"] == "Best Effort", display["Name"]
        assert topic["Durability Policy"] == "Volatile"


def test_rviz_stands_where_the_simulated_camera_is() -> None:
    pytest.importorskip("mujoco")
    from perception_sim.params import SimCameraParams

    assert rviz()["Global Options"]["Fixed Frame"] == SimCameraParams().frame_id


def foxglove_topics(settings: dict[str, Any]) -> Iterator[str]:
    yield from settings.get("topics", {})
    yield from (path["value"].rpartition(".")[0] for path in settings.get("paths", []))
    named = (settings.get("imageMode", {}).get("imageTopic"), settings.get("topicPath"), settings.get("topicToRender"))
    yield from (topic for topic in named if topic)


def test_foxglove_shows_topics_of_ours() -> None:
    layout = json.loads((CONFIG / "foxglove" / "perception.json").read_text())
    shown = {panel: list(foxglove_topics(settings)) for panel, settings in layout["configById"].items()}
    assert {panel.partition("!")[0] for panel in shown} <= PANELS
    for panel, names in shown.items():
        assert names, panel
        for name in names:
            # Every metric of the trainer is a topic of its own.
            known = TOPICS.get(name.removeprefix("/")) or TOPICS.get(name)
            if known is None:
                assert name.startswith("/metrics/"), name
                known = topics.METRICS
            if panel.startswith("Image!"):
                assert known.type == "sensor_msgs/msg/Image"
            elif panel.startswith("Plot!"):
                assert known.type == "std_msgs/msg/Float64"


def test_every_panel_of_foxglove_is_placed_once() -> None:
    layout = json.loads((CONFIG / "foxglove" / "perception.json").read_text())

    def placed(tree: Any) -> Iterator[str]:
        if isinstance(tree, str):
            yield tree
        else:
            yield from (panel for side in ("first", "second") for panel in placed(tree[side]))

    assert sorted(placed(layout["layout"])) == sorted(layout["configById"])


def test_metrics_in_foxglove_are_published() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from perception_train.ros.ends import METRICS_NAMES

    layout = json.loads((CONFIG / "foxglove" / "perception.json").read_text())
    values = [path["value"] for settings in layout["configById"].values() for path in settings.get("paths", [])]
    told = {*METRICS_NAMES, "live_map50"}
    assert {value.removeprefix("/metrics/").removesuffix(".data") for value in values} <= told


def test_gazebo_publishes_what_the_bridge_takes() -> None:
    bridge = yaml.safe_load((CONFIG / "gazebo" / "bridge.yaml").read_text())
    for entry in bridge:
        topic = TOPICS[entry["ros_topic_name"]]
        assert entry["ros_type_name"] == topic.type
        assert entry["gz_type_name"] == BRIDGED[topic.type]
        assert entry["direction"] == "GZ_TO_ROS"
    sensors = list(ElementTree.parse(CONFIG / "gazebo" / "camera.sdf").iter("sensor"))
    given = {"/" + (sensor.findtext("topic") or "") for sensor in sensors}
    # Gazebo puts a calibration beside every image.
    given |= {topic.rpartition("/")[0] + "/camera_info" for topic in given} | {"/clock"}
    assert {entry["gz_topic_name"] for entry in bridge} <= given
    for what in ("update_rate", "camera/image/width", "camera/image/height", "camera/horizontal_fov", "gz_frame_id"):
        assert len({sensor.findtext(what) for sensor in sensors}) == 1, f"{what} differs: stamps or boxes would"


def test_isaac_sims_graph_is_whole() -> None:
    graph = runpy.run_path(str(CONFIG / "isaac_sim" / "camera_graph.py"))
    nodes, published = graph["NODES"], graph["PUBLISHED"]
    for node, settings in published.items():
        topic = TOPICS[settings["topicName"]]
        assert topic.type == (PICTURES[settings["type"]] if "type" in settings else "sensor_msgs/msg/CameraInfo")
        assert nodes[node].startswith("isaacsim.ros2.bridge.ROS2Camera")
    ends = [end for pair in graph["connections"]() for end in pair]
    ends += [name for name, _ in graph["values"]("/World/Camera", "")]
    assert {end.partition(".")[0] for end in ends} == set(nodes)
    # What is connected is not set, and nothing is set or connected twice.
    inputs = [end for end in ends if ".inputs:" in end]
    assert len(inputs) == len(set(inputs))

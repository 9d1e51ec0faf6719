"""The nodes under SROS2, enforced, with keys and permissions that `ros2 security` makes of the shipped policies.

This wants `ros2 security` and a middleware built with security: ROS 2 from apt has both, that from PyPI neither.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from waiting import until

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from bundles import write_detector
from policies import expand, read

POLICIES = sorted((Path(__file__).resolve().parents[2] / "config" / "security").glob("*.policy.xml"))
PATIENCE = 120.0
INFER = "perception_infer.ros.infer_node"
#: A node that may announce models, or just tries to.
ANNOUNCER = """
import sys, time, rclpy
from rclpy.node import Node
from vision_msgs.msg import VisionInfo
from perception_common.ros import qos
rclpy.init(args=sys.argv)
node = Node("announcer")
publisher = node.create_publisher(VisionInfo, "checkpoint", qos.LATCHED)
print("created", flush=True)
uri, version = sys.argv[1:3]
while True:
    publisher.publish(VisionInfo(method="rectangles", database_location=uri, database_version=int(version)))
    time.sleep(0.5)
"""


def ros2_security(*words: object) -> None:
    subprocess.run(["ros2", "security", *map(str, words)], check=True, capture_output=True, text=True, timeout=100)


@pytest.fixture(scope="module")
def keystore(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("ros2") is None or subprocess.run(["ros2", "security", "-h"], capture_output=True).returncode:
        pytest.skip("`ros2 security` is not installed (with ROS 2 it comes from apt)")
    folder = tmp_path_factory.mktemp("sros2") / "keystore"
    ros2_security("create_keystore", folder)
    ros2_security("generate_artifacts", "-k", folder, "-p", *POLICIES)
    return folder


@pytest.fixture(scope="module")
def secured(keystore: Path) -> dict[str, str]:
    """The environment of a secured process; none where the middleware has no security."""
    variables = os.environ | {
        "ROS_SECURITY_ENABLE": "true",
        "ROS_SECURITY_STRATEGY": "Enforce",
        "ROS_SECURITY_KEYSTORE": str(keystore),
    }
    program = [sys.executable, "-m", INFER, "--print-config", "--ros-args", "-e", "/perception/infer_node"]
    done = subprocess.run(program, env=variables, capture_output=True, text=True, timeout=100)
    if done.returncode:
        pytest.skip(f"this ROS cannot be secured: {done.stderr.splitlines()[-1]}")
    return variables


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_the_permissions_are_what_the_policy_says(keystore: Path, policy: Path) -> None:
    ((enclave, profiles),) = read(policy.read_text(encoding="utf-8")).items()
    (((namespace, node), names),) = profiles.items()
    may = expand(names, namespace, node)
    requests = {f"rq{name}Request" for name in may.reply}
    replies = {f"rr{name}Reply" for name in may.reply}
    wanted = {
        "publish": {f"rt{name}" for name in may.publish} | replies | {"ros_discovery_info"},
        "subscribe": {f"rt{name}" for name in may.subscribe} | requests | {"ros_discovery_info"},
    }
    permissions = ElementTree.parse(keystore / "enclaves" / enclave[1:] / "permissions.xml")
    (grant,) = permissions.iter("grant")
    assert (grant.findtext("subject_name"), grant.findtext("default")) == (f"CN={enclave}", "DENY")
    found: dict[str, set[str]] = {"publish": set(), "subscribe": set()}
    for how in found:
        found[how] = {topic.text or "" for rule in grant.iter(how) for topic in rule.iter("topic")}
    assert found == wanted


@pytest.fixture
def start(processes: Any, secured: dict[str, str]) -> Callable[..., Any]:
    """Start a node in an enclave, its own by default."""

    def begin(module: str, node: str, *parameters: str, enclave: str = "", remap: str = "") -> Any:
        words = [word for parameter in parameters for word in ("-p", parameter)] + (["-r", remap] if remap else [])
        return processes.python(module, "--ros-args", "-e", enclave or f"/perception/{node}", *words, env=secured)

    return begin


class Robot:
    """infer_node and evaluate_node, whose results tell of the others' reports."""

    def __init__(self, processes: Any, start: Callable[..., Any], folder: Path) -> None:
        self._processes = processes
        self.models, self._results = folder / "models", folder / "live.json"
        write_detector(self.models)
        self.infer = start(INFER, "infer_node", *serving(self.models))
        start("perception_infer.ros.evaluate_node", "evaluate_node", f"output:={self._results}", "write_period:=0.5")

    def announce(self, directory: Path, enclave: str, env: dict[str, str]) -> Any:
        told = ["-c", ANNOUNCER, (directory / "manifest.json").as_uri(), directory.name]
        words = ["--ros-args", "-e", enclave, "-r", f"__node:={enclave.rpartition('/')[2] or 'stranger'}"]
        return self._processes.start([sys.executable, *told, *words], name="announcer", env=env)

    def values(self, node: str) -> dict[str, str]:
        """What a node said last on /diagnostics."""
        results = json.loads(self._results.read_text()) if self._results.exists() else {"diagnostics": {}}
        return dict(results["diagnostics"].get(f"/{node}", {}).get("values", {}))

    def until(self, condition: Callable[[], bool]) -> None:
        until(condition, lambda: f"infer_node: {self.values('infer_node')}", patience=PATIENCE, pause=0.2)


def serving(models: Path) -> tuple[str, ...]:
    return f"model_root:={models}", "model:=rectangles", "require_signature:=false"


@pytest.fixture
def robot(processes: Any, start: Callable[..., Any], tmp_path: Path) -> Robot:
    return Robot(processes, start, tmp_path)


def test_all_four_nodes_work_together(robot: Robot, start: Callable[..., Any]) -> None:
    start("perception_sim.ros.camera_node", "sim_camera_node", "width:=64", "height:=48")
    start("perception_train.ros.train_node", "train_node", "autostart:=false")
    robot.until(lambda: int(robot.values("evaluate_node").get("frames_scored", 0)) > 10)
    robot.until(lambda: robot.values("train_node").get("state") == "unconfigured")
    nodes = ("infer_node", "evaluate_node", "sim_camera_node", "train_node")
    assert {robot.values(node)["security"] for node in nodes} == {"enforced"}


def test_only_who_may_announce_models_is_heard(robot: Robot, processes: Any, secured: dict[str, str]) -> None:
    robot.until(lambda: robot.values("infer_node").get("loads") == "1")
    second, third = write_detector(robot.models), write_detector(robot.models)
    # Without keys there is no connection; with those of another enclave not even the publisher.
    stranger = robot.announce(second, "/", {"ROS_SECURITY_ENABLE": "false"})
    denied = robot.announce(second, "/perception/evaluate_node", secured)
    assert denied.wait(60) == 1
    log = processes.log(denied)
    assert "create_publisher" in log and "RCLError" in log and "created" not in log
    robot.until(lambda: "created" in processes.log(stranger))
    robot.announce(third, "/perception/train_node", secured)
    robot.until(lambda: robot.values("infer_node")["loads"] == "2")
    assert stranger.poll() is None
    processes.stop(robot.infer)
    assert "rectangles v3 is ready" in processes.log(robot.infer) and "v2" not in processes.log(robot.infer)


@pytest.mark.parametrize(
    ("enclave", "remap"),
    [("/perception/evaluate_node", ""), ("", "detections:=other"), ("", "checkpoint:=other"), ("", "__ns:=/other")],
)
def test_what_the_policy_does_not_name_is_refused_in_one_line(
    start: Callable[..., Any], processes: Any, tmp_path: Path, enclave: str, remap: str
) -> None:
    write_detector(tmp_path)
    process = start(INFER, "infer_node", *serving(tmp_path), enclave=enclave, remap=remap)
    assert process.wait(PATIENCE) == 2
    (line,) = [line for line in processes.log(process).splitlines() if line.startswith("infer_node: ")]
    assert "ROS refuses to run secured: " in line and f"[enclave {enclave or '/perception/infer_node'}]" in line
    assert "Traceback" not in processes.log(process)

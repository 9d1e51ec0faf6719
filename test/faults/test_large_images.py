"""Large images from process to process: with the transport profile that the suite ships, and without one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from bundles import write_detector
from matrix import Fault

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import NODE, World
from robots import TIME

from perception_common.ros import dds

_LARGE, _SMALL = 100, 20
#: Small images go first, so that the node knows the camera's running numbers, and last, so that no loss stays unknown.
_CAMERA = f"""
import sys, time
import numpy, rclpy
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import Header
from perception_common.ros import dds, qos
from perception_common.ros.images import image_to_msg
dds.begin()
rclpy.init()
node = Node("camera", namespace=sys.argv[1])
publisher = node.create_publisher(Image, "image", qos.SENSOR)
while not publisher.get_subscription_count():
    time.sleep(0.01)
# The other side finds this one a little later.
time.sleep(2)
for count, height, width in (({_SMALL}, 24, 32), ({_LARGE}, 480, 640), ({_SMALL}, 24, 32)):
    message = image_to_msg(numpy.full((height, width, 3), 120, numpy.uint8), "rgb8", Header(frame_id="camera"))
    for _ in range(count):
        message.header.stamp = node.get_clock().now().to_msg()
        publisher.publish(message)
        time.sleep(0.1)
    time.sleep(0.5)
"""
_NO_PROFILE = '<?xml version="1.0"?>\n<dds xmlns="http://www.eprosima.com"><profiles/></dds>\n'
#: A busy machine may lose one now and then.
_LOST = 3.0


@pytest.fixture(scope="module")
def counted(
    world: World, module_processes: Any, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, tuple[int, int]]:
    """For each transport, how many of the images the node received, and how many it knows to be lost on the way."""
    folder: Path = tmp_path_factory.mktemp("transports")
    write_detector(folder / "models")
    (folder / "none.xml").write_text(_NO_PROFILE)
    shipped = dds.profile_path()
    assert shipped is not None
    cameras, clients = [], {}
    for name, profile in {"shipped": shipped, "builtin": folder / "none.xml"}.items():
        env = {dds.VARIABLE: str(profile)}
        clients[name] = world.client(f"/{name}")
        told = {"model_root": folder / "models", "model": "rectangles", "require_signature": False}
        module_processes.node(NODE, env=env, namespace=f"/{name}", **told)
        cameras.append(module_processes.start([sys.executable, "-c", _CAMERA, f"/{name}"], name="camera", env=env))
    for camera in cameras:
        assert camera.wait(120) == 0, module_processes.log(camera)
    found = {name: client.diagnostics() for name, client in clients.items()}
    return {name: (int(of["frames_received"]), int(of["frames_lost_in_transport"])) for name, of in found.items()}


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "large images through Fast DDS",
    f"{_LARGE} images of 640x480 at 10 Hz from another process, with the profile that nodes and launch files choose",
    f"at most {_LOST:g} % lost on the way",
)
def test_what_is_lost(fault: Fault, counted: dict[str, tuple[int, int]]) -> None:
    share = {name: 100 * lost / _LARGE for name, (_, lost) in counted.items()}
    fault.observe("% lost on the way", share["shipped"], lambda percent: percent <= _LOST)
    fault.plant("Fast DDS's default transport", share["builtin"])


@pytest.mark.long
@pytest.mark.fault(
    TIME,
    "large images through Fast DDS's default transport",
    "the same camera without the profile, small images before and after",
    "0 images that are neither received nor known to be lost on the way",
)
def test_losses_are_known(fault: Fault, counted: dict[str, tuple[int, int]]) -> None:
    received, lost = counted["builtin"]
    sent = _LARGE + 2 * _SMALL
    fault.observe(f"unaccounted of {sent} ({lost} lost)", sent - received - lost, lambda count: count == 0)
    fault.plant("without the sender's running numbers", sent - received)

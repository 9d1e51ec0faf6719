"""sim_camera_node over real DDS, as a process of its own."""

from __future__ import annotations

import array
import itertools
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="ROS 2 is not installed")
pytest.importorskip("vision_msgs", reason="vision_msgs is not installed")

from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from geometry_msgs.msg import Pose, PoseStamped  # noqa: E402
from rclpy.context import Context  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, Image  # noqa: E402
from std_msgs.msg import Float64, Header  # noqa: E402
from vision_msgs.msg import Detection2DArray, Detection3DArray, LabelInfo  # noqa: E402

from perception_common.ros import dds, qos  # noqa: E402
from perception_common.ros.images import ImageError, depth_from_msg, image_from_msg, image_to_msg  # noqa: E402
from perception_common.ros.vision import detections_from_msg  # noqa: E402

NAMESPACE = f"/test_camera_{os.getpid()}"
CLASSES = ["ball", "box", "cone", "hammer", "mug", "ring"]
WIDTH, HEIGHT = 160, 120
RATE, FRAMES = 4.0, 26
# Deep enough for a listener that is kept waiting by other work on the machine.
NEVER_FULL = QoSProfile(depth=1000, reliability=ReliabilityPolicy.RELIABLE)
SENSOR = QoSProfile(depth=100, reliability=ReliabilityPolicy.BEST_EFFORT)
TOPICS = {
    "image": (Image, SENSOR),
    "camera_info": (CameraInfo, SENSOR),
    "ground_truth": (Detection2DArray, NEVER_FULL),
    "ground_truth_3d": (Detection3DArray, NEVER_FULL),
    "ground_truth/mask": (Image, NEVER_FULL),
    "ground_truth/instances": (Image, NEVER_FULL),
    "ground_truth/label_info": (LabelInfo, qos.LATCHED),
    "camera_pose": (PoseStamped, NEVER_FULL),
    "depth/image": (Image, SENSOR),
    "depth/camera_info": (CameraInfo, SENSOR),
}
Heard = dict[str, list[Any]]


def start(namespace: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "perception_sim.camera_node", "--ros-args", "-r", f"__ns:={namespace}"]
    # Each in a time of its own, because several run at once.
    command += ["-r", f"/clock:={namespace}/clock"]
    for argument in (f"width:={WIDTH}", f"height:={HEIGHT}", *arguments):
        command += ["-p", argument]
    return subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def listen(*nodes: tuple[str, Sequence[str], Sequence[str]]) -> list[Heard]:
    """All that is heard of nodes (namespace, cameras, parameters) until they end by themselves.

    ``ending`` is how each did; what is not below a namespace is heard by all.
    """
    dds.enable()
    context = Context()
    rclpy.init(context=context)
    listener = rclpy.create_node("listener", context=context, namespace=NAMESPACE)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    found = [_subscribed(listener, namespace, cameras) for namespace, cameras, _ in nodes]
    processes = [start(namespace, *arguments) for namespace, _, arguments in nodes]
    try:
        deadline = time.monotonic() + 90.0
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.05)
        for _ in range(200):
            executor.spin_once(timeout_sec=0.005)
    finally:
        for process in processes:
            process.kill()
        for heard, process in zip(found, processes, strict=True):
            _, told = process.communicate()
            heard["ending"] = [process.returncode, told]
        executor.shutdown()
        listener.destroy_node()
        rclpy.shutdown(context=context)
    return found


def _subscribed(listener: Any, namespace: str, cameras: Sequence[str]) -> Heard:
    heard: Heard = defaultdict(list)
    for camera, (topic, (kind, profile)) in itertools.product(cameras, TOPICS.items()):
        name = f"{camera}/{topic}".strip("/")
        listener.create_subscription(kind, f"{namespace}/{name}", heard[name].append, profile)
    listener.create_subscription(Float64, f"{namespace}/rate", heard["rate"].append, NEVER_FULL)
    listener.create_subscription(Clock, f"{namespace}/clock", heard["clock"].append, NEVER_FULL)
    listener.create_subscription(DiagnosticArray, "/diagnostics", heard["diagnostics"].append, NEVER_FULL)
    return heard


@pytest.fixture(scope="module")
def both() -> list[Heard]:
    """A camera without a name in real time; two cameras in simulated time that their own node takes too."""
    real = (f"rate:={RATE}", f"max_frames:={FRAMES}", "frame_id:=optics", "seed:=9", "depth:=16UC1")
    simulated = (
        "rate:=5.0", "max_frames:=25", "cameras:=[left, right]", "seed:=9", "depth:=32FC1", "publish_clock:=true",
        "clock_rate:=20.0", "clock_start:=7.5", "use_sim_time:=true", "world_frame:=hall", "frame_prefix:=r1/",
        "encoding:=rgb8",
    )  # fmt: skip
    return listen((NAMESPACE, [""], real), (NAMESPACE + "_pair", ["left", "right"], simulated))


@pytest.fixture(scope="module")
def heard(both: list[Heard]) -> Heard:
    return both[0]


@pytest.fixture(scope="module")
def pair(both: list[Heard]) -> Heard:
    return both[1]


def nanoseconds(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def by_stamp(messages: list[Any]) -> dict[int, Any]:
    found = {nanoseconds(message): message for message in messages}
    assert len(found) == len(messages)
    return found


def values_of(heard: Heard, namespace: str) -> dict[str, str]:
    """The values of the last report."""
    statuses = [s for message in heard["diagnostics"] for s in message.status if s.name.startswith(namespace + "/")]
    return {value.key: value.value for value in statuses[-1].values}


def matrix(pose: Pose) -> np.ndarray:
    """The transform [4, 4] of a pose."""
    q = pose.orientation
    x, y, z, w = q.x, q.y, q.z, q.w
    assert x * x + y * y + z * z + w * w == pytest.approx(1.0)
    made = np.eye(4)
    made[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    made[:3, 3] = pose.position.x, pose.position.y, pose.position.z
    return made


def corners(box: Any) -> np.ndarray:
    """The corners [8, 3] of a BoundingBox3D."""
    half = np.array([box.size.x, box.size.y, box.size.z]) / 2.0
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=3)))
    place = matrix(box.center)
    return signs * half @ place[:3, :3].T + place[:3, 3]


def test_it_ends_by_itself_after_its_frames(heard: Heard, pair: Heard) -> None:
    for got, images, frames in ((heard, "image", FRAMES), (pair, "left/image", 25)):
        status, told = got["ending"]
        assert status == 0, told
        assert "Traceback" not in told
        # The first ones may be sent before the listener is discovered.
        assert frames // 2 <= len(got[images]) <= frames
        assert len(got[images.replace("image", "ground_truth")]) >= len(got[images]) - 1


def test_all_of_a_frame_carries_the_images_stamp(heard: Heard, pair: Heard) -> None:
    for got, prefix, frame_id in ((heard, "", "optics"), (pair, "left/", "r1/left_optical_frame")):
        images = by_stamp(got[prefix + "image"])
        for topic in TOPICS:
            if topic == "ground_truth/label_info":
                continue
            messages = by_stamp(got[prefix + topic])
            wanted = {"hall" if prefix else "world"} if topic == "camera_pose" else {frame_id}
            assert {message.header.frame_id for message in messages.values()} == wanted
            assert len(set(images) & set(messages)) >= len(images) - 3


def test_boxes_lie_around_the_mask_and_the_instances(heard: Heard) -> None:
    (labels,) = heard["ground_truth/label_info"]
    assert [entry.class_name for entry in labels.class_map] == ["background", *CLASSES]
    masks, instances = by_stamp(heard["ground_truth/mask"]), by_stamp(heard["ground_truth/instances"])
    checked = 0
    for message in heard["ground_truth"]:
        boxes, scores, names = detections_from_msg(message)
        assert (scores == 1.0).all()
        stamp = nanoseconds(message)
        if stamp not in masks or stamp not in instances:
            continue
        mask = np.frombuffer(masks[stamp].data, np.uint8).reshape(HEIGHT, WIDTH)
        assert (instances[stamp].encoding, instances[stamp].step) == ("16UC1", 2 * WIDTH)
        numbers = np.frombuffer(instances[stamp].data, np.uint16).reshape(HEIGHT, WIDTH)
        for number, ((x0, y0, x1, y1), name) in enumerate(zip(boxes.astype(int), names, strict=True), 1):
            assert (mask[numbers == number] == CLASSES.index(name) + 1).all()
            inside = numbers[y0:y1, x0:x1] == number
            assert np.count_nonzero(inside) == np.count_nonzero(numbers == number)
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any()
            checked += 1
    assert checked > 0


def test_boxes_in_space_agree_with_picture_and_depth(heard: Heard, pair: Heard) -> None:
    for got, prefix in ((heard, ""), (pair, "left/"), (pair, "right/")):
        flat, infos, depths, numbers = (
            by_stamp(got[prefix + topic])
            for topic in ("ground_truth", "camera_info", "depth/image", "ground_truth/instances")
        )
        checked = 0
        for stamp, message in by_stamp(got[prefix + "ground_truth_3d"]).items():
            if any(stamp not in messages for messages in (flat, infos, depths, numbers)):
                continue
            depth = depth_from_msg(depths[stamp])
            instances = np.frombuffer(numbers[stamp].data, np.uint16).reshape(HEIGHT, WIDTH)
            boxes, _, names = detections_from_msg(flat[stamp])
            assert [found.results[0].hypothesis.class_id for found in message.detections] == names
            assert [found.id for found in message.detections] == [found.id for found in flat[stamp].detections]
            k, d = infos[stamp].k.reshape(3, 3), np.array(infos[stamp].d)
            for number, (found, (x0, y0, x1, y1)) in enumerate(zip(message.detections, boxes, strict=True), 1):
                points = corners(found.bbox)
                around = np.vstack([points, points.mean(0)])
                uv = cv2.projectPoints(around, np.zeros(3), np.zeros(3), k, d)[0].reshape(-1, 2) + 0.5
                (left, top), (right, bottom) = uv.min(0), uv.max(0)
                assert left < x0 + 1.0 and top < y0 + 1.0 and right > x1 - 1.0 and bottom > y1 - 1.0
                assert found.results[0].pose.pose == found.bbox.center
                distance = depth[instances == number]
                # A millimetre for what 16UC1 rounds.
                assert points[:, 2].min() - 1e-3 < distance.min() <= distance.max() < points[:, 2].max() + 1e-3
                checked += 1
        assert checked > 0


def test_two_cameras_see_one_world_at_the_same_times(pair: Heard) -> None:
    left, right = by_stamp(pair["left/ground_truth"]), by_stamp(pair["right/ground_truth"])
    assert len(set(left) ^ set(right)) <= 1
    assert len({message.data.tobytes() for topic in ("left/image", "right/image") for message in pair[topic]}) > 30
    poses = [by_stamp(pair[f"{name}/camera_pose"]) for name in ("left", "right")]
    places = [by_stamp(pair[f"{name}/ground_truth_3d"]) for name in ("left", "right")]
    checked = 0
    for stamp in set.intersection(*map(set, [*poses, *places])):
        both = []
        for pose, place in zip(poses, places, strict=True):
            to_world = matrix(pose[stamp].pose)
            both.append({found.id: to_world @ matrix(found.bbox.center) for found in place[stamp].detections})
        for name in set(both[0]) & set(both[1]):
            assert both[0][name] == pytest.approx(both[1][name], abs=1e-6)
            checked += 1
    assert checked > 0


def check_clock(heard: Heard, tick: int, end: int) -> list[int]:
    """The clock's times in nanoseconds, which never go back; hardly a tick is missing."""
    times = [message.clock.sec * 10**9 + message.clock.nanosec for message in heard["clock"]]
    assert all(a < b for a, b in itertools.pairwise(times))
    assert all((end - moment) % tick == 0 for moment in times)
    assert times[-1] == end
    assert len(times) > 0.9 * (end - times[0]) / tick
    return times


def test_the_clock_runs_with_the_frames(pair: Heard) -> None:
    # 7.5 s and 25 frames of 0.2 s, four ticks each.
    times = check_clock(pair, 50_000_000, 12_500_000_000)
    assert len(times) > 40
    assert times[0] >= 7_700_000_000
    stamps = set(by_stamp(pair["left/image"]))
    assert all((stamp - 7_500_000_000) % 200_000_000 == 0 for stamp in stamps)
    assert {stamp for stamp in stamps if stamp >= times[0]} <= set(times)
    assert float(values_of(pair, NAMESPACE + "_pair")["real_time_factor"]) > 0.3


def test_pictures_and_calibration(heard: Heard, pair: Heard) -> None:
    message, info = heard["image"][0], heard["camera_info"][0]
    assert message.encoding == "bgr8"
    assert pair["left/image"][0].encoding == "rgb8"
    assert image_from_msg(message).shape == (HEIGHT, WIDTH, 3)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert (info.k[2], info.k[5]) == (79.5, 59.5)
    assert info.k[0] == info.k[4] == info.p[0] > 50.0
    depth = heard["depth/image"][0]
    assert (depth.encoding, depth.step, len(depth.data)) == ("16UC1", 2 * WIDTH, 2 * WIDTH * HEIGHT)
    depth = pair["left/depth/image"][0]
    assert (depth.encoding, depth.step, len(depth.data)) == ("32FC1", 4 * WIDTH, 4 * WIDTH * HEIGHT)


def test_it_keeps_a_low_rate_and_tells(heard: Heard) -> None:
    assert heard["rate"][-1].data == pytest.approx(RATE, rel=0.1)
    values = values_of(heard, NAMESPACE)
    assert values["frames_published"] == str(FRAMES)
    assert values["final"] == "True"
    assert float(values["rate"]) == pytest.approx(RATE, rel=0.1)
    assert all(float(values[f"{stage}_ms"]) > 0.0 for stage in ("render", "annotate", "sensor", "publish"))


def test_simulated_time_waits_for_frames() -> None:
    # A thousand frames a second cannot be kept; in no time of its own, a frame comes as soon as it can.
    hurry = ("rate:=1000.0", "max_frames:=80", "publish_clock:=true")
    free = (
        "rate:=0.5", "max_frames:=80", "publish_clock:=true", "real_time_factor:=0.0", "scene_seconds:=100.0",
        "clock_rate:=1.0",
    )  # fmt: skip
    hurried, freed = listen((NAMESPACE + "_hurried", [], hurry), (NAMESPACE + "_free", [], free))
    for got, end, tick in ((hurried, 80_000_000, 1_000_000), (freed, 160 * 10**9, 10**9)):
        assert got["ending"][0] == 0, got["ending"][1]
        check_clock(got, tick, end)
    told = [s.message for message in hurried["diagnostics"] for s in message.status if "hurried" in s.name]
    assert any(text.startswith("cannot keep its rate: ") and "render" in text for text in told)
    assert not any("cannot" in s.message for m in freed["diagnostics"] for s in m.status if "free" in s.name)


def test_depth_messages_are_read_whatever_their_layout() -> None:
    metres = np.array([[0.25, np.nan, 1.5], [2.0, 3.0, 65.5]], np.float32)
    header = Header()
    assert np.array_equal(depth_from_msg(image_to_msg(metres, "32FC1", header)), metres, equal_nan=True)
    millimetres = np.nan_to_num(metres * 1e3).astype(np.uint16)
    message = image_to_msg(millimetres, "16UC1", header)
    assert np.allclose(depth_from_msg(message), metres, equal_nan=True)
    # Rows of seven bytes, the other byte order.
    rows = np.zeros((2, 7), np.uint8)
    rows[:, :6] = millimetres.astype(">u2").view(np.uint8)
    message.is_bigendian, message.step, message.data = 1, 7, array.array("B", rows.tobytes())
    assert np.allclose(depth_from_msg(message), metres, equal_nan=True)
    message.height = 3
    with pytest.raises(ImageError, match="cannot hold 3x3"):
        depth_from_msg(message)
    message.encoding = "mono8"
    with pytest.raises(ImageError, match="'mono8' is not supported for depth"):
        depth_from_msg(message)


def test_wrong_parameters_end_it_with_one_line(tmp_path: Path) -> None:
    preset = tmp_path / "bad.yaml"
    preset.write_text(f"base: demo\nbackground: {{images: [{tmp_path / 'nowhere'}], stage: 1.0}}\n")
    wrong = {
        "rat:=5.0": "did you mean 'rate'",
        "preset:=dem": "did you mean 'demo'",
        "encoding:=yuv": "'bgr8'",
        "rate:=0.0": "0.1",
        "cameras:=[a, a]": "none twice",
        "mounts:=[0.1, 0.2]": "2 numbers",
        "real_time_factor:=2.0": "publish_clock",
        "depth:=8UC1": "'16UC1'",
        # Found by the process that builds scenes.
        f"preset:={preset}": "nowhere",
    }
    processes = {argument: start(NAMESPACE, argument) for argument in wrong}
    try:
        answers = {argument: process.communicate(timeout=90)[1] for argument, process in processes.items()}
    finally:
        for process in processes.values():
            process.kill()
    for argument, answer in answers.items():
        assert processes[argument].returncode == 2, answer
        assert wrong[argument] in answer
        assert len([line for line in answer.splitlines() if "sim_camera_node:" in line]) == 1
        assert "Traceback" not in answer


def test_it_stops_cleanly() -> None:
    # A new scene all the time, so that one is being built.
    numbers = (signal.SIGINT, signal.SIGTERM)
    processes = [start(NAMESPACE, "rate:=5.0", "scene_seconds:=0.5") for _ in numbers]
    try:
        for process in processes:
            assert any("preset demo" in line for line in process.stderr)
        time.sleep(2.0)
        for number, process in zip(numbers, processes, strict=True):
            assert process.poll() is None
            process.send_signal(number)
        for process in processes:
            _, told = process.communicate(timeout=30)
            assert process.returncode == 0, told
            assert "Traceback" not in told
    finally:
        for process in processes:
            process.kill()

"""What robot.launch.py and isaac.launch.py start: topics of drivers, and parameters that NVIDIA's nodes declare."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest
from isaac_ros import TOPICS, undeclared, write_export

from perception_common.errors import UserError
from perception_infer.engines.isaac import engine_file
from perception_infer.launching.drivers import DRIVERS, NONE, hearing
from perception_infer.launching.isaac import Camera, Component, components

CAMERA = Camera(1280, 720)


def named(chain: list[Component]) -> dict[str, Component]:
    return {component.name: component for component in chain}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.mark.parametrize("decoder", ["yolov8_decoder_node", "unet_decoder"])
@pytest.mark.parametrize("inference", ["tensor_rt", "triton"])
@pytest.mark.parametrize("rgb", [True, False])
def test_nodes_of_isaac_ros_declare_every_parameter(decoder: str, inference: str, rgb: bool, tmp_path: Path) -> None:
    folder = write_export(tmp_path / "detector", decoder)
    chain = components(folder, Camera(1280, 720, rgb=rgb), inference)
    assert [component.name for component in chain] == [
        *([] if rgb else ["converter"]),
        "encoder",
        "inference",
        "decoder",
    ]
    for component in chain:
        assert undeclared(component.plugin, component.parameters) == {}
        assert component.package.startswith("isaac_ros_")
    # Each reads what the one before it publishes.
    for one, other in pairwise(chain):
        published = {one.remappings.get(name, name) for name in TOPICS[one.name][1]}
        assert published & {other.remappings.get(name, name) for name in TOPICS[other.name][0]}


def test_files_are_found_where_the_folder_is_now(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "moved")
    values = named(components(folder, CAMERA))["inference"].parameters
    assert values["model_file_path"] == str(folder / "1" / "model.fp16.onnx")
    # No GPU here, or nobody knows which: an engine that lies there may be another GPU's.
    assert values["force_engine_update"] is not engine_file(folder / "1" / "model.fp16.onnx")[1]
    values = named(components(folder, CAMERA, engine="/engines/mine.plan"))["inference"].parameters
    assert (values["engine_file_path"], values["force_engine_update"]) == ("/engines/mine.plan", False)
    values = named(components(folder, CAMERA, "triton"))["inference"].parameters
    assert (values["model_name"], values["model_repository_paths"]) == ("moved", [str(tmp_path)])


def test_engines_are_named_after_what_they_depend_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from perception_infer.engines import isaac
    from perception_infer.engines.key import Device

    class Module:
        __version__ = "10.3.0"

    graph = tmp_path / "model.onnx"
    graph.write_bytes(b"one")
    monkeypatch.setattr(isaac, "load_module", lambda name: Module)
    monkeypatch.setattr(isaac, "this_device", lambda: Device("Orin", "8.7", 16, 15_000))
    first, sure = engine_file(graph)
    assert sure
    assert first.parent.is_dir()
    assert engine_file(graph) == (first, True)
    found = {first}
    graph.write_bytes(b"two")
    found.add(engine_file(graph)[0])
    monkeypatch.setattr(isaac, "this_device", lambda: Device("Orin", "8.7", 16, 30_000))
    found.add(engine_file(graph)[0])
    monkeypatch.setattr(Module, "__version__", "10.13.0")
    found.add(engine_file(graph)[0])
    assert len(found) == 4


def test_users_parameters_win(tmp_path: Path) -> None:
    chain = components(
        write_export(tmp_path / "detector"), Camera(640, 480, "front/image", "front/info"),
        further={"decoder": {"nms_threshold": 0.3}, "encoder": {"image_mean": [0.1, 0.1, 0.1]}},
    )  # fmt: skip
    found = named(chain)
    assert found["decoder"].parameters["nms_threshold"] == 0.3
    assert found["encoder"].parameters["image_mean"] == [0.1, 0.1, 0.1]
    assert found["encoder"].remappings["image"] == "front/image"
    assert found["encoder"].remappings["camera_info"] == "front/info"


@pytest.mark.parametrize("text", ["", "[]", "infer_node: {}", "dnn_image_encoder: {ros__parameters: {}}", "a: [", "{}"])
def test_other_folders_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "parameters.yaml").write_text(text)
    with pytest.raises(UserError, match=re.escape("perception-train export --layout isaac writes one")):
        components(tmp_path, CAMERA)
    with pytest.raises(UserError, match="not a model for Isaac ROS"):
        components(tmp_path / "nowhere", CAMERA)


@pytest.mark.parametrize("camera", [*DRIVERS, NONE])
def test_a_camera_is_heard_where_its_driver_publishes(camera: str) -> None:
    heard = hearing(camera)
    assert heard.parameters == heard.of_driver == {}
    if camera == NONE:
        assert heard.remappings == {}
        return
    driver = DRIVERS[camera]
    assert bool(driver.executable) != bool(driver.plugin)
    assert heard.remappings == {"image": f"camera/{driver.image}", "camera_info": f"camera/{driver.info}"}


def test_topics_of_the_user_win() -> None:
    heard = hearing("usb_cam", "/front/image_raw/compressed", "/front/camera_info")
    assert heard.parameters == {"image_transport": "compressed"}
    assert heard.remappings == {"image": "/front/image_raw", "camera_info": "/front/camera_info"}


def test_depth() -> None:
    heard = hearing("realsense", depth=True)
    assert heard.parameters == {"detections_3d": "depth"}
    assert heard.of_driver == {"align_depth.enable": True}
    assert heard.remappings["depth/image"] == "camera/camera/aligned_depth_to_color/image_raw"
    heard = hearing(NONE, "/image", depth=True, depth_image="/depth")
    assert heard.remappings == {"image": "/image", "depth/image": "/depth"}
    with pytest.raises(UserError, match="camera:=usb_cam has no depth image that is known here: name its topic"):
        hearing("usb_cam", depth=True)

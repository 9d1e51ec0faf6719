"""The layout for Isaac ROS: what NVIDIA's decoders would make of it, written from their sources' formats."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import yaml
from engines import engine_outputs
from isaac_ros import undeclared
from memorised import SIDES, memorise
from shapes import make_dataset

from perception_common.errors import UserError
from perception_infer.contract.geometry import iou_matrix
from perception_infer.contract.manifest import Tolerance
from perception_infer.contract.parity import compare_detections
from perception_infer.launching.isaac import Camera, components
from perception_train.data.coco import CocoDataset
from perception_train.export.candidate import Candidate, Source
from perception_train.export.isaac import write_isaac
from perception_train.models import build_model

PRECISIONS = ("fp32", "fp16")
FILES = {"fp32": "1/model.onnx", "fp16": "1/model.fp16.onnx"}


@pytest.fixture(scope="module")
def yolo(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    """A YOLO that has memorised small pictures, with an input of 640x640: objects keep their size in pixels."""
    folder = tmp_path_factory.mktemp("isaac")
    small = memorise("yolo_n", folder / "small")
    large = CocoDataset.open(make_dataset(folder / "large", 4, seed=7, size=(640, 640), sides=SIDES))
    source = Source("shapes", "yolo_n", large, large, 640, 640, small.source.suppression)
    return Candidate(small.model, source, 1)


@pytest.fixture(scope="module")
def unet(tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    return memorise("unet_mobilenet", tmp_path_factory.mktemp("isaac") / "shapes")


def encoded(candidate: Candidate, parameters: dict[str, dict[str, object]]) -> np.ndarray:
    """Letterboxed pictures as NVIDIA's image encoder hands them on: float32 [N, 3, H, W]."""
    told = parameters["dnn_image_encoder"]
    pixels = candidate.references["image"].astype(np.float32).transpose(0, 3, 1, 2) / 255
    mean, deviation = (np.asarray(told[key], np.float32)[:, None, None] for key in ("image_mean", "image_stddev"))
    return (pixels - mean) / deviation


def parameters(folder: Path) -> dict[str, dict[str, object]]:
    told = yaml.safe_load((folder / "parameters.yaml").read_text())
    return {node: values["ros__parameters"] for node, values in told.items()}


def answer(folder: Path, precision: str, image: np.ndarray) -> np.ndarray:
    """Through the tensors that the parameters name."""
    told = parameters(folder)["tensor_rt"]
    session = onnxruntime.InferenceSession(str(folder / FILES[precision]), providers=["CPUExecutionProvider"])
    assert [tensor.name for tensor in session.get_inputs()] == told["input_binding_names"]
    assert [tensor.name for tensor in session.get_outputs()] == told["output_binding_names"]
    found: np.ndarray = session.run(told["output_binding_names"], {told["input_binding_names"][0]: image})[0]
    return found


def decoded(tensor: np.ndarray, classes: int, iou: float, slots: int = 100) -> dict[str, np.ndarray]:
    """Detections of the flat memory of [1, 4 + classes, 8400], as the YOLOv8 decoder reads it, suppressed in turn."""
    memory, count = tensor.ravel(), 8400
    x, y, w, h = (memory[row * count : (row + 1) * count] for row in range(4))
    scores = np.stack([memory[(4 + label) * count : (5 + label) * count] for label in range(classes)])
    boxes = np.stack((x - 0.5 * w, y - 0.5 * h, x + 0.5 * w, y + 0.5 * h), 1)
    told = {"boxes": np.zeros((1, slots, 4), np.float32), "scores": np.zeros((1, slots), np.float32)}
    told["labels"] = np.full((1, slots), -1, np.int32)
    kept: list[tuple[int, int]] = []
    order = np.dstack(np.unravel_index(np.argsort(-scores, axis=None)[:300], scores.shape))[0]
    for label, cell in order.tolist():
        rivals = boxes[[other for kind, other in kept if kind == label]].reshape(-1, 4)
        if scores[label, cell] > 0.001 and not (iou_matrix(boxes[cell][None], rivals) > iou).any():
            kept.append((label, cell))
    for slot, (label, cell) in enumerate(kept[:slots]):
        told["boxes"][0, slot], told["scores"][0, slot] = boxes[cell], scores[label, cell]
        told["labels"][0, slot] = label
    return told


def test_yolo_decodes_to_the_bundles_detections(yolo: Candidate, tmp_path: Path) -> None:
    folder = tmp_path / "isaac"
    files = write_isaac(yolo, folder, PRECISIONS)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == set(files.values())
    told = parameters(folder)
    decoder = told["yolov8_decoder_node"]
    assert (decoder["num_classes"], decoder["nms_threshold"]) == (2, 0.7)
    images = encoded(yolo, told)
    names = ("boxes", "scores", "labels")
    for precision, tolerance in (("fp32", Tolerance()), ("fp16", Tolerance(iou=0.98, score=0.02))):
        objects = 0
        for index, image in enumerate(images):
            tensor = answer(folder, precision, image[None])
            assert (tensor.shape, tensor.dtype) == ((1, 6, 8400), np.float32)
            found = decoded(tensor, 2, 0.7)
            expected = {name: yolo.references[f"fp32.{name}"][index : index + 1] for name in names}
            parity = compare_detections(expected, found, tolerance, 0.7)
            assert parity.problem is None
            objects += parity.objects
        assert objects >= 3


def test_unet_decodes_to_the_bundles_mask(unet: Candidate, tmp_path: Path) -> None:
    folder = tmp_path / "isaac"
    write_isaac(unet, folder, PRECISIONS)
    told = parameters(folder)
    decoder = told["unet_decoder"]
    assert decoder["network_output_type"] == "argmax"
    assert (decoder["mask_width"], decoder["mask_height"], len(decoder["color_palette"])) == (128, 96, 3)
    for precision, agreement in (("fp32", 0.999), ("fp16", 0.995)):
        for image, mask in zip(encoded(unet, told), unet.references["fp32.mask"], strict=True):
            tensor = answer(folder, precision, image[None])
            assert (tensor.shape, tensor.dtype) == ((1, 96, 128, 1), np.int32)
            # NHWC with one channel: row after row.
            assert np.mean(tensor.ravel().reshape(96, 128) == mask) >= agreement
    assert unet.references["fp32.mask"].any()


@pytest.mark.parametrize("kind", ["yolo", "unet"])
def test_the_launch_file_finds_all_that_nvidias_nodes_need(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "isaac"
    write_isaac(request.getfixturevalue(kind), folder, PRECISIONS)
    for inference in ("tensor_rt", "triton"):
        chain = components(folder, Camera(320, 240), inference)
        assert [undeclared(component.plugin, component.parameters) for component in chain] == [{}, {}, {}]
        if inference == "tensor_rt":
            assert Path(chain[1].parameters["model_file_path"]) == folder / FILES["fp16"]
    assert f'default_model_filename: "{Path(FILES["fp16"]).name}"' in (folder / "config.pbtxt").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="NVIDIA's builder is for Linux here")
@pytest.mark.parametrize("kind", ["yolo", "unet"])
def test_nvidia_builder_takes_the_graphs(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    files = write_isaac(request.getfixturevalue(kind), tmp_path / "isaac", PRECISIONS)
    wanted = {"yolo": {"output0": (1, 6, 8400)}, "unet": {"argmax_1": (1, 96, 128, 1)}}[kind]
    for precision in PRECISIONS:
        graph = (tmp_path / "isaac" / files[precision]).read_bytes()
        assert engine_outputs(graph) == wanted
        # The TensorRT node refuses half floats at the border of a graph.
        model = onnx.load_from_string(graph).graph
        kinds = {value.type.tensor_type.elem_type for value in (*model.input, *model.output)}
        assert onnx.TensorProto.FLOAT16 not in kinds


def test_what_no_decoder_reads_is_refused(yolo: Candidate, candidate: Candidate, shapes: Path, tmp_path: Path) -> None:
    out = tmp_path / "isaac"
    with pytest.raises(UserError, match="640x640 only, this one has 96x64"):
        write_isaac(candidate, out)
    torch.manual_seed(0)
    train = CocoDataset.open(shapes / "train")
    ssd = Candidate(build_model("ssdlite", 2), Source("shapes", "ssdlite", train, train, 96, 64))
    with pytest.raises(UserError, match="no decoder of Isaac ROS reads what ssdlite answers"):
        write_isaac(ssd, out)
    with pytest.raises(UserError, match="has no int8"):
        write_isaac(yolo, out, ["int8"])
    assert not out.exists()
    out.mkdir()
    with pytest.raises(UserError, match="exists already"):
        write_isaac(yolo, out)

"""Tiny real bundles for tests: a detector of pure red, green and blue rectangles, built from ONNX operators.

For every colour channel it finds the tight box around the pixels that are bright in this channel and
dark in the two others. The answer is thus exactly predictable from the picture, and depends on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from perception_infer.contract.geometry import Letterbox
from perception_infer.contract.manifest import Dataset, Input, Suppression, Tolerance
from perception_train.export.bundle import BackendName, Graph, ModelFacts, write_bundle

CLASSES = ("red", "green", "blue")
WIDTH, HEIGHT, SLOTS = 320, 256, 8
COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}
LIMITS = _BRIGHT, _DARK = 200.0, 90.0

Pixels = npt.NDArray[np.uint8]
Hangs = Literal["never", "on white", "always"]


def scene(size: tuple[int, int], rectangles: Mapping[str, tuple[int, int, int, int]]) -> Pixels:
    """RGB uint8 [H, W, 3] of ``size`` (width, height): grey, with one filled rectangle xyxy per colour name."""
    picture = np.full((size[1], size[0], 3), 120, np.uint8)
    for name, (left, top, right, bottom) in rectangles.items():
        picture[top:bottom, left:right] = COLOURS[name]
    return picture


class _Draft:
    """A graph being put together: its nodes in order, and its constants by name."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, npt.NDArray[Any]] = {}

    def constant(self, **values: tuple[npt.ArrayLike, npt.DTypeLike]) -> None:
        self.constants |= {name: np.array(value, kind) for name, (value, kind) in values.items()}

    def node(self, kind: str, inputs: Sequence[str], output: str | Sequence[str], **attributes: Any) -> None:
        outputs = [output] if isinstance(output, str) else list(output)
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **attributes))


def detector_graph(
    score: float = 0.9,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    work: int = 0,
    limits: tuple[float, float] = LIMITS,
    hangs: Hangs = "never",
) -> bytes:
    """An ONNX detection graph of the contract; every detection has ``score`` (less 0.01 per class index).

    ``work`` multiplications of 512x512 matrices are added, to make it as slow as wanted. ``limits`` say from where on a
    channel is bright, and below which the others are dark. It ``hangs`` for weeks, on one core: "never", "on white" in
    the middle of the picture, or "always".
    """
    draft = _Draft()
    _find_pixels(draft, limits)
    _find_boxes(draft, size)
    _fill_slots(draft, score)
    scores = "top_scores"
    if hangs != "never":
        scores = _hang(draft, scores, size, hangs)
    if work:
        scores = _work(draft, scores, work)
    draft.node("Pad", [scores, "pads_row"], "scores")
    info = helper.make_tensor_value_info
    outputs = [
        info("boxes", TensorProto.FLOAT, [1, SLOTS, 4]),
        info("scores", TensorProto.FLOAT, [1, SLOTS]),
        info("labels", TensorProto.INT32, [1, SLOTS]),
    ]
    return _model(draft.nodes, draft.constants, size, outputs)


def _find_pixels(draft: _Draft, limits: tuple[float, float]) -> None:
    """``hits`` [1, 3, H, W]: 1 where one channel is bright and the two others are dark."""
    draft.constant(bright=(limits[0], np.float32), dark=(limits[1], np.float32))
    draft.constant(others_0=([1, 0, 0], np.int64), others_1=([2, 2, 1], np.int64))
    draft.node("Cast", ["image"], "float", to=TensorProto.FLOAT)
    draft.node("Transpose", ["float"], "planes", perm=[0, 3, 1, 2])
    draft.node("Gather", ["planes", "others_0"], "other_0", axis=1)
    draft.node("Gather", ["planes", "others_1"], "other_1", axis=1)
    draft.node("Max", ["other_0", "other_1"], "others")
    draft.node("Greater", ["planes", "bright"], "is_bright")
    draft.node("Less", ["others", "dark"], "is_dark")
    draft.node("And", ["is_bright", "is_dark"], "hit")
    draft.node("Cast", ["hit"], "hits", to=TensorProto.FLOAT)


def _find_boxes(draft: _Draft, size: tuple[int, int]) -> None:
    """``all_boxes`` [1, 3, 4]: the tight box around the hits of each channel."""
    draft.constant(width=(size[0], np.int64), height=(size[1], np.int64), last_axis=([2], np.int64))
    draft.constant(backwards=([-1], np.int64), end=([-(2**31)], np.int64), step=([-1], np.int64))
    # What is looked through along x is the maximum over all rows (axis 2), and the other way round.
    for name, axis, side in (("x", 2, "width"), ("y", 3, "height")):
        draft.node("ReduceMax", ["hits"], f"{name}_any", axes=[axis], keepdims=0)
        draft.node("ArgMax", [f"{name}_any"], f"{name}_low", axis=2, keepdims=0)
        draft.node("Slice", [f"{name}_any", "backwards", "end", "last_axis", "step"], f"{name}_reversed")
        draft.node("ArgMax", [f"{name}_reversed"], f"{name}_from_end", axis=2, keepdims=0)
        draft.node("Sub", [side, f"{name}_from_end"], f"{name}_high")
    for index, edge in enumerate(("x_low", "y_low", "x_high", "y_high")):
        draft.node("Unsqueeze", [edge, "last_axis"], f"edge_{index}")
    draft.node("Concat", [f"edge_{index}" for index in range(4)], "edges", axis=2)
    draft.node("Cast", ["edges"], "all_boxes", to=TensorProto.FLOAT)


def _fill_slots(draft: _Draft, score: float) -> None:
    """``boxes`` and ``labels`` of the contract, best first, and ``top_scores`` [1, 3]; empty: score 0, label -1."""
    draft.constant(class_scores=([[score, score - 0.01, score - 0.02]], np.float32))
    draft.constant(class_labels=([[0, 1, 2]], np.int32), minus=(-1, np.int32), zero=(0, np.float32))
    draft.constant(three=([3], np.int64), index_axis=([2], np.int64), spread=([1, 3, 4], np.int64))
    draft.constant(pads_boxes=([0, 0, 0, 0, SLOTS - 3, 0], np.int64), pads_row=([0, 0, 0, SLOTS - 3], np.int64))
    draft.node("ReduceMax", ["hits"], "found", axes=[2, 3], keepdims=0)
    draft.node("Mul", ["found", "class_scores"], "raw_scores")
    draft.node("TopK", ["raw_scores", "three"], ["top_scores", "order"], axis=1)
    draft.node("Greater", ["top_scores", "zero"], "filled")
    draft.node("Cast", ["filled"], "filled_float", to=TensorProto.FLOAT)
    draft.node("Unsqueeze", ["order", "index_axis"], "order_column")
    draft.node("Expand", ["order_column", "spread"], "order_boxes")
    draft.node("GatherElements", ["all_boxes", "order_boxes"], "top_boxes", axis=1)
    draft.node("Unsqueeze", ["filled_float", "index_axis"], "filled_column")
    draft.node("Mul", ["top_boxes", "filled_column"], "kept_boxes")
    draft.node("GatherElements", ["class_labels", "order"], "top_labels", axis=1)
    draft.node("Where", ["filled", "top_labels", "minus"], "kept_labels")
    draft.node("Pad", ["kept_boxes", "pads_boxes"], "boxes")
    draft.node("Pad", ["kept_labels", "pads_row", "minus"], "labels")


def _hang(draft: _Draft, scores: str, size: tuple[int, int], hangs: Hangs) -> str:
    """The scores again, after weeks of turning in a loop; their new name."""
    draft.constant(row=(size[1] // 2, np.int64), column=(size[0] // 2, np.int64))
    draft.constant(white=([255.0 if hangs == "on white" else -1.0], np.float32))
    draft.constant(weeks=([10**13], np.int64), going=(True, np.bool_), start=([0], np.float32))
    draft.node("Gather", ["float", "row"], "middle_row", axis=1)
    draft.node("Gather", ["middle_row", "column"], "middle", axis=1)
    draft.node("ReduceMin", ["middle"], "dullest", axes=[0, 1], keepdims=0)
    draft.node("GreaterOrEqual", ["dullest", "white"], "is_white")
    draft.node("Cast", ["is_white"], "white_times", to=TensorProto.INT64)
    draft.node("Mul", ["white_times", "weeks"], "times")
    draft.node("Loop", ["times", "going", "start"], "turned", body=_turn())
    draft.node("Mul", ["turned", "zero"], "turned_nothing")
    draft.node("Add", [scores, "turned_nothing"], "turned_scores")
    return "turned_scores"


def _turn() -> onnx.GraphProto:
    """The body of a loop that does next to nothing."""
    info = helper.make_tensor_value_info
    before = [info("turn", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("x", TensorProto.FLOAT, [1])]
    after = [info("goes", TensorProto.BOOL, []), info("y", TensorProto.FLOAT, [1])]
    nodes = [helper.make_node("Identity", ["go"], ["goes"]), helper.make_node("Cos", ["x"], ["y"])]
    return helper.make_graph(nodes, "turn", before, after)


def _work(draft: _Draft, scores: str, count: int) -> str:
    """The scores again, after so many multiplications; their new name."""
    matrix = np.random.default_rng(0).random((512, 512), np.float32) / 512
    draft.constant(matrix=(matrix, np.float32), tiny=(0, np.float32))
    # Begins from the picture, so that constant folding cannot take it away.
    draft.node("ReduceMean", ["planes"], "mean", axes=[0, 1, 2, 3], keepdims=0)
    draft.node("Add", ["matrix", "mean"], "work_0")
    for index in range(count):
        draft.node("MatMul", [f"work_{index}", "matrix"], f"work_{index + 1}")
    draft.node("ReduceMean", [f"work_{count}"], "work_mean", axes=[0, 1], keepdims=0)
    draft.node("Mul", ["work_mean", "tiny"], "nothing")
    draft.node("Add", [scores, "nothing"], "worked_scores")
    return "worked_scores"


def segmenter_graph(size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """An ONNX segmentation graph of the contract: 1 where a pixel is bright red; its red value as confidence."""
    constants = {"bright": np.array(_BRIGHT, np.float32), "red": np.array(0, np.int64)}
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["float", "red"], ["channel"], axis=3),
        helper.make_node("Greater", ["channel", "bright"], ["hit"]),
        helper.make_node("Cast", ["hit"], ["mask"], to=TensorProto.UINT8),
        helper.make_node("Cast", ["channel"], ["confidence"], to=TensorProto.UINT8),
    ]
    shape = [1, size[1], size[0]]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UINT8, shape) for name in ("mask", "confidence")]
    return _model(nodes, constants, size, outputs)


def write_segmenter(repository: Path, name: str = "segments") -> Path:
    """Write the next version of a segmentation bundle; its directory."""
    facts = dataclasses.replace(
        model_facts(name, ("red",), (0.5,)), task="segmentation", architecture="segments", suppression=None
    )
    arrays = parity_arrays(0.9)
    parity = {"image": arrays["image"], "fp32.mask": (arrays["image"][..., 0] > _BRIGHT).astype(np.uint8)}
    graph = Graph(segmenter_graph(), {"miou": 1.0}, ("onnxruntime", "openvino"), Tolerance())
    return write_bundle(repository, facts, {"fp32": graph}, save({"none": np.zeros(1, np.float32)}), parity)


def _model(
    nodes: list[onnx.NodeProto],
    constants: Mapping[str, npt.NDArray[Any]],
    size: tuple[int, int],
    outputs: Sequence[onnx.ValueInfoProto],
) -> bytes:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, size[1], size[0], 3])
    weights = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "rectangles", [image], list(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def expected_slots(
    rectangles: Mapping[str, tuple[int, int, int, int]], score: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32]]:
    """What the graph answers for rectangles in network pixels: boxes [K, 4], scores [K], labels [K]."""
    boxes, scores, labels = np.zeros((SLOTS, 4), np.float32), np.zeros(SLOTS, np.float32), np.full(SLOTS, -1, np.int32)
    for slot, name in enumerate(name for name in CLASSES if name in rectangles):
        label = CLASSES.index(name)
        boxes[slot], scores[slot], labels[slot] = rectangles[name], np.float32(score) - np.float32(0.01) * label, label
    return boxes, scores, labels


def parity_arrays(score: float, size: tuple[int, int] = (WIDTH, HEIGHT), count: int = 3) -> dict[str, npt.NDArray[Any]]:
    """Reference images of the network's size, and the true answers for them."""
    images, answers = [], []
    for index in range(count):
        rectangles = {
            name: (20 + 90 * i + index, 30 + 10 * i, 70 + 90 * i, 100 + 20 * index) for i, name in enumerate(CLASSES)
        }
        images.append(scene(size, rectangles))
        answers.append(expected_slots(rectangles, score))
    stacked = (np.stack(part) for part in zip(*answers, strict=True))
    return {"image": np.stack(images), **dict(zip(("fp32.boxes", "fp32.scores", "fp32.labels"), stacked, strict=True))}


def model_facts(
    name: str = "rectangles",
    classes: Sequence[str] = CLASSES,
    thresholds: Sequence[float] = (0.5, 0.5, 0.5),
    size: tuple[int, int] = (WIDTH, HEIGHT),
) -> ModelFacts:
    """What the manifest says of the detector."""
    nothing = "0" * 64
    return ModelFacts(
        name=name,
        task="detection",
        architecture="rectangles",
        classes=tuple(classes),
        input=Input(width=size[0], height=size[1], batch=1),
        suppression=Suppression(slots=SLOTS, candidates=3, score_floor=0.001, iou=0.5, rounds=16),
        thresholds=tuple(thresholds),
        dataset=Dataset(
            train="synthetic",
            train_sha256=nothing,
            train_images=1,
            validation="synthetic",
            validation_sha256=nothing,
            validation_images=1,
        ),
        software={"perception_suite": "test"},
    )


def write_detector(
    repository: Path,
    name: str = "rectangles",
    *,
    score: float = 0.9,
    classes: Sequence[str] = CLASSES,
    thresholds: Sequence[float] = (0.5, 0.5, 0.5),
    answers_score: float | None = None,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    work: int = 0,
    meant_for: Sequence[BackendName] = ("onnxruntime", "openvino"),
    limits: tuple[float, float] = LIMITS,
    hangs: Hangs = "never",
    architecture: str = "rectangles",
    weights: bytes | None = None,
) -> Path:
    """Write the next version of a detector bundle; its directory.

    ``answers_score`` other than ``score`` makes a bundle that verifies but fails its parity check. ``weights`` are
    those of a network that the bundle says it has beside its graph.
    """
    facts = dataclasses.replace(model_facts(name, classes, thresholds, size), architecture=architecture)
    graph = Graph(detector_graph(score, size, work, limits, hangs), {"map50": 1.0}, tuple(meant_for), Tolerance())
    answers = parity_arrays(score if answers_score is None else answers_score, size)
    nothing = save({"none": np.zeros(1, np.float32)})
    return write_bundle(repository, facts, {"fp32": graph}, nothing if weights is None else weights, answers)


def network_rectangle(rectangle: tuple[int, int, int, int], size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A rectangle of a source picture of ``size`` (width, height) in network pixels."""
    letterbox = Letterbox.fit(size, (WIDTH, HEIGHT))
    return letterbox.boxes_to_network(np.array([rectangle], np.float32))[0]

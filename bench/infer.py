"""What the predictor adds to the bare session (the node's share over DDS stands in the demo's summary)."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from perception_infer.backends.base import default_threads
from perception_infer.contract.manifest import Dataset, Input
from perception_infer.models import open_bundle
from perception_infer.predictor import Predictor
from perception_train.export.bundle import Graph, ModelFacts, write_bundle
from perception_train.export.graph import DetectionGraph, to_onnx
from perception_train.models import build_model
from perception_train.models.suppression import DEFAULT

from .figures import Figure, median_seconds


def _bundle(root: Path, architecture: str, classes: int, network: tuple[int, int]) -> Path:
    """An untrained model; speed does not depend on the weights."""
    torch.manual_seed(0)
    graph = DetectionGraph(build_model(architecture, classes).eval(), DEFAULT)
    width, height = network
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    with torch.no_grad():
        boxes, scores, labels = (tensor.numpy() for tensor in graph(torch.from_numpy(image)))
    facts = ModelFacts(
        name="bench",
        task="detection",
        architecture=architecture,
        classes=tuple(f"class_{i}" for i in range(classes)),
        input=Input(width=width, height=height, batch=1),
        suppression=DEFAULT,
        thresholds=(0.25,) * classes,
        dataset=Dataset(
            train="none",
            train_sha256="0" * 64,
            train_images=0,
            validation="none",
            validation_sha256="0" * 64,
            validation_images=0,
        ),
        software={},
    )
    parity = {"image": image, "fp32.boxes": boxes, "fp32.scores": scores, "fp32.labels": labels}
    return write_bundle(root, facts, {"fp32": Graph(to_onnx(graph, width, height), {})}, b"", parity)


def measure(architecture: str, classes: int, network: tuple[int, int], seconds: float) -> list[Figure]:
    """Median milliseconds per image of the bare session and of the predictor, taken in turns."""
    with tempfile.TemporaryDirectory() as folder:
        directory = _bundle(Path(folder), architecture, classes, network)
        predictor = Predictor.load(open_bundle(directory), "onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = default_threads()
        session = onnxruntime.InferenceSession(
            str(directory / "model.onnx"), options, providers=["CPUExecutionProvider"]
        )
    rng = np.random.default_rng(1)
    letterboxed = rng.integers(0, 256, (1, network[1], network[0], 3), dtype=np.uint8)
    photograph = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    bare = 1e3 * median_seconds(lambda: session.run(None, {"image": letterboxed}), seconds)
    whole = 1e3 * median_seconds(lambda: predictor.predict(photograph), seconds)
    return [
        Figure("bare session", bare, "ms"),
        Figure("predictor (letterbox, session, boxes back)", whole, "ms", "bare session", whole / bare),
    ]

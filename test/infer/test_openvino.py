"""The same bundles on OpenVINO: answers, refusals, and silence on the network."""

from __future__ import annotations

import importlib.util
import queue
import subprocess
import sys
from pathlib import Path

import bundles
import numpy as np
import onnx
import pytest
from bundles import CLASSES, scene, write_detector, write_segmenter

from perception_common.errors import UserError
from perception_infer import loading
from perception_infer.backends.select import Wish, make_backend
from perception_infer.contract.manifest import Tolerance
from perception_infer.loading import load_proven
from perception_infer.models import Bundle, open_bundle

if importlib.util.find_spec("openvino") is None:
    pytest.skip("OpenVINO is not installed", allow_module_level=True)
from perception_infer.backends.openvino import OpenVinoBackend, computes_in_bfloat16

needs_bf16 = pytest.mark.skipif(not computes_in_bfloat16(), reason="this processor does not compute in bfloat16")

RECTANGLES = {"red": (40, 40, 100, 80), "blue": (200, 60, 240, 200)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_detector(tmp_path_factory.mktemp("repository")))


def test_it_answers_as_the_trainer_and_as_onnx_runtime(bundle: Bundle) -> None:
    found = []
    for name in ("openvino", "onnxruntime"):
        predictor, parity, _ = load_proven(bundle, Wish(name, "fp32", threads=1))
        assert parity.objects > 0
        assert predictor.backend.name == name
        with predictor:
            found.append(predictor.predict(scene((640, 480), RECTANGLES)))
    assert len(found[0].boxes) == 2
    assert np.allclose(found[0].boxes, found[1].boxes, atol=1e-3)
    assert np.allclose(found[0].scores, found[1].scores, atol=1e-5)
    assert np.array_equal(found[0].labels, found[1].labels)


@pytest.fixture
def multiplying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """A detector whose scores come of a product of matrices, which is what is computed in bfloat16."""
    model = onnx.load_from_string(bundles.detector_graph())
    (product,) = (node for node in model.graph.node if "raw_scores" in node.output)
    product.op_type = "MatMul"
    product.input[1] = "scores_of_classes"
    scores = np.diag(np.array([0.9, 0.89, 0.88], np.float32))
    model.graph.initializer.append(onnx.numpy_helper.from_array(scores, "scores_of_classes"))
    monkeypatch.setattr(bundles, "detector_graph", lambda *_: model.SerializeToString())
    return open_bundle(write_detector(tmp_path))


@needs_bf16
@pytest.mark.parametrize("precision", ["auto", "bf16"])
def test_in_bfloat16_where_the_processor_has_it(multiplying: Bundle, precision: str) -> None:
    predictor, parity, _ = load_proven(multiplying, Wish("openvino", precision, threads=1))
    with predictor:
        assert predictor.backend.precision == "bf16"
        found = predictor.predict(scene((640, 480), RECTANGLES))
    assert parity.objects > 0
    assert [CLASSES[label] for label in found.labels] == ["red", "blue"]
    # 0.9 has no near neighbour among numbers of 8 bits; float32 has one within 1e-7.
    assert 1e-5 < np.abs(found.scores - [0.9, 0.88]).max() < 0.01


def test_what_is_not_held_against_the_trainer_is_computed_as_the_graph_says(bundle: Bundle) -> None:
    assert make_backend(bundle, Wish("openvino", threads=1)).precision == "fp32"


@needs_bf16
def test_a_model_that_does_not_stand_it_goes_on_in_float32(
    multiplying: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "HALF", Tolerance(score=1e-5))
    with load_proven(multiplying, Wish("openvino", threads=1)).predictor as predictor:
        assert predictor.backend.precision == "fp32"
        assert len(predictor.predict(scene((640, 480), RECTANGLES)).boxes) == 2
    with pytest.raises(UserError, match=r"openvino bf16 answers otherwise than the trainer: tensor 'scores'"):
        load_proven(multiplying, Wish("openvino", "bf16", threads=1))


def test_where_there_is_no_bfloat16_that_is_said(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("perception_infer.backends.openvino.computes_in_bfloat16", lambda: False)
    with pytest.raises(UserError, match=r"this processor does not compute in bfloat16: choose another precision"):
        make_backend(bundle, Wish("openvino", "bf16"))
    assert load_proven(bundle, Wish("openvino", threads=1)).predictor.backend.precision == "fp32"
    for name in ("onnxruntime", "tensorrt_rtx"):
        with pytest.raises(UserError, match=rf"'{name}' does not compute in bf16, openvino does"):
            make_backend(bundle, Wish(name, "bf16"))


def test_a_caller_too_many_is_refused_and_does_not_wait(bundle: Bundle) -> None:
    backend = make_backend(bundle, Wish("openvino", threads=1))
    backend.close()
    with pytest.raises(queue.Empty):
        backend.run(np.zeros((1, bundles.HEIGHT, bundles.WIDTH, 3), np.uint8))


def test_masks(tmp_path: Path) -> None:
    segmenter = load_proven(open_bundle(write_segmenter(tmp_path)), Wish("openvino", threads=1)).predictor
    picture = scene((640, 480), RECTANGLES)
    with segmenter:
        assert np.array_equal(segmenter.segment(picture).mask, (picture[:, :, 0] > 200).astype(np.uint8))


def test_an_answer_is_not_overwritten_by_the_next(bundle: Bundle) -> None:
    backend = make_backend(bundle, Wish("openvino", threads=1))
    size = bundle.manifest.input
    image = np.zeros((size.batch, size.height, size.width, 3), np.uint8)
    image[0] = scene((size.width, size.height), RECTANGLES)
    first = backend.run(image)
    kept = {name: array.copy() for name, array in first.items()}
    backend.run(np.zeros_like(image))
    assert all(np.array_equal(first[name], kept[name]) for name in kept)
    assert first["labels"].max() >= 0
    backend.close()
    backend.close()


def test_other_tensors_than_the_manifests_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = bundles.detector_graph(size=(320, 320))
    monkeypatch.setattr(bundles, "detector_graph", lambda *_: graph)
    with pytest.raises(UserError, match=r"input 'image' is uint8 \[1, 320, 320, 3\], the manifest says uint8"):
        load_proven(open_bundle(write_detector(tmp_path)), Wish("openvino"))


def test_a_damaged_graph_is_refused_in_one_line(bundle: Bundle) -> None:
    variant, graph = bundle.manifest.variants["fp32"], bundle.read("model.onnx")
    for data in (b"", b"not a graph at all", graph[: len(graph) // 2], graph.replace(b"ReduceMax", b"ReduceMix")):
        with pytest.raises(UserError) as caught:
            OpenVinoBackend(data, variant)
        assert "\n" not in str(caught.value)


def test_its_telemetry_is_never_imported() -> None:
    code = (
        "import sys, threading, perception_infer.backends.openvino as backend; "
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]; "
        "assert threading.active_count() == 1; print(backend.openvino.__version__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr

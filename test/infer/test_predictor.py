"""The predictor on a real graph: boxes in the picture's own pixels, thresholds, refusals, parity before service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bundles
import numpy as np
import onnx
import pytest
from bundles import CLASSES, scene, write_detector
from onnx import helper, numpy_helper

from perception_common.errors import UserError
from perception_infer.backends import select
from perception_infer.backends.base import default_threads
from perception_infer.backends.onnx_file import refuse_external_data
from perception_infer.backends.onnx_runtime import OnnxRuntimeBackend
from perception_infer.backends.select import Wish
from perception_infer.cancelling import Cancelled
from perception_infer.contract.manifest import Variant
from perception_infer.loading import load_proven
from perception_infer.models import Bundle, open_bundle
from perception_infer.predictor import NotFinite, Predictor

RECTANGLES = {"red": (40, 40, 100, 80), "blue": (200, 60, 240, 200)}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return open_bundle(write_detector(tmp_path_factory.mktemp("repository"), thresholds=(0.5, 0.5, 0.885)))


@pytest.fixture(scope="module")
def predictor(bundle: Bundle) -> Iterator[Predictor]:
    with Predictor.load(bundle) as loaded:
        yield loaded


@pytest.fixture(autouse=True)
def own_thresholds(predictor: Predictor) -> None:
    predictor.set_threshold(None)


# Sizes that the network size (320x256) divides evenly keep edges exact; others blur them by half a network pixel.
@pytest.mark.parametrize(
    ("size", "tolerance"),
    [((320, 240), 0.0), ((640, 480), 0.0), ((1280, 960), 0.0), ((500, 390), 1.6), ((241, 333), 1.4), ((320, 256), 0.0)],
)
def test_boxes_are_in_pixels_of_the_picture(predictor: Predictor, size: tuple[int, int], tolerance: float) -> None:
    predictor.set_threshold(0.3)
    found = predictor.predict(scene(size, RECTANGLES))
    assert found.labels.tolist() == [0, 2]
    assert np.abs(found.boxes - np.array(list(RECTANGLES.values()))).max() <= tolerance
    assert found.scores == pytest.approx([0.9, 0.88], abs=1e-6)


def test_sizes_may_alternate(predictor: Predictor) -> None:
    for size in ((640, 480), (320, 240), (640, 480), (100, 300)):
        found = predictor.predict(scene(size, {"red": (10, 10, 60, 60)}))
        assert np.abs(found.boxes - [10, 10, 60, 60]).max() <= 1.5


def test_a_view_in_another_layout_gives_the_same(predictor: Predictor) -> None:
    picture = scene((640, 480), RECTANGLES)
    flipped = np.ascontiguousarray(picture[:, :, ::-1])[:, :, ::-1]
    padded = np.zeros((480, 700, 3), np.uint8)
    padded[:, :640] = picture
    for view in (flipped, padded[:, :640]):
        assert np.array_equal(predictor.predict(view).boxes, predictor.predict(picture).boxes)


def test_nothing_found_is_empty(predictor: Predictor) -> None:
    found = predictor.predict(scene((640, 480), {}))
    assert len(found) == 0
    assert found.boxes.shape == (0, 4)


def test_thresholds_per_class_or_one_for_all(predictor: Predictor) -> None:
    picture = scene((640, 480), RECTANGLES)
    assert predictor.predict(picture).labels.tolist() == [0], "blue has 0.88, its own threshold is 0.885"
    predictor.set_threshold(0.0)
    assert predictor.predict(picture).labels.tolist() == [0, 2]
    predictor.set_threshold(0.95)
    assert len(predictor.predict(picture)) == 0


def test_results_are_not_overwritten_by_the_next_frame(predictor: Predictor) -> None:
    first = predictor.predict(scene((640, 480), {"red": (40, 40, 100, 80)}))
    predictor.predict(scene((640, 480), {"red": (200, 200, 300, 300)}))
    assert first.boxes.tolist() == [[40, 40, 100, 80]]
    with pytest.raises(ValueError, match="read-only"):
        first.boxes[0, 0] = 1


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 4), (0, 640, 3), (480, 0, 3)])
def test_other_shapes_are_refused(predictor: Predictor, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="image must be"):
        predictor.predict(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="does detection"):
        predictor.segment(np.zeros((4, 4, 3), np.uint8))


def test_a_proven_bundle_says_what_was_proven(bundle: Bundle) -> None:
    loaded, parity, waiting = load_proven(bundle, Wish("onnxruntime", threads=1))
    assert waiting is None
    with loaded:
        assert (parity.images, parity.objects, parity.problem) == (3, 9, None)
        assert loaded.classes == CLASSES
        assert (loaded.backend.name, loaded.backend.precision) == ("onnxruntime", "fp32")


def test_a_model_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    bundle = open_bundle(write_detector(tmp_path, score=0.9, answers_score=0.8))
    with pytest.raises(UserError, match=r"answers otherwise than the trainer.*scores"):
        load_proven(bundle)


def test_loading_can_be_given_up(bundle: Bundle) -> None:
    asked = []
    with pytest.raises(Cancelled):
        load_proven(bundle, Wish(cancelled=lambda: bool(asked.append(1)) or len(asked) > 2))
    assert len(asked) == 3


@pytest.mark.parametrize("name", ["boxes", "scores"])
def test_numbers_that_are_none_are_no_empty_image(predictor: Predictor, name: str) -> None:
    run = predictor.backend.run

    def broken(image: np.ndarray) -> dict[str, np.ndarray]:
        answer = run(image)
        answer[name] = np.full_like(answer[name], np.nan)
        return answer

    predictor.backend.run = broken  # type: ignore[method-assign]
    try:
        with pytest.raises(NotFinite, match="not finite"):
            predictor.predict(scene((320, 240), RECTANGLES))
    finally:
        predictor.backend.run = run  # type: ignore[method-assign]


def test_a_graph_with_other_tensors_than_the_manifest_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = bundles.detector_graph(size=(320, 320))
    monkeypatch.setattr(bundles, "detector_graph", lambda *_: graph)
    opened = open_bundle(write_detector(tmp_path))
    with pytest.raises(
        UserError, match=r"input 'image' is uint8 \[1, 320, 320, 3\], the manifest says uint8 \[1, 256, 320, 3\]"
    ):
        load_proven(opened, Wish("onnxruntime"))


def test_auto_tells_why_each_backend_failed(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> OnnxRuntimeBackend:
        raise ImportError("no module named openvino")

    def broken(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> OnnxRuntimeBackend:
        raise UserError("cannot load the graph")

    monkeypatch.setattr(select, "MAKERS", {"openvino": missing, "onnxruntime": broken})
    monkeypatch.setattr(select, "choose_variant", lambda manifest, *_: manifest.variants["fp32"])
    with pytest.raises(UserError, match=r"openvino: not installed.*onnxruntime: cannot load the graph") as caught:
        select.make_backend(bundle)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"unknown backend 'tpu'.*auto, tensorrt, tensorrt_rtx, onnxruntime"):
        select.make_backend(bundle, Wish("tpu"))


def test_auto_takes_the_first_that_works(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> OnnxRuntimeBackend:
        raise ImportError("no module named tensorrt")

    monkeypatch.setattr(select, "choose_variant", lambda manifest, *_: manifest.variants["fp32"])
    monkeypatch.setattr(select, "MAKERS", {"tensorrt": missing, **select.MAKERS})
    backend = select.make_backend(bundle)
    assert backend.name == "onnxruntime"
    backend.close()
    backend.close()


def test_a_variant_must_be_meant_for_the_backend(bundle: Bundle) -> None:
    assert select.choose_variant(bundle.manifest, "onnxruntime").file == "model.onnx"
    with pytest.raises(UserError, match="no variant for 'tensorrt'"):
        select.choose_variant(bundle.manifest, "tensorrt")


def test_a_damaged_graph_is_refused_in_one_line(bundle: Bundle, capfd: pytest.CaptureFixture[str]) -> None:
    variant, graph = bundle.manifest.variants["fp32"], bundle.read("model.onnx")
    for data in (b"", b"not a graph at all", graph[: len(graph) // 2], graph.replace(b"ReduceMax", b"ReduceMix")):
        with pytest.raises(UserError) as caught:
            OnnxRuntimeBackend(data, variant)
        assert "\n" not in str(caught.value)
    assert "ERROR" not in capfd.readouterr().err, "ONNX Runtime must not tell it a second time"


def test_a_mask_has_the_size_of_the_picture(tmp_path: Path) -> None:
    segmenter, parity, _ = load_proven(open_bundle(bundles.write_segmenter(tmp_path)), Wish("onnxruntime", threads=1))
    assert (parity.images, parity.objects) == (3, 3)
    picture = scene((640, 480), RECTANGLES)
    with segmenter:
        result = segmenter.segment(picture)
        with pytest.raises(ValueError, match="does segmentation"):
            segmenter.predict(picture)
    assert np.array_equal(result.mask, (picture[:, :, 0] > 200).astype(np.uint8))
    assert result.confidence[60, 60] == 250


def external(tensor: onnx.TensorProto) -> onnx.TensorProto:
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")
    return tensor


def model_with(tensor: onnx.TensorProto, place: str) -> bytes:
    """A model that holds ``tensor`` as an initializer, in a node, or in a nested graph."""
    body = helper.make_graph([], "body", [], [], [tensor])
    nodes = {
        "initializer": [],
        "constant": [helper.make_node("Constant", [], ["c"], value=tensor)],
        "nested": [helper.make_node("If", ["x"], ["y"], then_branch=body, else_branch=body)],
    }[place]
    graph = helper.make_graph(nodes, "g", [], [], [tensor] if place == "initializer" else [])
    return helper.make_model(graph).SerializeToString()


@pytest.mark.parametrize("place", ["initializer", "constant", "nested"])
def test_weights_outside_of_the_file_are_found_wherever_they_are(place: str) -> None:
    tensor = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    refuse_external_data(model_with(tensor, place))
    with pytest.raises(UserError, match="outside of its file"):
        refuse_external_data(model_with(external(tensor), place))


def test_half_of_the_cores_is_the_default() -> None:
    assert default_threads() >= 1

"""The TensorRT backend where there is no GPU: what it says then, and, on fakes of both libraries, what it does."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from engine_bundles import RTX, bundle, fp32, repository
from fake_gpu import Engine, Gpu, Library, install

from perception_common.errors import UserError
from perception_infer.backends import cuda
from perception_infer.backends.select import Wish, choose_backend, make_backend
from perception_infer.backends.tensorrt import EngineRefused, TensorRtBackend
from perception_infer.contract.manifest import Variant
from perception_infer.engines.key import Device, this_device
from perception_infer.engines.source import EngineMissing, Engines
from perception_infer.models import Bundle

__all__ = ["bundle", "repository"]


@pytest.fixture
def variant(bundle: Bundle) -> Variant:
    return fp32(bundle)


@pytest.fixture(params=["discrete", "integrated"])
def gpu(request: pytest.FixtureRequest) -> Iterator[Gpu]:
    gpu = Gpu(integrated=request.param == "integrated")
    yield gpu
    assert (gpu.memory, gpu.host, gpu.streams, gpu.graphs) == ({}, set(), set(), {}), "everything was freed"


def image(variant: Variant, value: int) -> np.ndarray:
    return np.full(variant.inputs[0].shape, value, np.uint8)


@pytest.mark.parametrize("recordable", [True, False])
def test_an_image_comes_back_as_tensors(
    monkeypatch: pytest.MonkeyPatch, gpu: Gpu, variant: Variant, recordable: bool
) -> None:
    gpu.recordable = recordable
    install(monkeypatch, gpu, Library(Engine(variant, gpu)))
    backend = TensorRtBackend("tensorrt", b"engine", variant)
    assert backend.recorded == recordable
    gpu.calls.clear()
    first, second = (backend.run(image(variant, value)) for value in (3, 200))
    assert {name: (array.shape, str(array.dtype)) for name, array in first.items()} == {
        tensor.name: (tensor.shape, tensor.dtype) for tensor in variant.outputs
    }
    assert (first["scores"] == 3).all(), "an answer is not overwritten by the next"
    assert (second["scores"] == 200).all()
    direct = ["run"] if gpu.integrated else ["copy", "run", "copy", "copy", "copy"]
    assert gpu.calls == 2 * (["launch"] if recordable else direct)
    backend.close()
    backend.close()


@pytest.mark.parametrize("most", range(8))
def test_memory_that_does_not_suffice(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, variant: Variant, most: int) -> None:
    gpu.most = most
    install(monkeypatch, gpu, Library(Engine(variant, gpu)))
    if most >= (4 if gpu.integrated else 8):
        TensorRtBackend("tensorrt", b"engine", variant).close()
        return
    with pytest.raises(UserError, match="failed with cudaErrorMemoryAllocation"):
        TensorRtBackend("tensorrt", b"engine", variant)


def test_an_engine_with_other_tensors_is_refused(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, variant: Variant) -> None:
    engine = Engine(variant, gpu)
    tensor, mode = engine.tensors["scores"]
    engine.tensors["scores"] = (type(tensor)(name="scores", dtype="float32", shape=(1, 5)), mode)
    install(monkeypatch, gpu, Library(engine))
    with pytest.raises(UserError, match=r"'scores' is float32 \[1, 5\], the manifest says"):
        TensorRtBackend("tensorrt", b"engine", variant)


def test_a_gpu_that_fails_is_told(monkeypatch: pytest.MonkeyPatch, gpu: Gpu, variant: Variant) -> None:
    engine = Engine(variant, gpu)
    install(monkeypatch, gpu, Library(engine))
    gpu.recordable = False
    backend = TensorRtBackend("tensorrt", b"engine", variant)
    engine.works = False
    with pytest.raises(UserError, match="could not run the engine"):
        backend.run(image(variant, 1))
    engine.works = True
    assert (backend.run(image(variant, 9))["scores"] == 9).all()
    backend.close()


def test_an_engine_that_is_refused_is_built_anew_once(
    monkeypatch: pytest.MonkeyPatch, gpu: Gpu, bundle: Bundle, variant: Variant, tmp_path: Path
) -> None:
    told, built = list[str](), list[bytes]()
    engines = Engines(tmp_path, tell=told.append)
    monkeypatch.setattr(engines, "get", lambda *_: built.append(b"engine") or b"engine")
    monkeypatch.setattr(engines, "remove", lambda *_: told.append("removed"))
    install(monkeypatch, gpu, Library(Engine(variant, gpu), refuses=1))
    make_backend(bundle, Wish("tensorrt", engines=engines)).close()
    assert len(built) == 2
    assert "cannot load the engine: Version tag does not match" in told[0]
    assert told[1] == "removed"
    install(monkeypatch, gpu, Library(Engine(variant, gpu), refuses=9))
    with pytest.raises(EngineRefused):
        make_backend(bundle, Wish("tensorrt", engines=engines))


def test_auto_serves_with_what_it_has_and_says_what_waits(
    monkeypatch: pytest.MonkeyPatch, gpu: Gpu, bundle: Bundle, variant: Variant, tmp_path: Path
) -> None:
    install(monkeypatch, gpu, Library(Engine(variant, gpu)))
    engines = Engines(tmp_path / "cache")
    made = choose_backend(bundle, Wish(engines=engines, may_build=False))
    assert (made.backend.name, made.waiting) == ("onnxruntime", "tensorrt")
    made.backend.close()
    with pytest.raises(EngineMissing) as caught:
        choose_backend(bundle, Wish("tensorrt", engines=engines, may_build=False))
    assert caught.value.backend == "tensorrt"
    monkeypatch.setattr(engines, "get", lambda *_: b"engine")
    made = choose_backend(bundle, Wish(engines=engines, may_build=False))
    assert (made.backend.name, made.waiting) == ("tensorrt", None)
    made.backend.close()


def test_a_gpu_is_described(monkeypatch: pytest.MonkeyPatch, gpu: Gpu) -> None:
    monkeypatch.setattr(cuda, "runtime", lambda: gpu)
    monkeypatch.setattr(cuda, "present", lambda: True)
    found = this_device.__wrapped__()
    assert found == Device("Orin", "8.7", 16, 30720, found.driver, found.l4t)
    assert found.title == "Orin, compute capability 8.7"


def test_without_a_gpu_the_reason_is_told_and_auto_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    if cuda.device_count():
        pytest.skip("there is a GPU")
    if importlib.util.find_spec(RTX) is None:
        pytest.skip("tensorrt-rtx is not installed")
    engines = Engines(tmp_path / "cache")
    with pytest.raises(UserError, match="no NVIDIA GPU that CUDA can use"):
        make_backend(bundle, Wish(RTX, engines=engines))
    made = choose_backend(bundle, Wish(engines=engines))
    assert (made.backend.name, made.waiting) == ("onnxruntime", None)
    made.backend.close()
    assert not (tmp_path / "cache").exists(), "nothing is built that could not run"

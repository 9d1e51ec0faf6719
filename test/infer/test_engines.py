"""Engines by NVIDIA's real builder (TensorRT for RTX builds without a GPU): locks, limits, damage, refusals."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import onnx
import psutil
import pytest
from engine_bundles import LIMITS, RTX, bundle, fp32, repository
from onnx import TensorProto, helper
from waiting import until

from perception_common.errors import UserError
from perception_infer.cancelling import Cancelled
from perception_infer.cli import main
from perception_infer.engines import source
from perception_infer.engines.build import BuildFailed, Limits, Options, build
from perception_infer.engines.cache import EngineCache
from perception_infer.engines.source import EngineMissing, Engines
from perception_infer.models import Bundle, open_bundle

trt: Any = pytest.importorskip("tensorrt_rtx", reason="tensorrt-rtx is not installed")
__all__ = ["bundle", "repository"]


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def engines(tmp_path: Path, told: list[str]) -> Engines:
    return Engines(tmp_path / "cache", limits=LIMITS, tell=told.append)


def files(engines: Engines, suffix: str) -> list[Path]:
    return sorted(path for path in engines.root.iterdir() if path.suffix == suffix)


def test_an_engine_is_built_once_and_then_found(engines: Engines, bundle: Bundle, told: list[str]) -> None:
    with pytest.raises(EngineMissing, match="build-engine"):
        engines.get(RTX, bundle, fp32(bundle), may_build=False)
    engine = engines.get(RTX, bundle, fp32(bundle))
    assert len(engine) > 10_000
    assert any("Building engine" in line for line in told), "its progress is told"
    assert engines.get(RTX, bundle, fp32(bundle), may_build=False) == engine
    assert Engines(engines.root).get(RTX, bundle, fp32(bundle), may_build=False) == engine
    assert engines.builds == 1
    (entry,) = EngineCache(engines.root).entries()
    assert (entry.model, entry.size, entry.key.backend) == ("rectangles v1", len(engine), RTX)
    assert entry.key.graph_sha256 == bundle.manifest.files["model.onnx"].sha256
    assert entry.key.backend_version == trt.__version__
    assert [path.name for path in engines.root.iterdir() if path.name.startswith(".partial-")] == []


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def clear(path: Path) -> None:
    path.write_bytes(b"")


def garble(path: Path) -> None:
    path.with_suffix(".json").write_text("{", encoding="utf-8")


def of_another_graph(path: Path) -> None:
    sidecar = path.with_suffix(".json")
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    told["key"]["graph_sha256"] = "0" * 64
    sidecar.write_text(json.dumps(told), encoding="utf-8")


def of_another_gpu(path: Path) -> None:
    sidecar = path.with_suffix(".json")
    told = json.loads(sidecar.read_text(encoding="utf-8"))
    told["key"]["device"]["memory_mib"] = 16384
    sidecar.write_text(json.dumps(told), encoding="utf-8")


@pytest.mark.parametrize("harm", [cut, flip, clear, garble, of_another_graph, of_another_gpu])
def test_a_damaged_engine_is_built_anew_and_that_is_told(
    engines: Engines, bundle: Bundle, told: list[str], harm: Callable[[Path], None]
) -> None:
    engines.get(RTX, bundle, fp32(bundle))
    (path,) = files(engines, ".engine")
    harm(path)
    told.clear()
    engines.get(RTX, bundle, fp32(bundle))
    assert "cannot be used" in told[0]
    assert str(path) in told[0]
    assert engines.builds == 2
    assert engines.get(RTX, bundle, fp32(bundle), may_build=False)


def test_half_an_engine_is_none(engines: Engines, bundle: Bundle) -> None:
    """A crash between the two files of an entry: without its description nothing is loaded."""
    engines.get(RTX, bundle, fp32(bundle))
    files(engines, ".json")[0].unlink()
    with pytest.raises(EngineMissing):
        engines.get(RTX, bundle, fp32(bundle), may_build=False)


BUILD = [sys.executable, "-m", "perception_infer", "build-engine", "--backend", RTX]


@contextlib.contextmanager
def building(repository: Path, cache: Path) -> Iterator[subprocess.Popen[str]]:
    command = [*BUILD, "--path", str(repository), "--engine-cache", str(cache), "--json", "-"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_two_processes_on_an_empty_cache_build_once(repository: Path, tmp_path: Path) -> None:
    with building(repository, tmp_path / "cache") as one, building(repository, tmp_path / "cache") as other:
        ends = [(process.communicate(timeout=100), process.returncode) for process in (one, other)]
    assert [status for _, status in ends] == [0, 0], ends
    results = [json.loads(output[output.index("{") :])["engines"][0] for (output, _), _ in ends]
    assert sorted(result["result"] for result in results) == ["built", "cached"]
    assert len(EngineCache(tmp_path / "cache").entries()) == 1


def test_a_killed_builder_leaves_the_lock_and_no_process(repository: Path, tmp_path: Path, engines: Engines) -> None:
    with building(repository, engines.root) as process:
        until(lambda: psutil.Process(process.pid).children())
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive, "the worker dies with its parent"
    bundle = open_bundle(repository / "rectangles" / "1")
    assert engines.get(RTX, bundle, fp32(bundle))


def test_ctrl_c_ends_a_build(repository: Path, tmp_path: Path) -> None:
    with building(repository, tmp_path / "cache") as process:
        until(lambda: psutil.Process(process.pid).children())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.strip().splitlines()[-1].endswith("interrupted")
    assert EngineCache(tmp_path / "cache").entries() == []


def children() -> set[psutil.Process]:
    """Processes below this one; other tests may have left servers of their own."""
    return set(psutil.Process().children(recursive=True))


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(seconds=0.05), r"not built within 0 s: raise engine_minutes"),
        (Limits(memory_mb=20), r"not built within 20 MiB of memory: raise engine_memory_mb"),
    ],
)
def test_limits(engines: Engines, bundle: Bundle, limits: Limits, message: str) -> None:
    engines.limits, before = limits, children()
    with pytest.raises(BuildFailed, match=message):
        engines.get(RTX, bundle, fp32(bundle))
    assert files(engines, ".engine") == []
    assert children() <= before


def test_a_build_is_given_up_on_request(engines: Engines, bundle: Bundle) -> None:
    before = children()
    with pytest.raises(Cancelled):
        engines.get(RTX, bundle, fp32(bundle), cancelled=lambda: True)
    assert children() <= before
    assert engines.get(RTX, bundle, fp32(bundle)), "and may be begun again"


def test_waiting_for_another_process_is_given_up_on_request(engines: Engines, bundle: Bundle, told: list[str]) -> None:
    cache, stop = EngineCache(engines.root), threading.Event()
    with cache.lock(engines.key(RTX, bundle, fp32(bundle))):
        timer = threading.Timer(0.5, stop.set)
        timer.start()
        with pytest.raises(Cancelled):
            engines.get(RTX, bundle, fp32(bundle), cancelled=stop.is_set)
        timer.join()
    assert told == ["another process builds this engine: waiting for it"]


def refused_graph() -> bytes:
    """Suppression as ONNX has it, which TensorRT for RTX does not implement."""
    inputs = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, (1, 8, 4)),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, (1, 1, 8)),
    ]
    outputs = [helper.make_tensor_value_info("kept", TensorProto.INT64, (None, 3))]
    node = helper.make_node("NonMaxSuppression", ["boxes", "scores"], ["kept"])
    graph = helper.make_graph([node], "refused", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("graph", [b"no graph", refused_graph()])
def test_what_the_builder_refuses_is_told_in_one_line(tmp_path: Path, graph: bytes) -> None:
    with pytest.raises(BuildFailed) as caught:
        build(RTX, graph, b"", tmp_path, Options(), LIMITS, lambda: False, lambda _: None)
    assert "does not build the engine" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_failed_build_is_not_tried_again(engines: Engines, bundle: Bundle, told: list[str]) -> None:
    engines.limits = Limits(seconds=0.05)
    for _ in range(2):
        with pytest.raises(BuildFailed, match="not built within"):
            engines.get(RTX, bundle, fp32(bundle))
    assert sum("building the engine" in line for line in told) == 1


def test_a_builder_that_dies_is_told(tmp_path: Path, bundle: Bundle) -> None:
    def kill(_: str) -> None:
        for child in psutil.Process().children():
            child.send_signal(signal.SIGSEGV)

    with pytest.raises(BuildFailed, match=r"builder ended with signal SIGSEGV"):
        build(RTX, bundle.read("model.onnx"), b"", tmp_path, Options(), LIMITS, lambda: False, kill)


def test_a_library_that_is_missing_is_told(tmp_path: Path, bundle: Bundle) -> None:
    if trt.__name__ != "tensorrt_rtx" or _installed("tensorrt"):
        pytest.skip("the full TensorRT is installed")
    with pytest.raises(BuildFailed, match=r"tensorrt is not installed"):
        build("tensorrt", bundle.read("model.onnx"), b"", tmp_path, Options(), LIMITS, lambda: False, lambda _: None)


def _installed(name: str) -> bool:
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def test_files_that_cannot_be_written_are_told_and_tried_again(
    engines: Engines, bundle: Bundle, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "engine")

    with monkeypatch.context() as patch:
        patch.setattr(source, "build", full)
        with pytest.raises(UserError, match=r"No space left on device.*make room.*engine_cache"):
            engines.get(RTX, bundle, fp32(bundle))
    assert sum("No space left on device" in line for line in told) == 1
    assert engines.get(RTX, bundle, fp32(bundle))


def test_the_command(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["build-engine", "--path", str(repository), "--engine-cache", str(tmp_path), "--backend", RTX]
    out = tmp_path / "result.json"
    for result in ("built", "cached"):
        assert main([*arguments, "--json", str(out)]) == 0
        (row,) = json.loads(out.read_text(encoding="utf-8"))["engines"]
        assert (row["model"], row["precision"], row["result"]) == ("rectangles", "fp32", result)
        assert result in capsys.readouterr().out
    assert main([*arguments, "--rebuild", "--json", str(out)]) == 0
    assert json.loads(out.read_text(encoding="utf-8"))["engines"][0]["result"] == "built"
    assert main([*arguments, "--precision", "int8", "--json", str(out)]) == 2
    assert json.loads(out.read_text(encoding="utf-8"))["failed"] == 1
    assert "has no variant in int8" in capsys.readouterr().err
    assert main(["build-engine"]) == 2
    assert "no bundle is given" in capsys.readouterr().err

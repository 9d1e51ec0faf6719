"""Scenes made on a Ray cluster: the same bytes as without; needs Ray (the extra ``cluster``)."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from worlds import finished, tree, until_finished

from perception_common.errors import UserError
from perception_sim.generation import cluster
from perception_sim.generation.generate import generate
from perception_sim.generation.ray_worker import SceneMaker
from perception_sim.params import GenerateParams

SMALL = GenerateParams(preset="demo", images=20, views_per_scene=2, seed=5, workers=2, width=160, height=120)
COMMAND = [sys.executable, "-m", "perception_sim", "generate", "--workers", "2", "--images", "20", "--seed", "5"]
COMMAND += ["--views-per-scene", "2", "--width", "160", "--height", "120", "--ray", "local"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dataset, made without Ray."""
    output = tmp_path_factory.mktemp("plain") / "data"
    generate(dataclasses.replace(SMALL, output=str(output)))
    return output


def family_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def gone(family: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(family, timeout=20)
    return not [one for one in alive if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def scratch() -> Iterator[dict[str, str]]:
    """An environment with a temporary directory of its own, of a short name: Ray's sockets live in it."""
    with tempfile.TemporaryDirectory(prefix="t-") as directory:
        yield {**os.environ, "TMPDIR": directory}
        assert not list(Path(directory).iterdir()), "nothing is left behind"


@pytest.mark.slow
def test_two_ray_workers_make_the_same_bytes(plain: Path, tmp_path: Path, scratch: dict[str, str]) -> None:
    pytest.importorskip("ray")
    output = tmp_path / "data"
    process = subprocess.Popen([*COMMAND, "--output", str(output)], stderr=subprocess.PIPE, text=True, env=scratch)
    until_finished(output, 1, process)
    family = family_of(process)
    # As when memory runs out; the scene it is at is made again by another worker.
    workers = [one for one in family if one.name().startswith("ray::SceneMaker")]
    assert len(workers) == 2
    workers[0].kill()
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert "a worker ended (Ray says: " in told
    assert gone(family)
    assert tree(output) == tree(plain)


@pytest.mark.slow
def test_an_interrupted_run_leaves_no_process_and_continues(
    plain: Path, tmp_path: Path, scratch: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ray")
    output = tmp_path / "data"
    process = subprocess.Popen(
        [*COMMAND, "--output", str(output)], stderr=subprocess.PIPE, text=True, env=scratch, start_new_session=True
    )
    until_finished(output, 2, process)
    family = family_of(process)
    assert [one for one in family if one.name().startswith("raylet")]
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continue" in told
    assert "Traceback" not in told
    assert gone(family)
    assert 2 <= finished(output) < 10

    # Workers that do not see the directory send their pictures here.
    @contextlib.contextmanager
    def unseen(output: Path) -> Iterator[str]:
        yield "no-such-file"

    monkeypatch.setattr(cluster, "_mark", unseen)
    summary = generate(dataclasses.replace(SMALL, output=str(output), ray="local"))
    assert 0 < summary["images_made"] < SMALL.images
    assert tree(output) == tree(plain)


def test_a_missing_ray_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "ray.py").write_text("raise ImportError('there is none')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    done = subprocess.run(
        [*COMMAND, "--output", str(tmp_path / "data")],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "perception_suite[cluster]" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "nonsense", "host:port"])
def test_a_cluster_that_is_not_there_is_told_in_one_line(address: str, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    with pytest.raises(UserError, match="no Ray could be reached") as caught:
        generate(dataclasses.replace(SMALL, output=str(tmp_path / "data"), ray=address))
    assert "\n" not in str(caught.value)


def test_a_node_with_other_versions_refuses(tmp_path: Path) -> None:
    plan = {"output": str(tmp_path)}
    maker = SceneMaker(plan, "mark", ("images",), {"perception_sim": "0.0", "mujoco": "1.0"})
    answer, files = maker.make(0)
    maker.close()
    assert b"install the same versions on every node" in answer
    assert b"instead of 1.0" in answer
    assert files == {}

"""What images do while they are built and when they start, done here: docker/install, docker/entrypoint, docker/health.

ROS comes from wherever it comes from here, so that this is the code of the images in another surrounding.
"""

from __future__ import annotations

import importlib.util
import os
import site
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from test_pins import write_wheel

import perception_common

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
pytestmark = pytest.mark.slow

LEVELS = ("OK", "WARN", "ERROR", "STALE")
SAYS = """
import sys, time, rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
rclpy.init()
node = rclpy.create_node("says")
publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)
told = [DiagnosticStatus(name="/" + name, level=getattr(DiagnosticStatus, name), message=name) for name in sys.argv[1:]]
while True:
    publisher.publish(DiagnosticArray(status=told))
    print("said", flush=True)
    time.sleep(0.2)
"""


def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*map(str, words)], capture_output=True, text=True, env=os.environ | environment, timeout=170, cwd="/"
    )


def beside_ros(prefix: Path) -> dict[str, str]:
    """The environment in which an interpreter of ``prefix`` finds the ROS that this one has, as if it were sourced."""
    packages = [path for path in (*site.getsitepackages(), sysconfig.get_path("purelib")) if Path(path).is_dir()]
    libraries = os.pathsep.join([str(Path(sys.prefix) / "lib"), os.environ.get("LD_LIBRARY_PATH", "")])
    return {
        "AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix),
        "LD_LIBRARY_PATH": libraries,
        "PERCEPTION_PREFIX": str(prefix),
        "PREFIX": str(prefix),
        "PYTHONPATH": os.pathsep.join([*dict.fromkeys(packages), os.environ.get("PYTHONPATH", "")]),
    }


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where docker/install has installed the suite."""
    for module in ("rclpy", "colcon_core"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed")
    prefix = tmp_path_factory.mktemp("opt") / "perception"
    made = run(sys.executable, "-m", "venv", "--without-pip", "--system-site-packages", prefix / "venv")
    assert made.returncode == 0, made.stderr
    done = run(DOCKER / "install", "suite", **beside_ros(prefix))
    assert done.returncode == 0, done.stdout + done.stderr
    return prefix


def test_packages_are_those_that_were_pinned(tmp_path: Path) -> None:
    if importlib.util.find_spec("ensurepip") is None:
        pytest.skip("this Python makes no environments with pip")
    sha256 = write_wheel(tmp_path, "wanted")
    offline = {"PREFIX": str(tmp_path), "PYTHON": sys.executable, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    pins = tmp_path / "some.pins.txt"
    pins.write_text(f"wanted==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    done = run(DOCKER / "install", "packages", pins, **offline)
    assert done.returncode != 0
    assert "DO NOT MATCH THE HASHES" in done.stderr
    pins.write_text(f"wanted==1.0 \\\n    --hash=sha256:{sha256}\n")
    done = run(DOCKER / "install", "packages", pins, **offline)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "venv").rglob("wanted-1.0.dist-info"))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "say 'packages FILE' or 'suite'"),
        (("packages", "no_such_file"), "which packages? One of "),
        (("suite",), "/venv is missing: run "),
    ],
)
def test_what_cannot_be_installed_is_told(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    done = run(DOCKER / "install", *words, PREFIX=str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.startswith("install: ")
    assert told in done.stderr


def test_commands_and_nodes_are_found_and_run_by_the_environment(installed: Path) -> None:
    entrypoint = installed / "bin" / "entrypoint"
    assert entrypoint.read_text() == (DOCKER / "entrypoint").read_text()
    for program in ("perception-infer", "infer_node"):
        done = run(entrypoint, program, "--version", **beside_ros(installed))
        assert (done.returncode, done.stdout) == (0, f"{program} {perception_common.__version__}\n"), done.stderr
    script = installed / "install" / "lib" / "perception_suite" / "infer_node"
    assert script.read_text().splitlines()[0] == f"#!{installed}/venv/bin/python"
    assert (installed / "install" / "share" / "perception_suite" / "launch").is_dir()


def test_a_container_s_node_is_well_and_ends_when_told(installed: Path, processes: Any, tmp_path: Path) -> None:
    surrounding = beside_ros(installed)
    (tmp_path / "models").mkdir()
    key = Ed25519PrivateKey.generate().public_key()
    (tmp_path / "trainer.pub").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    words = ["infer_node", "--ros-args", "--params-file", DOCKER / "infer_node.yaml"]
    for name, value in {"model_root": tmp_path / "models", "trust": tmp_path, "state": tmp_path}.items():
        words += ["-p", f"{name}:={value}"]
    node = processes.start([installed / "bin" / "entrypoint", *words], env=surrounding)
    done = run(installed / "bin" / "entrypoint", installed / "bin" / "health", **surrounding)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + processes.log(node)
    node.terminate()
    assert node.wait(10) == 0, processes.log(node)


def test_health_is_what_the_node_says(processes: Any) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    process = processes.start([sys.executable, "-c", SAYS, *LEVELS])
    while process.poll() is None and "said" not in processes.log(process):
        time.sleep(0.1)
    for level in LEVELS:
        done = run(sys.executable, DOCKER / "health", PYTHONPATH=str(ROOT), PERCEPTION_NODE=f"/{level}")
        assert (done.returncode, done.stdout) == (int(level in ("ERROR", "STALE")), f"{level}\n"), done.stderr


def test_silence_is_not_health() -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    done = run(sys.executable, DOCKER / "health", PERCEPTION_NODE="/elsewhere/infer_node")
    assert done.returncode == 1
    assert done.stdout == "/elsewhere/infer_node has said nothing on /diagnostics for 10 s\n"

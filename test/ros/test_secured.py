"""The real nodes, told to be secured on a machine that cannot: they refuse with one line, and start nothing."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from rclpy.utilities import get_rmw_implementation_identifier

MODULES = {
    "sim_camera_node": "perception_sim.ros.camera_node",
    "infer_node": "perception_infer.ros.infer_node",
    "evaluate_node": "perception_infer.ros.evaluate_node",
    "train_node": "perception_train.ros.train_node",
}
INFER = MODULES["infer_node"]
ENCLAVE = "/perception/infer_node"
#: Others are to enforce, and nothing else is looked at.
permissive = pytest.mark.skipif(
    "fastrtps" not in get_rmw_implementation_identifier(), reason="the middleware is another"
)
FILES = (
    "cert.pem", "key.pem", "identity_ca.cert.pem", "permissions_ca.cert.pem", "governance.p7s", "permissions.p7s",
)  # fmt: skip


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """One with an enclave in which no file is missing; what they hold is good for nothing."""
    folder = tmp_path / "keystore" / "enclaves" / ENCLAVE[1:]
    folder.mkdir(parents=True)
    for name in FILES:
        (folder / name).write_text("nothing\n")
    return tmp_path / "keystore"


def environment(strategy: str, keystore: object = "", enable: str = "true") -> dict[str, str]:
    return {
        "ROS_SECURITY_ENABLE": enable,
        "ROS_SECURITY_STRATEGY": strategy,
        "ROS_SECURITY_KEYSTORE": str(keystore),
    }


def refusal(processes: Any, node: str, process: subprocess.Popen[bytes]) -> str:
    """The line with which a node ended, as after a mistake of the user's."""
    assert process.wait(90) == 2, processes.log(process)
    log = processes.log(process)
    assert "Traceback" not in log
    (line,) = [line for line in log.splitlines() if line.startswith(f"{node}: ")]
    return str(line)


@permissive
def test_no_node_runs_unsecured_without_a_word(processes: Any) -> None:
    for strategy in ("Permissive", ""):
        started = {node: processes.python(module, env=environment(strategy)) for node, module in MODULES.items()}
        for node, process in started.items():
            assert "ROS_SECURITY_KEYSTORE is not set" in refusal(processes, node, process)


def test_what_ros_would_not_hear_is_told(processes: Any, keystore: Path) -> None:
    odd = {
        "which ROS takes for no": environment("Enforce", keystore, enable="True"),
        "which ROS takes for Permissive": environment("enforce", keystore),
        "there is no key store": environment("Enforce", keystore / "enclaves"),
        "no enclave '/'": environment("Enforce", keystore),
    }
    started = {text: processes.python(INFER, env=variables) for text, variables in odd.items()}
    for text, process in started.items():
        assert text in refusal(processes, "infer_node", process)


@permissive
def test_the_enclave_of_the_command_line_counts(processes: Any, keystore: Path) -> None:
    for words in (["--enclave", "/perception/infer_nod"], ["-e", "/elsewhere", "-r", "__ns:=/a"]):
        process = processes.python(INFER, "--ros-args", *words, env=environment("Permissive", keystore))
        assert f"no enclave '{words[1]}'" in refusal(processes, "infer_node", process)


@pytest.mark.parametrize("strategy", ["Enforce", pytest.param("Permissive", marks=permissive)])
def test_what_ros_itself_refuses_is_told_in_one_line_too(processes: Any, keystore: Path, strategy: str) -> None:
    # ROS from PyPI was built without security; one with security cannot read these keys.
    words = ["--ros-args", "--enclave", ENCLAVE]
    variables = environment(strategy, keystore)
    node = processes.python(INFER, *words, "-p", "model_root:=.", "-p", "model:=any", env=variables)
    printing = processes.python(INFER, "--print-config", *words, env=variables)
    for process in (node, printing):
        told = refusal(processes, "infer_node", process)
        assert "ROS refuses to run secured: " in told and f"[enclave {ENCLAVE}]" in told


def test_help_needs_no_keys(processes: Any) -> None:
    process = processes.python(INFER, "--help", env=environment("Permissive"))
    assert process.wait(60) == 0
    assert "usage: infer_node" in processes.log(process)

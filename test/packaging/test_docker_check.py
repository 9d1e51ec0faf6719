"""docker/check: nothing is wrong with what is there, and what would be wrong is found."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from test_pins import script

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
MODULES = ("compose", "context", "dockerfiles", "imports", "rules", "wheels")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules of docker/check, which is a program and no package."""
    monkeypatch.syspath_prepend(str(DOCKER / "check"))
    yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
    for name in MODULES:
        sys.modules.pop(name, None)


def machines(check: SimpleNamespace) -> dict[str, dict[str, str]]:
    return {path.stem: check.dockerfiles.read_env(path) for path in DOCKER.glob("*.env")}


def changed(check: SimpleNamespace, folder: Path, old: str, new: str) -> list[str]:
    """What the rules say of our Dockerfile after a change."""
    text = (DOCKER / "Dockerfile").read_text()
    assert old in text
    path = folder / "Dockerfile"
    path.write_text(text.replace(old, new))
    return list(check.rules.complaints(check.dockerfiles.read(path), machines(check)))


def test_nothing_is_wrong() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is asked from git")
    command = [sys.executable, str(DOCKER / "check"), "--offline"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert "NOT looked up (--offline)" in done.stdout


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("ARG BASE\n", "", "BASE is not declared before the first FROM"),
        ("FROM ${REGISTRY}", "FROM hub.example/", "names a registry (jetpack6)"),
        ("FROM ${REGISTRY}${ROS_IMAGE}", "FROM ros", "ros has no tag"),
        ("FROM ${REGISTRY}${ROS_IMAGE}", "FROM ros:latest", "ros:latest has no tag that stays"),
        (" --no-install-recommends libegl1", " libegl1", "apt-get without `--no-install-recommends`"),
        ("RUN docker/install suite", "RUN pip install torch", "pip install: what is fetched comes from apt"),
        ("COPY resource resource", "ADD resource resource", "ADD fetches and unpacks"),
        ("COPY --from=builder", "COPY --from=bilder", "there is no stage 'bilder'"),
        ("ENV MUJOCO_GL=egl", "ENV INDEX_PASSWORD=x", "INDEX_PASSWORD would stay readable"),
        ("STOPSIGNAL SIGTERM\n", "", "robot has no STOPSIGNAL"),
        ("HEALTHCHECK NONE\n", "", "workstation has no HEALTHCHECK"),
        ("USER perception\n", "USER root\n", "robot runs as root"),
        ('ENTRYPOINT ["/opt/perception/bin/entrypoint"]', "ENTRYPOINT entrypoint", "ENTRYPOINT through a shell"),
        ("FROM common AS robot", "FROM common AS robots", "there is no stage 'robot'"),
    ],
)
def test_a_dockerfile_that_is_worse_is_found(
    check: SimpleNamespace, tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert [line for line in changed(check, tmp_path, old, new) if told in line]


def test_a_line_that_is_no_instruction_is_refused(check: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'rub' is not an instruction"):
        changed(check, tmp_path, "COPY resource", "rub resource")


@pytest.mark.parametrize(
    ("path", "left_out"),
    [
        ("LICENSE", False),
        ("docs/LICENSE", True),
        ("perception_infer/replay/page.html", False),
        ("perception_infer/replay/__pycache__/x.pyc", True),
        ("keys/trainer.key", True),
        ("config/trainer.key", True),
        ("docker/Dockerfile", True),
        ("docker/install", False),
        ("requirements/jetpack6.pins.txt", False),
        ("requirements/jetpack6.txt", True),
        (".venv/lib/perception_infer/x.py", True),
    ],
)
def test_what_reaches_the_builder(check: SimpleNamespace, path: str, left_out: bool) -> None:
    assert check.context.Ignore((ROOT / ".dockerignore").read_text()).leaves_out(path) is left_out


def test_what_is_copied_and_is_not_there_is_found(check: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM ros:jazzy AS robot\nCOPY there ${PINS}.txt kept gone /to/\n")
    for name in ("there", "six.txt", "kept"):
        (tmp_path / name).write_text("")
    file = check.dockerfiles.read(tmp_path / "Dockerfile")
    ignore = check.context.Ignore("kept")
    tracked = ["there", "six.txt", "kept", "gone"]
    found = list(check.context.complaints(tmp_path, tracked, ignore, file, {"PINS": "six"}, "robot"))
    assert found == [
        "Dockerfile:2: .dockerignore keeps 1 files of kept back, such as kept",
        "Dockerfile:2: gone is not in the checkout",
    ]


def test_an_import_that_nothing_brings_is_found(check: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "one.py").write_text(
        "import json, numpy.linalg\nfrom . import two\n\ndef late():\n    from torch import nn\n    import rclpy.node\n"
    )
    needed = check.imports.imported(tmp_path, ["code"])
    assert needed == {"numpy": "code/one.py:1", "torch": "code/one.py:5", "rclpy": "code/one.py:6"}
    known = {"numpy": {"numpy"}, "torch": {"torch"}}
    assert list(check.imports.complaints(needed, {"rclpy"}, {"numpy"}, known, {})) == [
        "code/one.py:5: nothing in the image brings torch"
    ]
    assert list(check.imports.complaints(needed, {"rclpy"}, {"numpy"}, known, {"torch": "left out"})) == []


def test_what_package_xml_asks_for_and_is_missing_is_found(check: SimpleNamespace) -> None:
    file = check.dockerfiles.read(DOCKER / "Dockerfile")
    apt = check.imports.from_apt(file, "robot")
    assert {"rclpy", "vision-msgs", "ros2launch"} < apt
    found = list(check.imports.undeclared(ROOT, apt - {"vision-msgs"}, {"numpy"}, {"cv_bridge": "left out"}))
    assert "package.xml: vision_msgs is not in the image" in found
    assert "package.xml: python3-yaml is not in the image" in found
    assert not [line for line in found if "rclpy" in line or "cv_bridge" in line or "numpy" in line]


WORSE = [
    ("ipc: host", "ipc: private", "ipc has to be 'host'"),
    ("cap_drop: [ALL]", "privileged: true", "privileged: groups and devices suffice"),
    ("PINS: ${PINS}", "PIN: ${PINS}", "argument PIN is in one of compose file and Dockerfile only"),
    ("${BASE}", "${BASIS}", "BASIS has no default"),
]
OF_A_ROBOT = [
    ("target: robot", "target: robbot", "has no stage 'robbot'"),
    ("infer_node.yaml, read_only: true", "infer_node.yaml, read_only: false", "can be written from inside"),
]


@pytest.mark.parametrize(
    ("target", "old", "new", "told"),
    [*(("robot", *case) for case in (*WORSE, *OF_A_ROBOT)), *(("workstation", *case) for case in WORSE)],
)
def test_a_compose_file_that_is_worse_is_found(
    check: SimpleNamespace, tmp_path: Path, target: str, old: str, new: str, told: str
) -> None:
    text = (DOCKER / f"compose.{target}.yaml").read_text()
    assert old in text
    path = tmp_path / "docker" / "compose.yaml"
    path.parent.mkdir()
    (path.parent / "Dockerfile").write_text((DOCKER / "Dockerfile").read_text())
    file = check.dockerfiles.read(path.parent / "Dockerfile")
    values = machines(check)["jetpack6"]
    path.write_text(text)
    assert list(check.compose.complaints(path, file, values)) == []
    path.write_text(text.replace(old, new))
    assert [line for line in check.compose.complaints(path, file, values) if told in line]


def test_wheels_are_asked_for_the_python_of_their_pins(check: SimpleNamespace) -> None:
    pin: ModuleType = script("pin")
    for name, machine in check.wheels.MACHINES.items():
        environment = pin.SETS[name].environment
        assert pin.oldest(environment) == machine.python
        assert f"platform_machine == '{machine.processor}'" in environment
    assert set(check.wheels.MACHINES) == set(machines(check))
    for name, values in machines(check).items():
        assert values["PINS"] == name


def test_an_index_that_is_not_there_calls_nothing_found(
    check: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = shutil.which("uv", path=f"{ROOT / '.cache/uv/bin'}:{sys.path[0]}") or shutil.which("uv")
    if uv is None:
        pytest.skip("uv is not installed")
    pins = tmp_path / "some.pins.txt"
    pins.write_text(f"wanted==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    # Nobody listens on the discard port.
    for name, value in {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/",
        "UV_INDEX": "",
        "UV_NO_CONFIG": "1",
        "UV_HTTP_RETRIES": "0",
    }.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(check.wheels.Unknown):
        check.wheels.install(uv, pins, check.wheels.MACHINES["jetpack6"], tmp_path / "to", unpack=False)


def test_libraries_for_another_processor_are_found(check: SimpleNamespace, tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\x00"
    (tmp_path / "lib" / "right.so").write_bytes(head + (183).to_bytes(2, "little"))
    (tmp_path / "lib" / "wrong.so.1").write_bytes(head + (62).to_bytes(2, "little"))
    found = check.wheels.foreign(tmp_path, check.wheels.MACHINES["jetpack6"])
    assert found == ["lib/wrong.so.1 is not for aarch64"]


@pytest.mark.parametrize("unit", sorted((DOCKER / "systemd").glob("*.service")), ids=lambda path: path.stem)
def test_systemd_understands_its_units(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    # What is to be started is not here; everything else would be a mistake.
    missing = r"is not executable: No such file or directory|Unit docker\.service not found"
    assert [line for line in done.stderr.splitlines() if unit.name in line and not re.search(missing, line)] == []


def test_udev_rules_are_rules() -> None:
    lines = (DOCKER / "70-perception-cameras.rules").read_text().splitlines()
    rule = re.compile(r'(?:[A-Z]+(?:\{\w+\})?(?:==|\+?=)"[^"]+"(?:, |$))+')
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules
    assert all(rule.fullmatch(line) for line in rules)

"""What every test session shares: a ROS domain of its own, the transport setting, and processes that surely end."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from perception_common.ros import dds

# Files that render and files that train share a process here, in any order: see `perception_sim.rendering.gl`.
with contextlib.suppress(ImportError):
    import triton  # noqa: F401

# On a robot most tests have nothing to run on: folder → what it wants.
WANTED = {"faults": "onnx", "infer": "onnx", "ros": "onnx", "sim": "mujoco", "train": "torch"}
MISSING = {folder: module for folder, module in WANTED.items() if importlib.util.find_spec(module) is None}
collect_ignore = list(MISSING)
# Seconds between SIGINT, SIGTERM and SIGKILL.
PATIENCE = 5.0
# Compiled modules, where the environment forbids Python to write them beside their sources.
BYTECODE = Path(__file__).resolve().parents[1] / ".cache" / "bytecode"
# The files that take longest: first, so that with several workers none of them is what all others wait for at the end.
LONGEST = (
    "ros/test_train_node.py",
    "train/test_group.py",
    "train/test_cli.py",
    "train/test_architectures.py",
    "train/test_training.py",
    "train/test_kills.py",
    "train/test_report.py",
    "train/test_finetuning.py",
    "train/test_gap.py",
    "packaging/test_site_commands.py",
    "sim/test_shot.py",
    "packaging/test_site_browser.py",
    "sim/test_ray.py",
    "sim/test_generate.py",
    "ros/test_infer_node.py",
    "train/test_precision.py",
    "train/test_selftraining.py",
    "train/test_normalization.py",
    "train/test_harvest.py",
    "train/test_demo_pipeline.py",
    "train/test_isaac.py",
    "train/test_ssd.py",
    "train/test_unet.py",
)


def free_domain() -> int:
    """A ROS domain whose discovery port nobody on this machine listens on; sessions start their search apart."""
    start = os.getpid() % 101
    for domain in (1 + (start + offset) % 101 for offset in range(101)):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
            probe.bind(("", 7400 + 250 * domain))
            return domain
    raise pytest.UsageError("every ROS domain from 1 to 101 is in use on this machine")


def keep_bytecode() -> None:
    """Let every process of the session load compiled modules; or each would compile torch anew, for ten seconds."""
    if sys.dont_write_bytecode:
        sys.dont_write_bytecode = False
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        sys.pycache_prefix = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(BYTECODE))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Here and not beside the rows: options are known only from the first folder on."""
    parser.addoption(
        "--faults", default="", metavar="FOLDER", help="run every fault of the matrix and write the table into FOLDER"
    )


def pytest_configure() -> None:
    """Before anything imports rclpy: talk to this session's processes only, and to none on other machines."""
    keep_bytecode()
    os.environ["ROS_DOMAIN_ID"] = str(free_domain())
    if os.environ.get("ROS_DISTRO") == "humble":
        os.environ["ROS_LOCALHOST_ONLY"] = "1"
    else:
        os.environ.pop("ROS_LOCALHOST_ONLY", None)
        os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
    os.environ.setdefault("MUJOCO_GL", "egl")
    # What nodes of the tests remember is no robot's history.
    os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp(prefix="perception-state-")
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Several files at a time: threads that outnumber the cores would only wait for each other.
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    # A shell's background job ignores SIGINT, and so would every process that the tests start and interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["PYTHONUNBUFFERED"] = "1"
    # How long an example takes says something about the machine only.
    hypothesis.settings.register_profile("suite", deadline=None)
    hypothesis.settings.load_profile("suite")
    dds.enable()


def pytest_report_header() -> list[str]:
    """Say what is left out."""
    return [f"left out: test/{folder}, since {module} is not installed" for folder, module in MISSING.items()]


def pytest_unconfigure() -> None:
    """Remove what the nodes remembered."""
    shutil.rmtree(os.environ["XDG_STATE_HOME"], ignore_errors=True)


class Processes:
    """Starts programs in process groups of their own, with their output in files.

    Args:
        folder: where logs go (ROS's own, too).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(
        self, command: Sequence[object], name: str | None = None, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a program; ``env`` is added to this session's environment."""
        words = [str(word) for word in command]
        log = self.folder / f"{len(self._started)}-{name or Path(words[0]).name}.log"
        environment = os.environ | {"ROS_LOG_DIR": str(self.folder / "ros")} | dict(env or {})
        with log.open("wb") as output:
            # A session of its own, and with it a process group: Python 3.10 has no `process_group`.
            process = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                start_new_session=True,
            )
        self._started.append((process, log))
        return process

    def python(self, module: str, *arguments: object, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start ``python -m module`` with this interpreter."""
        return self.start([sys.executable, "-m", module, *arguments], name=module.rpartition(".")[2], env=env)

    @staticmethod
    def node_command(
        module: str,
        before: str = "",
        namespace: str = "",
        renamed: Mapping[str, str] | None = None,
        **parameters: object,
    ) -> list[str]:
        """The words that start a node with ROS parameters and topics renamed; ``before`` is code that runs first."""
        program = f"{before}\nfrom {module} import main\nraise SystemExit(main())\n"
        command = [sys.executable, *(["-c", program] if before else ["-m", module])]
        words = ["-r", f"__ns:=/{namespace.strip('/')}"] if namespace else []
        for name, topic in (renamed or {}).items():
            words += ["-r", f"{name}:={topic}"]
        for name, value in parameters.items():
            words += ["-p", f"{name}:={list(value) if isinstance(value, tuple) else value}"]
        return [*command, *(["--ros-args", *words] if words else [])]

    def node(self, module: str, env: Mapping[str, str] | None = None, **told: Any) -> subprocess.Popen[bytes]:
        """Start a node; ``told`` is what `node_command` takes."""
        return self.start(self.node_command(module, **told), name=module.rpartition(".")[2], env=env)

    def log(self, process: subprocess.Popen[bytes]) -> str:
        """What a process has written so far."""
        return next(path for known, path in self._started if known is process).read_text(errors="replace")

    def logs(self) -> list[tuple[str, str]]:
        """Every log as (file name, text)."""
        return [(path.name, path.read_text(errors="replace")) for _, path in self._started]

    def stop(self, process: subprocess.Popen[bytes], patience: float = PATIENCE) -> int:
        """End a process and its children, gently first; its exit status."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if process.poll() is not None:
                break
            self._signal(process, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(patience)
        # Children that outlived it.
        self._signal(process, signal.SIGKILL)
        return process.wait()

    def stop_all(self) -> None:
        """End everything; what runs is told at once, so that the waiting adds up to one process's."""
        running = [process for process, _ in self._started if process.poll() is None]
        for process in running:
            self._signal(process, signal.SIGINT)
        end = time.monotonic() + PATIENCE
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, end - time.monotonic()))
        for process, _ in self._started:
            self.stop(process)

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


def _started(tmp_path_factory: pytest.TempPathFactory, node: pytest.Item | pytest.Module) -> Iterator[Processes]:
    started = Processes(tmp_path_factory.mktemp("processes"))
    node.started_processes = started  # type: ignore[union-attr]
    try:
        yield started
    finally:
        started.stop_all()


@pytest.fixture
def processes(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Programs for one test; all are ended after it, and their logs are part of the report when it fails."""
    yield from _started(tmp_path_factory, request.node)


@pytest.fixture(scope="module")
def module_processes(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Programs that the tests of a module share; all are ended after it."""
    yield from _started(tmp_path_factory, request.node)


@pytest.fixture(scope="module")
def world() -> Iterator[Any]:
    """The other side of the nodes under test: a World of infer_client.py."""
    pytest.importorskip("rclpy", reason="ROS 2 is not installed")
    from infer_client import World

    made = World()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("no Chromium on this machine: apt-get install --no-install-recommends chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first (xdist keeps the order with --no-loadscope-reorder)."""
    places = {Path(__file__).parent / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Add the logs of a failed test's processes to its report."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    for owner in (item, item.getparent(pytest.Module)):
        started: Processes | None = getattr(owner, "started_processes", None)
        if report.failed and started is not None:
            report.sections += [(f"log of {name}", text) for name, text in started.logs()]

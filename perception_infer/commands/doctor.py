"""`perception-infer doctor` says whether this machine can do its work, and if not, why."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

from perception_common.errors import CheckFailed

State = Literal["ok", "warn", "fail"]
_MIB = 1 << 20
_SHM = "/dev/shm"  # noqa: S108  # the place of shared memory, not a temporary file
_SHM_MIB = 128


@dataclass(frozen=True)
class DoctorParams:
    """Parameters of `perception-infer doctor`: there are none."""


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, how it stands, and what to do about it."""

    name: str
    state: State
    text: str


def doctor(_params: DoctorParams) -> dict[str, Any]:
    """Print a line per check.

    Raises:
        CheckFailed: something that inference cannot do without is missing.
    """
    findings = [finding for check in CHECKS for finding in check()]
    for finding in findings:
        print(f"{finding.state:4}  {finding.name}: {finding.text}")
    result = {"findings": [vars(finding) for finding in findings]}
    failed = [finding.name for finding in findings if finding.state == "fail"]
    if failed:
        raise CheckFailed(f"this machine cannot run inference yet: {', '.join(failed)}", result)
    return result


def check_python() -> Iterable[Finding]:
    """Interpreter, numpy and OpenCV."""
    import cv2
    import numpy as np

    yield Finding("python", "ok", f"{sys.version.split()[0]}, numpy {np.__version__}, OpenCV {cv2.__version__}")


def check_ros() -> Iterable[Finding]:
    """The client library, its middleware, and the message packages."""
    if importlib.util.find_spec("rclpy") is None:
        yield Finding(
            "ros", "warn", "rclpy is not installed: commands work, nodes do not; source ROS 2 or run 'make setup'"
        )
        return
    from rclpy.utilities import get_rmw_implementation_identifier

    distribution = os.environ.get("ROS_DISTRO") or f"rclpy {_version('ros-rclpy') or 'of unknown version'}"
    yield Finding("ros", "ok", f"{distribution}, middleware {get_rmw_implementation_identifier()}")
    missing = [
        name for name in ("sensor_msgs", "diagnostic_msgs", "vision_msgs") if importlib.util.find_spec(name) is None
    ]
    if missing:
        yield Finding(
            "messages", "fail", f"missing: {', '.join(missing)}; install ros-<distro>-vision-msgs or run 'make setup'"
        )
    else:
        yield Finding("messages", "ok", "sensor_msgs, diagnostic_msgs, vision_msgs")


def check_transport() -> Iterable[Finding]:
    """Whether camera images will arrive: the Fast DDS profile and the room in /dev/shm."""
    if importlib.util.find_spec("rclpy") is None:
        return
    from rclpy.utilities import get_rmw_implementation_identifier

    from perception_common.ros import dds

    if "fastrtps" not in get_rmw_implementation_identifier():
        yield Finding(
            "transport", "warn", "not Fast DDS: make sure that it carries messages of a megabyte between processes"
        )
    elif dds.in_force():
        yield Finding(
            "transport", "ok", f"profile {os.environ.get(dds.VARIABLE) or 'chosen by FASTRTPS_DEFAULT_PROFILES_FILE'}"
        )
    else:
        shipped = dds.profile_path()
        fix = f"export {dds.VARIABLE}={shipped}" if shipped else "the suite's profile was not found: reinstall it"
        yield Finding("transport", "warn", f"no profile in this shell: other programs lose most camera images ({fix})")


def check_shared_memory() -> Iterable[Finding]:
    """Room for the segments through which images travel."""
    try:
        usage = shutil.disk_usage(_SHM)
    except OSError as error:
        yield Finding(_SHM, "warn", f"not usable ({error.strerror}): images travel over UDP and are mostly lost")
        return
    free, total = usage.free // _MIB, usage.total // _MIB
    state: State = "ok" if free >= _SHM_MIB else "warn"
    hint = "" if state == "ok" else f"; at least {_SHM_MIB} MiB are needed (docker run --shm-size=1g)"
    yield Finding(_SHM, state, f"{free} of {total} MiB free{hint}")


def check_backends() -> Iterable[Finding]:
    """What can run a graph, and on what."""
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding("onnxruntime", "fail", f"not installed ({error}): pip install onnxruntime")
        return
    providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
    yield Finding("onnxruntime", "ok", f"{onnxruntime.__version__}, providers {', '.join(providers)}")
    if openvino := _version("openvino"):
        yield Finding("openvino", "ok", f"{openvino}: choose it with backend:=openvino")


def check_gpu() -> Iterable[Finding]:
    """An NVIDIA GPU, and whether anything installed here would use it."""
    present = any(os.path.exists(path) for path in ("/dev/nvidia0", "/dev/nvhost-gpu", "/dev/nvgpu"))  # noqa: PTH110
    if not present:
        yield Finding("gpu", "ok", "none; inference runs on the CPU")
        return
    try:
        import onnxruntime

        usable = "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    except ImportError:
        usable = False
    text = (
        "present and used by ONNX Runtime"
        if usable
        else "present but not used: install onnxruntime-gpu in place of onnxruntime"
    )
    yield Finding("gpu", "ok" if usable else "warn", text)


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    check_python,
    check_ros,
    check_transport,
    check_shared_memory,
    check_backends,
    check_gpu,
)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None

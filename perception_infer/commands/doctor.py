"""`perception-infer doctor` says whether this machine can do its work, and if not, why."""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from perception_common.errors import CheckFailed, UserError

from ..backends import cuda
from ..backends.tensorrt import MODULES, load_module
from ..engines.cache import EngineCache
from ..engines.key import this_device
from ..engines.source import default_root

State = Literal["ok", "warn", "fail"]
_MIB = 1 << 20
_SHM = "/dev/shm"  # noqa: S108  # the place of shared memory, not a temporary file
_SHM_MIB = 128
_RMEM_MAX, _RMEM_BYTES = Path("/proc/sys/net/core/rmem_max"), 1 << 23
#: The suite did not exist before.
_YEAR = 2026


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


def check_network() -> Iterable[Finding]:
    """Room for images that come from another machine."""
    try:
        size = int(_RMEM_MAX.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return
    hint = "" if size >= _RMEM_BYTES else f"; for images from other machines: sysctl -w net.core.rmem_max={_RMEM_BYTES}"
    yield Finding("rmem_max", "ok", f"{size // 1024} KiB{hint}")


def check_backends() -> Iterable[Finding]:
    """What can run a graph, and on what."""
    try:
        import onnxruntime
    except ImportError as error:
        yield Finding("onnxruntime", "fail", f"not installed ({error}): pip install onnxruntime")
    else:
        providers = [name.removesuffix("ExecutionProvider") for name in onnxruntime.get_available_providers()]
        yield Finding("onnxruntime", "ok", f"{onnxruntime.__version__}, providers {', '.join(providers)}")
    if openvino := _version("openvino"):
        yield Finding("openvino", "ok", f"{openvino}: choose it with backend:=openvino{_arithmetic()}")
    for name in MODULES:
        try:
            version = load_module(name).__version__
        except ImportError:
            continue
        usable = "serves with it" if cuda.present() else "there is no GPU: it can build engines, not run them"
        yield Finding(name, "ok", f"{version}; {usable}")


def _arithmetic() -> str:
    try:
        from ..backends.openvino import computes_in_bfloat16
    except Exception as error:  # what is installed may not work here
        return f"; it does not work: {' '.join(str(error).split())}"
    return "; it computes in bf16 here" if computes_in_bfloat16() else ""


def check_gpu() -> Iterable[Finding]:
    """An NVIDIA GPU, and whether anything installed here would use it."""
    if not cuda.present():
        yield Finding("gpu", "ok", "none; inference runs on the CPU")
        return
    device = this_device()
    if not device.name:
        yield Finding("gpu", "warn", "present, but CUDA cannot use it: look at the driver, and install cuda-python")
        return
    software = ", ".join(
        filter(None, (device.driver and f"driver {device.driver}", device.l4t and f"L4T {device.l4t}"))
    )
    told = f"{device.title}, {device.multiprocessors} multiprocessors, {device.memory_mib} MiB; {software or '-'}"
    users = [name for name in MODULES if _loads(name)]
    with contextlib.suppress(ImportError):
        import onnxruntime

        if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
            users.append("onnxruntime")
    if users:
        yield Finding("gpu", "ok", f"{told}; used by {', '.join(users)}")
    else:
        yield Finding("gpu", "warn", f"{told}; not used: install TensorRT, or onnxruntime-gpu in place of onnxruntime")


def check_engines() -> Iterable[Finding]:
    """The cache of TensorRT's engines."""
    root = default_root()
    if not any(_loads(name) for name in MODULES) or not root.exists():
        return
    try:
        entries = EngineCache(root).entries()
    except UserError as error:
        yield Finding("engines", "warn", str(error))
        return
    here = sum(entry.key.device == this_device() for entry in entries)
    size = sum(entry.size for entry in entries) / _MIB
    yield Finding("engines", "ok", f"{len(entries)} in {root}, {size:.0f} MiB; {here} of them for this GPU and driver")


def check_clock() -> Iterable[Finding]:
    """Boards without a battery start in the past, and then stamps and ages of images are wrong."""
    now = time.gmtime()
    told = time.strftime("%Y-%m-%d %H:%M UTC", now)
    if now.tm_year < _YEAR:
        yield Finding("clock", "warn", f"{told} is in the past: set it (timedatectl), or ages of images are wrong")
    else:
        yield Finding("clock", "ok", told)


CHECKS: tuple[Callable[[], Iterable[Finding]], ...] = (
    check_python,
    check_ros,
    check_transport,
    check_shared_memory,
    check_network,
    check_backends,
    check_gpu,
    check_engines,
    check_clock,
)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _loads(name: str) -> bool:
    try:
        load_module(name)
    except ImportError:
        return False
    return True

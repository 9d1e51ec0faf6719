"""A Filament context on Vulkan, and whether it can be had: without Vulkan Filament ends the process.

So it is tried in a child process first.
"""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from perception_common.errors import UserError
from perception_common.processes import search_path

from .gl import mujoco

_TRIAL_S = 60.0
_FIX = "apt-get install libvulkan1 mesa-vulkan-drivers, or use the renderer 'classic'"


def open_context() -> Any:
    """A Filament context on Vulkan, a ``mujoco.mjrf.Context``. Where that cannot be, this ends the process.

    Raises:
        UserError: this MuJoCo has no Filament.

    """
    try:
        # The materials are found only once `studio` is imported.
        from mujoco import mjrf, studio  # noqa: F401
    except ImportError as missing:
        told = f"MuJoCo {mujoco.__version__} comes without the renderer Filament"
        raise UserError(told, fix="pip install 'mujoco>=4', or use the renderer 'classic'") from missing
    with silence():
        return mjrf.Context(mjrf.ContextConfig(graphics_api=mjrf.GraphicsApi.GRAPHICS_API_VULKAN))


@functools.lru_cache(maxsize=1)
def check() -> None:
    """Try in a child process whether Filament runs here (once; half a second).

    Raises:
        UserError: it does not.

    """
    # It dies by a signal where there is no Vulkan: that should not leave a core file.
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); "
        f"from {__name__} import open_context; open_context()"
    )
    where = {**os.environ, "PYTHONPATH": search_path()}
    try:
        tried = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=where, timeout=_TRIAL_S
        )
    except subprocess.TimeoutExpired:
        raise UserError("Filament cannot render: Vulkan does not answer", fix=_FIX) from None
    if tried.returncode:
        raise UserError(f"Filament cannot render: {_reason(tried.stderr)}", fix=_FIX)


def _reason(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = [line.removeprefix("reason:") for line in lines if line.startswith("reason:")]
    return (told or lines or ["Vulkan does not start"])[-1].strip().rstrip(".")


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Swallow what libraries print meanwhile: a command's own output may be JSON."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)

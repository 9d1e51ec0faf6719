"""MuJoCo with an off-screen OpenGL context: import it from here, never directly.

The environment has to be set before MuJoCo is first imported: ``MUJOCO_GL=egl`` (no screen needed), and
no threads for the rasteriser in software, which then draws in ours. Scenes are rendered by several processes at once;
and with a thread of its own, Mesa's llvmpipe can free a fence whose lock that thread is still to open
(``lp_fence_signalled`` reads without the lock), which writes a zero into freed memory: once in some thousand scenes the
process ended by it. Seen with Mesa 22.3.
EGL takes a GPU where there is one; which of several is MuJoCo's to choose: by ``MUJOCO_EGL_DEVICE_ID``, or
else the first of ``CUDA_VISIBLE_DEVICES``.
"""

from __future__ import annotations

import contextlib
import os
import sys

from perception_common.errors import UserError

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "0")
if "torch" in sys.modules:
    # Mesa's llvmpipe and triton each bring an LLVM, and triton, which torch loads with its first optimizer, crashes
    # where the other's is there already. The other way round nothing happens.
    with contextlib.suppress(ImportError):
        import triton  # noqa: F401


def _missing(error: BaseException) -> UserError:
    reason = str(error).split(". ")[0].strip().rstrip(".") or type(error).__name__
    chosen = os.environ["MUJOCO_GL"]
    fix = "apt-get install libegl1 libgl1-mesa-dri" if chosen == "egl" else "unset MUJOCO_GL"
    if "MUJOCO_EGL_DEVICE_ID" in os.environ and not isinstance(error, (ImportError, AttributeError)):
        fix = f"unset MUJOCO_EGL_DEVICE_ID (it is '{os.environ['MUJOCO_EGL_DEVICE_ID']}')"
    return UserError(f"cannot render off-screen (MUJOCO_GL={chosen}): {reason}", fix=fix)


try:
    import mujoco
except ModuleNotFoundError as missing:
    if missing.name != "mujoco":
        raise
    raise UserError("the simulator needs MuJoCo", fix="pip install mujoco") from missing
except (ImportError, AttributeError, OSError, RuntimeError) as missing:
    # Without libEGL.so.1 the OpenGL bindings fail while they are being imported, in several ways.
    raise _missing(missing) from missing


def open_context(width: int, height: int) -> mujoco.gl_context.GLContext:
    """An off-screen OpenGL context, current in this thread.

    Raises:
        UserError: there is no EGL driver that works without a screen.

    """
    try:
        context = mujoco.GLContext(width, height)
        context.make_current()
    except Exception as error:
        raise _missing(error) from error
    return context


def device_name() -> str:
    """What renders the current context, in its driver's words: a GPU's name, or llvmpipe for software."""
    from OpenGL.GL import GL_RENDERER, glGetString

    return bytes(glGetString(GL_RENDERER)).decode(errors="replace")


__all__ = ["device_name", "mujoco", "open_context"]

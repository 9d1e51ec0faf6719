"""MuJoCo with an off-screen OpenGL context: import it from here, never directly.

The environment has to be set before MuJoCo is first imported: ``MUJOCO_GL=egl`` (no screen needed), and
one rasteriser thread per process, because scenes are rendered by several processes at once.
"""

from __future__ import annotations

import os

from perception_common.errors import UserError

os.environ.setdefault("MUJOCO_GL", "egl")
os.environ.setdefault("LP_NUM_THREADS", "1")


def _missing(error: BaseException) -> UserError:
    reason = str(error).split(". ")[0].strip().rstrip(".") or type(error).__name__
    chosen = os.environ["MUJOCO_GL"]
    fix = "apt-get install libegl1 libgl1-mesa-dri" if chosen == "egl" else "unset MUJOCO_GL"
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


__all__ = ["mujoco", "open_context"]

"""The process that builds live scenes: ``python -m perception_sim.live.building``, see `builder`.

It reads and writes pickles, and ends when its input ends, so it never outlives the process that started it.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback

from perception_common.errors import UserError

from .scenes import Episode, Setup, build_episode

_NICE = 5
"""Rendering comes first where the two share a core."""


def _answer(setup: Setup, scene: int) -> bytes:
    """A pickle of the scene's number, and the scene or what went wrong."""
    try:
        built: Episode | Exception = build_episode(setup, scene)
    except UserError as error:
        built = error
    except Exception:
        built = RuntimeError(f"scene {scene} could not be built:\n{traceback.format_exc()}")
    return pickle.dumps((scene, built), pickle.HIGHEST_PROTOCOL)


def main() -> int:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up among the answers
    os.nice(_NICE)
    orders = sys.stdin.buffer
    try:
        setup = pickle.load(orders)  # noqa: S301 - from the process that started us
        while True:
            answers.write(_answer(setup, pickle.load(orders)))  # noqa: S301
            answers.flush()
    except EOFError:
        return 0
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main())

"""The child process of `perception_sim.convert.hulls`: a mesh on stdin, its convex pieces on stdout (npz files)."""

from __future__ import annotations

import io
import os
import sys

import numpy as np

_SEED = 0
_SEARCH = {"mcts_iterations": 60, "mcts_nodes": 10}
"""Less than half of the library's own effort, for pieces that are as good on bowls, chairs and rings."""


def main() -> int:
    """Decompose one mesh."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the library prints must not end up in the answer
    import coacd

    coacd.set_log_level("error")
    with np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=False) as sent:
        mesh = coacd.Mesh(sent["vertices"], sent["faces"].astype(np.int32))
        pieces = coacd.run_coacd(
            mesh,
            threshold=float(sent["concavity"]),
            max_convex_hull=int(sent["most"]),
            merge=True,
            seed=_SEED,
            **_SEARCH,
        )
    made = io.BytesIO()
    np.savez(made, **{f"piece{number:03d}": points for number, (points, _) in enumerate(pieces)})
    answer.write(made.getvalue())
    answer.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The bare session and the predictor of a bundle in a process of their own, told when to run through its input."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.summary import percentiles
from ..loading import load_proven
from ..models import open_bundle
from ..running import RunningParams, say

_WARM_UP = 5


def timed(action: Callable[[], object], seconds: float) -> dict[str, Any]:
    """Milliseconds of an action that is repeated for so long, and how often it was done in a second."""
    for _ in range(_WARM_UP):
        action()
    times: list[float] = []
    began = last = time.perf_counter()
    while last - began < seconds or not times:
        action()
        now = time.perf_counter()
        times.append((now - last) * 1e3)
        last = now
    return {**percentiles(times), "rate_hz": len(times) / (last - began)}


def main() -> int:
    """The first line of the input says what to load, each later one what to time."""
    setup = json.loads(sys.stdin.readline())
    bundle = open_bundle(Path(setup["bundle"]))
    # As the node does it, for the arithmetic may depend on what is proven.
    with load_proven(bundle, RunningParams(**setup["params"]).wish(say)).predictor as predictor:
        size = bundle.manifest.input
        network = np.repeat(bundle.parity()["image"][:1], size.batch, axis=0)
        _answer({"backend": f"{predictor.backend.name} {predictor.backend.precision}"})
        for line in sys.stdin:
            wish: dict[str, Any] = json.loads(line)
            if wish["what"] == "bare":
                _answer(timed(lambda: predictor.backend.run(network), wish["seconds"]))
            else:
                image = np.ascontiguousarray(np.load(wish["picture"], allow_pickle=False)[:, :, ::-1])
                ask = predictor.predict if predictor.task == "detection" else predictor.segment
                _answer(timed(lambda ask=ask, image=image: ask(image), wish["seconds"]))  # type: ignore[misc]
    return 0


def _answer(value: dict[str, Any]) -> None:
    print(json.dumps(value), flush=True)


if __name__ == "__main__":
    raise SystemExit(main())

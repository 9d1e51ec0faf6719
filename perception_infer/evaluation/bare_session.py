"""How long the bare inference session takes: the same backend and graph as the node, in a loop, nothing else.

``python -m perception_infer.evaluation.bare_session --bundle MODEL_REPO/NAME/VERSION --seconds 8 --output FILE``
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from perception_common import cli, durable
from perception_common.errors import UserError
from perception_common.params import param

from ..contract.manifest import PARITY_NAME
from ..loading import load_proven
from ..models import open_bundle
from ..running import RunningParams, say
from .summary import percentiles

_WARM_UP = 5


@dataclass(frozen=True)
class BareSessionParams(RunningParams):
    """Time the bare inference session of a bundle."""

    bundle: str = param("", "directory of the bundle (MODEL_REPO/NAME/VERSION)")
    seconds: float = param(8.0, "how long to measure", minimum=0.1)
    output: str = param("", "JSON file to write as well")


def measure(params: BareSessionParams) -> dict[str, Any]:
    """Run the bundle's reference images through its session again and again; milliseconds per run.

    Raises:
        UserError: the bundle is missing or damaged.
    """
    if not params.bundle:
        raise UserError("no bundle was named", fix="give --bundle MODEL_REPO/NAME/VERSION")
    bundle = open_bundle(Path(params.bundle))
    backend = load_proven(bundle, params.wish(say)).predictor.backend
    size = bundle.manifest.input.batch
    images = load_file(bundle.directory / PARITY_NAME)["image"]
    batches = [images[i : i + size] for i in range(0, len(images) - size + 1, size)]
    if not batches:
        raise UserError("the bundle holds no reference image", where=params.bundle, fix="export the bundle again")
    times: list[float] = []
    end = time.perf_counter() + params.seconds
    while time.perf_counter() < end or len(times) <= _WARM_UP:
        started = time.perf_counter()
        backend.run(batches[len(times) % len(batches)])
        times.append((time.perf_counter() - started) * 1e3)
    backend.close()
    result = {"bundle": params.bundle, "backend": backend.name, **percentiles(times[_WARM_UP:])}
    if params.output:
        durable.write_text(Path(params.output), json.dumps(result, indent=2) + "\n")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    command = cli.Command("bare-session", "time the bare inference session of a bundle", BareSessionParams, measure)
    return cli.single("python -m perception_infer.evaluation.bare_session", command, argv)


if __name__ == "__main__":
    sys.exit(main())

"""How long the bare inference session takes: the same backend and graph as the node, in a loop, nothing else.

``python -m perception_infer.benchmark.bare_session --bundle MODEL_REPO/NAME/VERSION --seconds 8 --output FILE``
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception_common import cli, durable
from perception_common.errors import UserError
from perception_common.params import param

from ..loading import load_proven
from ..models import open_bundle
from ..running import RunningParams, say
from .session import timed


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
    images = bundle.parity()["image"]
    batches = [images[i : i + size] for i in range(0, len(images) - size + 1, size)]
    if not batches:
        raise UserError("the bundle holds no reference image", where=params.bundle, fix="export the bundle again")
    turns = itertools.cycle(batches)
    result = {"bundle": params.bundle, "backend": backend.name}
    result |= timed(lambda: backend.run(next(turns)), params.seconds)
    backend.close()
    if params.output:
        durable.write_text(Path(params.output), json.dumps(result, indent=2) + "\n")
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    command = cli.Command("bare-session", "time the bare inference session of a bundle", BareSessionParams, measure)
    return cli.single("python -m perception_infer.benchmark.bare_session", command, argv)


if __name__ == "__main__":
    sys.exit(main())

"""``python -m bench.sim2real`` (``make bench-sim2real``): from no data to a score on real photographs.

Makes a synthetic dataset, trains the default detector on it and on nothing else, and scores it on photographs:
zero shot, and after batch-norm adaptation on photographs whose labels it does not see. Every stage is the suite's own
command, run as its users run it. ``ablation`` does so for worlds that lack one of their means.
"""

from __future__ import annotations

import dataclasses
import sys

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.params import param

from . import variants
from .run import Run, Sim2RealParams, show


@dataclasses.dataclass(frozen=True)
class AblationParams(Sim2RealParams):
    """Parameters of the ablation."""

    minutes: float = param(10.0, "time for each run, generation included", minimum=1.0, maximum=600.0)
    images: int = param(2400, "synthetic pictures to train on", minimum=100)
    seeds: int = param(3, "runs of each variant", minimum=1, maximum=100)
    variants: tuple[str, ...] = param(variants.NAMES, "worlds to compare", choices=variants.NAMES)


def run(params: Sim2RealParams) -> Result:
    """Make, train, score, adapt, score again."""
    result = Run(params).results()
    show([result])
    return result


def ablation(params: AblationParams) -> Result:
    """The benchmark for every variant and seed; a variant that is done already is not done again."""
    results = []
    for seed in range(params.seed, params.seed + params.seeds):
        for variant in params.variants:
            told = {f.name: getattr(params, f.name) for f in dataclasses.fields(Sim2RealParams)}
            told |= {"variant": variant, "seed": seed, "output": f"{params.output}/{variant}/{seed}"}
            results.append(Run(Sim2RealParams(**told)).results())
            show(results)
    return {"runs": results}


COMMANDS = (
    Command("run", "Train on a synthetic world and score on photographs.", Sim2RealParams, run),
    Command("ablation", "The same for worlds that lack one of their means.", AblationParams, ablation),
)

if __name__ == "__main__":
    sys.exit(cli.main("bench.sim2real", "From synthetic pictures to real photographs.", COMMANDS))

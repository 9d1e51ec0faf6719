"""``perception-train``: its commands, each of which has its parameters and what it does in a room of its own."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

from perception_common import cli
from perception_common.cli import Command, Result
from perception_infer.trust import require_cryptography

from .adaptation.params import AdaptParams
from .data.importing.params import ImportParams
from .evaluation.params import EvaluateParams
from .export.params import ExportParams
from .finetuning.params import FinetuneParams
from .gap.params import GapParams
from .harvest.params import HarvestParams
from .repository_server.params import ServeParams
from .signing.params import KeygenParams, SignParams
from .training.config import TrainParams


def run(params: TrainParams) -> Result:
    """Train, with progress on the terminal; Ctrl-C stops with a checkpoint.

    Started by torchrun, this is one of several processes that train together, of which the first speaks.
    """
    params.require_usable()
    # Imported late: torch takes seconds, and `--help` should not.
    from .evaluation.observer import observed
    from .progress import TrainingDisplay
    from .training.group import leads_here
    from .training.loop import Trainer

    with TrainingDisplay() as display:
        trainer = Trainer(params, observed(params, display.show))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: trainer.stop())
        summary = trainer.fit()
    if not leads_here():
        return None
    if summary["state"] == "stopped":
        print(f"stopped at step {summary['steps']}; the same command goes on from there", file=sys.stderr)
    else:
        print(f"versions {summary['versions']} in {params.model_root}")
    return summary


def evaluate(params: EvaluateParams) -> Result:
    """Score a bundle on a dataset through the robot's own code: COCO metrics, or IoU where it segments."""
    params.require_usable()
    from .evaluation.command import evaluate as run_evaluation

    return run_evaluation(params)


def export(params: ExportParams) -> Result:
    """Export the averaged weights of a run's checkpoint as the next version of its model, or for Isaac ROS."""
    params.require_usable()
    from .export.command import export as run_export

    return run_export(params)


def adapt(params: AdaptParams) -> Result:
    """Adapt a model to pictures without labels and export it as its next version."""
    params.require_usable()
    from .adaptation.command import adapt as run_adaptation

    return run_adaptation(params)


def finetune(params: FinetuneParams) -> Result:
    """Fine-tune a model on real images and export it as its next version."""
    params.require_usable()
    from .finetuning.command import finetune as run_finetuning

    return run_finetuning(params)


def import_(params: ImportParams) -> Result:
    """Make one dataset of others in their own formats."""
    from .data.importing.command import import_datasets

    _leave_nothing_half_written()
    return import_datasets(params)


def harvest(params: HarvestParams) -> Result:
    """Pick the frames of recordings that are most worth labelling, as a dataset to correct."""
    params.require_usable()
    from .harvest.command import harvest as run_harvest

    _leave_nothing_half_written()
    return run_harvest(params)


def gap(params: GapParams) -> Result:
    """Tell where real pictures differ from synthetic ones, for a model and in themselves."""
    params.require_usable()
    from .gap.command import gap as run_gap

    _leave_nothing_half_written()
    return run_gap(params)


def keygen(params: KeygenParams) -> Result:
    """Make a key pair that bundles are signed with."""
    require_cryptography()
    from .signing.command import keygen as run_keygen

    return run_keygen(params)


def sign(params: SignParams) -> Result:
    """Sign bundles that are there already."""
    require_cryptography()
    from .signing.command import sign as run_sign

    return run_sign(params)


def serve(params: ServeParams) -> Result:
    """Offer a model repository to robots over http or https, read-only, until told to stop."""
    params.require_usable()
    from .repository_server.command import serve as run_server

    return run_server(params)


def _leave_nothing_half_written() -> None:
    """End on SIGTERM as on Ctrl-C: what is not complete is removed."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


COMMANDS = (
    Command("run", "Train a detector or segmenter on a dataset and export bundles.", TrainParams, run),
    Command("finetune", "Fine-tune a model on a little real data, as its next version.", FinetuneParams, finetune),
    Command("adapt", "Adapt a model to a camera with unlabelled pictures, as its next version.", AdaptParams, adapt),
    Command("evaluate", "Score a bundle on a dataset: COCO metrics, or IoU of a segmenter.", EvaluateParams, evaluate),
    Command("export", "Export the checkpoint of a run as a bundle.", ExportParams, export),
    Command("import", "Make a dataset of others in their own formats.", ImportParams, import_),
    Command("keygen", "Make a key pair that bundles are signed with.", KeygenParams, keygen),
    Command("sign", "Sign bundles that are there already.", SignParams, sign),
    Command("serve", "Offer a model repository to robots over http or https, read-only.", ServeParams, serve),
    Command("gap", "Tell where real pictures differ from synthetic ones, and what to change.", GapParams, gap),
    Command("harvest", "Pick the frames of recordings that are most worth labelling.", HarvestParams, harvest),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``perception-train``."""
    return cli.main("perception-train", "Train detectors on synthetic data and export model bundles.", COMMANDS, argv)

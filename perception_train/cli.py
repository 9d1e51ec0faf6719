"""``perception-train``: run, evaluate, export."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.errors import UserError
from perception_common.params import build, param
from perception_infer.trust import require_cryptography

from .adaptation.params import AdaptParams
from .data.importing.params import ImportParams
from .finetuning.params import FinetuneParams
from .gap.params import GapParams
from .harvest.params import HarvestParams
from .repository_server.params import ServeParams
from .signing.params import KeygenParams, SigningParams, SignParams
from .training.config import TrainParams

if TYPE_CHECKING:
    from .export.further import Further


@dataclass(frozen=True)
class EvaluateParams:
    """Parameters of `perception-train evaluate`."""

    dataset: str = param("", "directory of the dataset to score on")
    model_root: str = param("models", "model repository")
    model: str = param("detector", "name of the model in the repository")
    version: int = param(0, "version of the model (0: the newest)", minimum=0)
    backend: str = param("auto", "inference backend")
    threads: int = param(0, "threads of one inference (0: the backend's default)", minimum=0)
    report: str = param("", "directory to write report.html, plots and evaluation.json into (empty: none)")


@dataclass(frozen=True)
class ExportParams(SigningParams):
    """Parameters of `perception-train export`."""

    run_directory: str = param("runs/train", "directory of the training run whose checkpoint is exported")
    model_root: str = param("", "model repository to export into (empty: the run's own)")
    weights: str = param(
        "last", "which weights: those of the last checkpoint, or of the best validation", choices=("last", "best")
    )
    precisions: tuple[str, ...] = param(
        ("fp32",),
        "graphs in the bundle: fp32 (always there), fp16, int8 (for TensorRT), int8_cpu",
        choices=("fp32", "fp16", "int8", "int8_cpu"),
    )
    budget: float = param(
        0.01,
        "mAP or, of segmenters, mIoU that each further precision may lose; sensitive layers stay in float for it",
        minimum=0.0,
        maximum=1.0,
    )
    accept_drop: bool = param(False, "publish a further precision also when it loses more than the budget")
    calibration: str = param(
        "",
        "pictures to calibrate 8-bit graphs with: a folder, a dataset, or a recording (a rosbag2 directory, or a "
        ".bag of ROS 1); empty for the training images",
    )
    calibration_topic: str = param("", "image topic of that recording (empty: the only one)")
    calibration_images: int = param(128, "of more pictures than these, evenly spaced ones are taken", minimum=1)
    layout: str = param(
        "bundle",
        "bundle: the next version in the model repository; isaac: a graph for Isaac ROS's decoders (YOLO at 640x640, "
        "U-Net), written into output",
        choices=("bundle", "isaac"),
    )
    output: str = param("", "folder that the isaac layout is written into; it must not exist yet")

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: parameters contradict each other, or the key that is to sign cannot be used.
        """
        self.signer()
        isaac = self.layout == "isaac"
        if isaac != bool(self.output):
            what = (
                "no output folder is given" if isaac else "an output folder is given, but a bundle goes to model_root"
            )
            raise UserError(what, fix="give --output DIR" if isaac else "give --layout isaac, or leave --output out")
        if self.calibration_topic and not self.calibration:
            raise UserError("a topic is given without a recording", fix="give --calibration BAG")

    def further(self) -> Further:
        """What is asked for beside fp32."""
        from .export.further import Further

        return Further(
            self.precisions,
            self.budget,
            self.accept_drop,
            Path(self.calibration) if self.calibration else None,
            self.calibration_topic,
            self.calibration_images,
        )


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
    if not params.dataset:
        raise UserError("no dataset is given", fix="--dataset DIR")
    import dataclasses

    from perception_infer.models import ModelRepository
    from perception_infer.predictor import Predictor

    from .data.coco import CocoDataset
    from .evaluation.tables import to_text
    from .training.validation import validate

    bundle = ModelRepository(Path(params.model_root)).open(params.model, params.version or None)
    dataset = CocoDataset.open(Path(params.dataset))
    dataset.require_classes(bundle.manifest.classes, "bundle")
    predictor = Predictor.load(bundle, params.backend, params.threads, threshold=0.0)
    result = validate(predictor, dataset)
    kind, per_class = result.per_class
    assert result.figures is not None
    title = f"{bundle.title} on {result.images} images"
    print(f"{title}: {result}", file=sys.stderr)
    print(to_text(result.figures), file=sys.stderr)
    if params.report:
        # Imported late: Matplotlib takes a second.
        from .evaluation.report import write_evaluation

        page = write_evaluation(Path(params.report), title, dataset, result.metrics(), result.figures)
        print(f"report: {page}", file=sys.stderr)
    return {
        "model": bundle.manifest.name,
        "version": bundle.manifest.version,
        "images": result.images,
        kind: per_class,
        **result.metrics(),
        "figures": dataclasses.asdict(result.figures),
    }


def export(params: ExportParams) -> Result:
    """Export the averaged weights of a run's checkpoint as the next version of its model, or for Isaac ROS."""
    params.require_usable()
    from .training import checkpoint
    from .training.loop import Trainer

    run_directory = Path(params.run_directory)
    state = checkpoint.load(run_directory)
    if state is None:
        raise UserError(
            "the run has no checkpoint", where=run_directory, fix="train first, with `perception-train run`"
        )
    told = {**state["params"], "run_directory": params.run_directory, "resume": True}
    trained = build(
        TrainParams,
        told | {key: given for key in ("model_root", "signing_key") if (given := getattr(params, key))},
        run_directory / checkpoint.LAST,
    )
    variants: dict[str, Any] = {}

    def listen(event: dict[str, Any]) -> None:
        if event["event"] == "variant":
            variants[event["precision"]] = {k: v for k, v in event.items() if k not in ("event", "precision")}

    trainer, best = Trainer(trained, listen), params.weights == "best"
    if params.layout == "isaac":
        files = trainer.export_isaac(Path(params.output), params.precisions, best)
        print(f"wrote {trained.model} for Isaac ROS into {params.output}: {', '.join(files.values())}", file=sys.stderr)
        return {"model": trained.model, "layout": "isaac", "output": params.output, "files": files}
    version, result = trainer.export_checkpoint(params.further(), best)
    print(f"exported {trained.model} v{version} into {trained.model_root}: {result}", file=sys.stderr)
    for precision, told in variants.items():
        kept = f", {len(told['skipped'])} layers left in float" if told["skipped"] else ""
        kept += f" (loses {told['drop']:.4f}, more than the budget)" if told["drop"] > params.budget else ""
        figures = ", ".join(f"{key} {value:.3f}" for key, value in told.items() if key not in ("drop", "skipped"))
        print(f"  {precision:8} {figures}{kept}", file=sys.stderr)
    return {"model": trained.model, "version": version, **result.metrics(), "variants": variants}


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

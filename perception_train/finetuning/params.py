"""Parameters of `perception-train finetune`: those of a training run, with defaults that suit a trained model."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path

from perception_common.errors import UserError
from perception_common.params import param, redeclared
from perception_infer.contract.manifest import Manifest

from ..models import BUILDERS
from ..training.config import TrainParams

_AS_BUNDLE = "auto"
ALL = "all"


@dataclass(frozen=True)
class FinetuneParams(TrainParams):
    """Parameters of `perception-train finetune`."""

    # Not parameters here: they follow from the ones below.
    dataset: tuple[str, ...] = ()
    shares: tuple[float, ...] = ()
    pretrained: bool = False

    real: str = param("", "directory of the real training dataset; small is fine")
    synthetic: str = param("", "directory of a synthetic dataset that is shown along with it (empty: none)")
    replay: float = param(
        0.5,
        "share of synthetic images in what the network sees, however many there are of either",
        minimum=0.0,
        maximum=0.95,
    )
    compare: bool = param(False, "train a model on the real images alone too, from scratch, for the same budget")
    curve: tuple[str, ...] = param(
        (), "numbers of real images (or all) to fine-tune with, one after another: what a label is worth"
    )
    seeds: int = param(1, "runs of each number of the curve, each with other images and another order", minimum=1)

    validation: str = redeclared(TrainParams, "validation", "", "directory of the real validation dataset")
    run_directory: str = redeclared(TrainParams, "run_directory", "runs/finetune", "where runs and reports go")
    initial: str = redeclared(
        TrainParams,
        "initial",
        "",
        "bundle to fine-tune: its directory, its manifest.json, or a model's directory (empty: the newest version of "
        "model in model_root)",
    )
    architecture: str = redeclared(
        TrainParams,
        "architecture",
        _AS_BUNDLE,
        "network architecture (auto: that of the bundle)",
        choices=(_AS_BUNDLE, *BUILDERS),
    )
    width: int = redeclared(
        TrainParams, "width", 0, "network input width in pixels, a multiple of 32 (0: that of the bundle)", minimum=0
    )
    height: int = redeclared(
        TrainParams, "height", 0, "network input height in pixels, a multiple of 32 (0: that of the bundle)", minimum=0
    )
    minutes: float = redeclared(TrainParams, "minutes", 5.0)
    exports: int = redeclared(TrainParams, "exports", 1)
    patience: int = redeclared(TrainParams, "patience", 3)
    learning_rate: float = redeclared(TrainParams, "learning_rate", 0.0005)
    warmup_steps: int = redeclared(TrainParams, "warmup_steps", 20)

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: a dataset is not named, both are the same, a number of the curve is none, or the key that is to
                sign cannot be used.
        """
        self.signer()
        for name in ("real", "validation"):
            if not getattr(self, name):
                raise UserError(
                    f"no {name} dataset is given", fix=f"--{name} DIR, as `perception-train import` writes it"
                )
        if Path(self.real).resolve() == Path(self.validation).resolve():
            raise UserError(
                "the real dataset is also the validation dataset",
                where=self.real,
                fix="divide it: `perception-train import --val-share 0.5`",
            )
        for text in self.curve:
            if text != ALL and not (text.isascii() and text.isdigit()):
                raise UserError(f"the curve names {text!r}", fix=f"give whole numbers of images, or {ALL}")

    def location(self) -> Path:
        """Where the bundle to start from is."""
        return Path(self.initial) if self.initial else Path(self.model_root) / self.model

    def training(self, manifest: Manifest, bundle: Path) -> TrainParams:
        """The fine-tuning as a training run.

        Args:
            manifest: of the bundle to start from.
            bundle: its directory.
        """
        told = {field.name: getattr(self, field.name) for field in fields(TrainParams)}
        mixed = bool(self.synthetic) and self.replay > 0
        return TrainParams(
            **told
            | {
                # The synthetic one first: where both name all classes, its order is the bundle's.
                "dataset": (self.synthetic, self.real) if mixed else (self.real,),
                "shares": (self.replay, 1 - self.replay) if mixed else (),
                "initial": str(bundle),
                "architecture": manifest.architecture if self.architecture == _AS_BUNDLE else self.architecture,
                "width": self.width or manifest.input.width,
                "height": self.height or manifest.input.height,
                "run_directory": str(Path(self.run_directory) / "finetuned"),
            }
        )

    def on_images(self, run: TrainParams, real: Path, folder: Path, seed: int) -> TrainParams:
        """A fine-tuning on other real images, with a model repository of its own in ``folder``."""
        return replace(
            run,
            dataset=(*run.dataset[:-1], str(real)),
            seed=seed,
            run_directory=str(folder / "run"),
            model_root=str(folder / "models"),
        )


def real_only(run: TrainParams, folder: Path) -> TrainParams:
    """What a fine-tuning is compared with: the same budget, but from scratch and on the real images alone.

    The learning rate is that of training from scratch, and nothing ends it early.
    """
    return replace(
        run,
        dataset=run.dataset[-1:],
        shares=(),
        initial="",
        freeze=0,
        patience=0,
        learning_rate=TrainParams.learning_rate,
        warmup_steps=TrainParams.warmup_steps if not run.steps else min(TrainParams.warmup_steps, run.steps // 5),
        run_directory=str(folder / "run"),
        model_root=str(folder / "models"),
    )

"""What a training run is told: declared once, for the command and for the node."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

from ..data.augment import AugmentParams
from ..data.sampling import SamplingParams
from ..models import BUILDERS, STRIDE
from ..signing.params import SigningParams


@dataclass(frozen=True)
class TrainParams(SigningParams, SamplingParams, AugmentParams):
    """Parameters of a training run (`perception-train run` and `train_node`)."""

    dataset: tuple[str, ...] = param((), "directories of the training datasets, of the same classes", alone=True)
    shares: tuple[float, ...] = param(
        (), "share of each dataset in what the network sees (none: in proportion to their images)", minimum=0.0
    )
    validation: str = param("", "directory of the validation dataset")
    run_directory: str = param("runs/train", "where checkpoints, curves and the summary of this run go")
    model_root: str = param("models", "model repository into which bundles are exported")
    model: str = param("detector", "name of the model in the repository")
    keep_versions: int = param(
        0,
        "newest versions of the model that stay in model_root after an export; the best one by its own figures, and"
        " what nodes of this machine serve, stay in any case (0: all)",
        minimum=0,
        maximum=1000000,
    )
    architecture: str = param(
        "yolo_n",
        "network architecture; _std standardises every image in the graph, _ibn half of the early channels (IBN-Net)",
        choices=tuple(BUILDERS),
    )
    initial: str = param(
        "",
        "bundle whose weights training starts from: its directory, its manifest.json, or a model's directory (its "
        "newest version); layers that do not fit start fresh (empty: all do)",
    )
    pretrained: bool = param(
        False, "start the backbone from published ImageNet weights, fetched once from the network (not for yolo)"
    )
    freeze: int = param(
        0, "stages of the backbone that stay as they are, from the image on; each halves the resolution", minimum=0
    )
    boxes: bool = param(
        True,
        "a segmenter that can (unet_yolo) learns boxes beside pixels; off, a step takes a third less: for runs that "
        "start from a detector and keep its backbone (freeze 5), which unlearns what it knew without them otherwise",
    )
    width: int = param(256, "network input width in pixels, a multiple of 32", minimum=32, maximum=4096)
    height: int = param(192, "network input height in pixels, a multiple of 32", minimum=32, maximum=4096)
    batch: int = param(16, "images per forward pass, of all processes together", minimum=1, maximum=1024)
    accumulate: int = param(1, "forward passes whose gradients make one step", minimum=1, maximum=1024)
    minutes: float = param(10.0, "time budget; the learning rate ends its decay with it (0: no limit)", minimum=0.0)
    steps: int = param(0, "step budget; with both budgets the nearer end counts (0: no limit)", minimum=0)
    exports: int = param(4, "bundles to export, evenly over the budget, the last at its end", minimum=1, maximum=1000)
    validations: int = param(
        8, "validations, evenly over the budget; exports happen at some of them", minimum=1, maximum=1000
    )
    patience: int = param(0, "end after so many validations without a better `metric` (0: never)", minimum=0)
    metric: str = param(
        "auto",
        "which validation figure says what is better; auto is map for detectors, miou for segmenters",
        choices=("auto", "map", "map50", "map75", "miou"),
    )
    learning_rate: float = param(0.002, "peak learning rate of AdamW", minimum=1e-7, maximum=1.0)
    weight_decay: float = param(0.05, "weight decay of convolution weights", minimum=0.0, maximum=1.0)
    warmup_steps: int = param(100, "steps over which the learning rate rises", minimum=0)
    clip_norm: float = param(10.0, "largest norm of the gradient", minimum=0.01)
    ema_decay: float = param(
        0.998, "decay of the averaged weights, ramped as (1 + t) / (10 + t)", minimum=0.0, maximum=0.99999
    )
    mosaic_share: float = param(0.5, "mosaic is on during this first share of the budget", minimum=0.0, maximum=1.0)
    precision: str = param(
        "auto", "arithmetic of the forward pass; auto times both and takes the faster", choices=("auto", "fp32", "bf16")
    )
    device: str = param("auto", "what trains: auto (a GPU where there is one), cpu, cuda, or cuda:N")
    compile: bool = param(False, "compile the network with torch.compile: a slow start, then faster steps on GPUs")
    threads: int = param(0, "torch threads (0: all cores)", minimum=0, maximum=1024)
    seed: int = param(1, "seed of initial weights, order and augmentation", minimum=0)
    workers: int = param(0, "threads that prepare batches (0: one for every two cores)", minimum=0, maximum=256)
    cache_mb: int = param(2048, "memory for decoded images (large ones are kept reduced)", minimum=0)
    checkpoint_seconds: float = param(30.0, "time between checkpoints", minimum=1.0)
    report: bool = param(True, "draw plots and write report.html in the run directory at every validation")
    tensorboard: bool = param(True, "write event files for TensorBoard in the run directory")
    resume: bool = param(True, "go on from the last checkpoint of the run directory when it has one")

    def require_usable(self) -> None:
        """Check what single ranges cannot.

        Raises:
            UserError: a dataset is not named, no budget is given, a side is no multiple of the stride, or the key that
                is to sign cannot be used.
        """
        self.signer()
        for name in ("dataset", "validation"):
            if not getattr(self, name):
                raise UserError(
                    f"no {name} is given", fix=f"set {name} to a directory made with `perception-sim generate`"
                )
        if self.pretrained and self.initial:
            raise UserError("both initial and pretrained are given", fix="leave one of them out")
        if self.minutes == 0 and self.steps == 0:
            raise UserError("no budget is given", fix="set minutes or steps above 0")
        for name in ("width", "height"):
            if getattr(self, name) % STRIDE:
                raise UserError(
                    f"{name} {getattr(self, name)} is no multiple of {STRIDE}", fix="choose the nearest multiple"
                )
        if self.exports > self.validations:
            raise UserError(
                f"{self.exports} exports need at least as many validations ({self.validations})",
                fix="raise validations",
            )

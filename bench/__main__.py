"""``python -m bench`` (``make bench``): a command for each part of the suite; tables, or JSON with ``--json FILE``."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from perception_common import cli
from perception_common.cli import Command, Result
from perception_common.params import param

from . import contention, data, generate, infer, precisions, train
from .figures import Figure, machine


@dataclass(frozen=True)
class BenchParams:
    """Parameters of the benchmarks."""

    architecture: str = param("yolo_n", "network architecture")
    width: int = param(320, "network input width in pixels, a multiple of 32", minimum=32)
    height: int = param(320, "network input height in pixels, a multiple of 32", minimum=32)
    batch: int = param(16, "images per training step", minimum=1)
    classes: int = param(6, "number of classes", minimum=1)
    seconds: float = param(8.0, "time for each figure", minimum=0.5)


@dataclass(frozen=True)
class DataBenchParams(BenchParams):
    """Parameters of the benchmark of the data path."""

    dataset: str = param("", "a dataset directory (empty: pictures of 640x480 made for the purpose)")
    workers: int = param(0, "threads that prepare batches (0: as many as cores)", minimum=0)
    train: bool = param(False, "also time the whole training loop, and tell the ratio")


@dataclass(frozen=True)
class GenerateBenchParams:
    """Parameters of the benchmark of the generator."""

    preset: str = param("outdoor", "world to make pictures of")
    width: int = param(640, "image width in pixels", minimum=32)
    height: int = param(480, "image height in pixels", minimum=32)
    workers: int = param(2, "workers, and processes of bare rendering", minimum=1)
    seconds: float = param(20.0, "time for each figure", minimum=0.5)
    memory_images: int = param(0, "pictures over which memory is watched; 0 leaves it out", minimum=0)


@dataclass(frozen=True)
class PrecisionBenchParams:
    """Parameters of the benchmark of precisions."""

    architectures: tuple[str, ...] = param(
        ("yolo_n", "ssdlite", "faster_rcnn_mobilenet", "unet_mobilenet"), "architectures to train and export"
    )
    longer: int = param(1, "times the steps that the tests train for", minimum=1)
    seconds: float = param(2.0, "time for each graph", minimum=0.1)


def _show(title: str, figures: list[Figure]) -> Result:
    table = Table(title=title)
    for column in ("what", "figure", "against", "ratio"):
        table.add_column(column)
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
        table.add_row(figure.name, f"{figure.value:.2f} {figure.unit}", figure.against, ratio)
    Console(stderr=True).print(table)
    return {"title": title, "machine": machine(), "figures": [figure.as_dict() for figure in figures]}


def _train(params: BenchParams) -> Result:
    figures = train.measure(
        params.architecture, params.classes, (params.width, params.height), params.batch, params.seconds
    )
    return _show(f"training {params.architecture} at {params.width}x{params.height}, batch {params.batch}", figures)


def _data(params: DataBenchParams) -> Result:
    figures = data.measure(
        Path(params.dataset) if params.dataset else None,
        (params.width, params.height),
        params.batch,
        params.seconds,
        params.workers,
        params.architecture if params.train else None,
    )
    return _show(f"data path at {params.width}x{params.height}, batch {params.batch}", figures)


def _infer(params: BenchParams) -> Result:
    figures = infer.measure(params.architecture, params.classes, (params.width, params.height), params.seconds)
    return _show(f"inference of {params.architecture} at {params.width}x{params.height}, 640x480 images", figures)


def _contention(params: BenchParams) -> Result:
    network = (params.width, params.height)
    figures = contention.measure(params.architecture, params.classes, network, params.batch, params.seconds)
    return _show(f"training {params.architecture} beside a camera", figures)


def _generate(params: GenerateBenchParams) -> Result:
    size = (params.width, params.height)
    figures = generate.measure(params.preset, *size, params.workers, params.seconds)
    figures += generate.profile(params.preset, *size)
    if params.memory_images:
        figures += generate.memory(params.preset, params.memory_images)
    return _show(f"generating {params.preset} at {params.width}x{params.height}", figures)


def _precisions(params: PrecisionBenchParams) -> Result:
    rows = list(precisions.measure(params.architectures, params.longer, params.seconds))
    print(precisions.markdown(rows), file=sys.stderr)
    return {"rows": [asdict(row) for row in rows]}


COMMANDS = (
    Command(
        "generate",
        "Pictures per second of the generator against bare rendering, where the time goes, and memory.",
        GenerateBenchParams,
        _generate,
    ),
    Command(
        "train",
        "Images per second of training: bare steps, with the data path, and the data path alone.",
        BenchParams,
        _train,
    ),
    Command(
        "data",
        "Images per second of the data path alone on all cores; with --train against the whole training loop.",
        DataBenchParams,
        _data,
    ),
    Command(
        "infer",
        "Milliseconds per image: the bare ONNX Runtime session and the predictor around it.",
        BenchParams,
        _infer,
    ),
    Command(
        "precisions",
        "Accuracy on toy shapes, size, TensorRT build and time of every architecture in every precision.",
        PrecisionBenchParams,
        _precisions,
    ),
    Command("contention", "Images per second of training beside a camera process.", BenchParams, _contention),
)


def main() -> int:
    """Run the chosen benchmark; without a command, all of them."""
    if len(sys.argv) > 1:
        return cli.main("bench", "Benchmarks of perception_suite.", COMMANDS)
    return max(cli.main("bench", "Benchmarks of perception_suite.", COMMANDS, [command.name]) for command in COMMANDS)


if __name__ == "__main__":
    sys.exit(main())

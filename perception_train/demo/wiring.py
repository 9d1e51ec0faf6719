"""What each process of the whole loop is told: of `make demo`, and of loop.launch.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..data.appearance import HOME
from ..signing.signer import PRIVATE_SUFFIX
from .settings import Settings

#: Folders and files of a run, in its output directory.
MODELS, RUN, KEYS, STATE, LIVE = "models", "train", "keys", "state", "live.json"
_KEY = "trainer"


def dataset(settings: Settings, output: Path, split: str) -> Path:
    """Where the images of a split (``train``, ``val``) are; the name tells datasets of other settings apart."""
    size = f"{settings.image_width}x{settings.image_height}"
    images, seed = _images(settings, split)
    return output / "data" / f"{split}-{settings.world}-{images}-{size}-seed{seed}"


def generate(settings: Settings, output: Path, split: str) -> list[str]:
    """Words of the command that makes a split, or completes it; those after ``perception-sim``."""
    images, seed = _images(settings, split)
    words = ["generate", "--output", str(dataset(settings, output, split)), "--preset", settings.world]
    words += ["--images", str(images), "--seed", str(seed), "--workers", str(settings.workers)]
    return [*words, "--width", str(settings.image_width), "--height", str(settings.image_height), "--no-masks"]


def key(output: Path) -> Path:
    """Files of the run's keys, without their suffixes."""
    return output / KEYS / _KEY


def camera(settings: Settings) -> dict[str, Any]:
    """Parameters of sim_camera_node."""
    return {
        "preset": settings.world,
        "seed": settings.live_seed,
        "rate": settings.camera_hz,
        "width": settings.image_width,
        "height": settings.image_height,
    }


def infer(settings: Settings, output: Path) -> dict[str, Any]:
    """Parameters of infer_node: it takes what this run's trainer signed, as it should be on a robot."""
    return {
        # The trainer shares the machine.
        "threads": 1,
        "model_root": str(output / MODELS),
        "model": settings.model,
        "score_threshold": settings.score_threshold,
        "trust": str(output / KEYS),
        "state": str(output / STATE),
    }


def evaluate(settings: Settings, output: Path) -> dict[str, Any]:
    """Parameters of evaluate_node."""
    return {
        "output": str(output / LIVE),
        "write_period": settings.write_period,
        "window": settings.evaluation_window,
        "samples": settings.samples_per_version,
        "sample_period": settings.sample_period,
    }


def train(settings: Settings, output: Path) -> dict[str, Any]:
    """Parameters of train_node."""
    return {
        "dataset": str(dataset(settings, output, "train")),
        "validation": str(dataset(settings, output, "val")),
        "run_directory": str(output / RUN),
        "model_root": str(output / MODELS),
        "model": settings.model,
        "width": settings.network_width,
        "height": settings.network_height,
        "batch": settings.batch,
        "minutes": settings.train_minutes,
        "exports": settings.exports,
        "validations": settings.validations,
        "signing_key": f"{key(output)}{PRIVATE_SUFFIX}",
        **HOME,
    }


def _images(settings: Settings, split: str) -> tuple[int, int]:
    """How many images of a split, and their seed."""
    of_split = {"train": (settings.train_images, settings.train_seed), "val": (settings.val_images, settings.val_seed)}
    return of_split[split]

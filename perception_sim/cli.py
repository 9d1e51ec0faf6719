"""``perception-sim``: datasets from the synthetic world, and pictures of datasets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from perception_common.cli import Command
from perception_common.cli import main as run_commands

from .params import GenerateParams, ViewParams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    commands = (
        Command("generate", "make a dataset of labelled pictures", GenerateParams, _generate),
        Command("view", "draw a contact sheet of a dataset", ViewParams, _view),
    )
    return run_commands("perception-sim", "A synthetic world for training and testing detectors.", commands, argv)


def _generate(params: GenerateParams) -> dict[str, Any]:
    # Here, so that --help and a clear answer to missing libraries need no OpenGL.
    from .generate import generate

    try:
        summary = generate(params)
    except KeyboardInterrupt:
        print("perception-sim: start the same command again to continue where it stopped", file=sys.stderr)
        raise
    per_class = ", ".join(f"{name} {number}" for name, number in summary["per_class"].items())
    print(
        f"{summary['output']}: {summary['images']} images, {summary['annotations']} objects ({per_class}), "
        f"{summary['images_made']} made in {summary['seconds']:.1f} s ({summary['images_per_second']:.1f} images/s)",
        file=sys.stderr,
    )
    return summary


def _view(params: ViewParams) -> dict[str, Any]:
    from .sheet import view

    summary = view(params)
    print(f"{summary['output']}: {summary['pictures']} pictures", file=sys.stderr)
    return summary


if __name__ == "__main__":
    sys.exit(main())

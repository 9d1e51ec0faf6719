"""``perception-sim``: datasets from the synthetic world, and pictures of datasets."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from perception_common.cli import Command
from perception_common.cli import main as run_commands

from .params import AddObjectParams, GenerateParams, MergeParams, ViewParams


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    return run_commands("perception-sim", "A synthetic world for training and testing detectors.", COMMANDS, argv)


def _generate(params: GenerateParams) -> dict[str, Any]:
    # Here, so that --help and a clear answer to missing libraries need no OpenGL.
    from .generation.generate import generate

    try:
        summary = generate(params)
    except KeyboardInterrupt:
        print("perception-sim: start the same command again to continue where it stopped", file=sys.stderr)
        raise
    figures = (
        f"{summary['images_made']} made in {summary['seconds']:.1f} s ({summary['images_per_second']:.1f} images/s)"
    )
    print(f"{summary['output']}: {_content(summary)}, {figures}", file=sys.stderr)
    return summary


def _merge(params: MergeParams) -> dict[str, Any]:
    from .generation.merge import merge

    summary = merge(params)
    print(f"{summary['output']}: {_content(summary)}", file=sys.stderr)
    return summary


def _add_object(params: AddObjectParams) -> dict[str, Any]:
    from .objects.add import add_object

    return add_object(params, lambda line: print(line, file=sys.stderr))


def _content(summary: dict[str, Any]) -> str:
    """What a dataset holds, or what it still waits for, in words."""
    if not summary.get("complete", True):
        return f"shard {summary['shard']} of {summary['shards']} is complete, {_waiting(summary['waiting_for'])}"
    per_class = ", ".join(f"{name} {number}" for name, number in summary["per_class"].items())
    return f"{summary['images']} images, {summary['annotations']} objects ({per_class})"


def _waiting(shards: list[int]) -> str:
    shown = ", ".join(map(str, shards[:8])) + (" …" if len(shards) > 8 else "")
    return f"{len(shards)} not yet in this directory ({shown})"


def _view(params: ViewParams) -> dict[str, Any]:
    from .view.command import view

    summary = view(params)
    findings = [finding for one in summary.get("datasets", ()) for finding in one["findings"]]
    told = f", warnings: {len(findings)}" if findings else ""
    print(f"{summary['output']}: {summary['pictures']} pictures{told}", file=sys.stderr)
    return summary


COMMANDS = (
    Command("generate", "make a dataset of labelled pictures", GenerateParams, _generate),
    Command("merge", "join shards that were made in directories of their own", MergeParams, _merge),
    Command("add-object", "make a class of your own from a mesh", AddObjectParams, _add_object),
    Command("view", "a contact sheet and a page of statistics of a dataset, or of two compared", ViewParams, _view),
)


if __name__ == "__main__":
    sys.exit(main())

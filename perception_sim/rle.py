"""COCO's run-length encoding of masks (what pycocotools reads and writes), for data that nobody has checked yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

#: Bits of a run that were read when more are said to follow: no picture has runs that long.
_LONGEST_SHIFT = 60


def encode(mask: np.ndarray) -> dict[str, Any]:
    """``{"size": [H, W], "counts": str}`` of a bool mask [H, W]: runs in column order, zeros first."""
    height, width = mask.shape
    columns = np.flatnonzero(mask.any(0))
    first, last = (columns[0], columns[-1] + 1) if columns.size else (0, 0)
    flat = np.concatenate([[False], mask[:, first:last].ravel(order="F"), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + first * height
    runs = np.diff(np.r_[0, edges, mask.size]).tolist()
    if len(edges) % 2 == 0 and runs[-1] == 0:
        runs.pop()
    return {"size": [height, width], "counts": _to_text(runs)}


def decode(encoded: Mapping[str, Any]) -> np.ndarray:
    """The bool mask [H, W] of COCO's ``size`` and ``counts``, which are text as `encode` makes it or a list of runs.

    Raises:
        ValueError: the runs cannot be read, or do not add up to the mask's pixels.

    """
    height, width = encoded["size"]
    counts, pixels = encoded["counts"], height * width
    runs = _from_text(counts, pixels) if isinstance(counts, str) else counts
    if not isinstance(runs, list) or not all(type(run) is int and 0 <= run <= pixels for run in runs):
        raise ValueError("a mask needs runs of 0 pixels or more, within its size")
    # Checked first: a broken run could ask for more memory than there is.
    if sum(runs) != pixels:
        raise ValueError(f"runs of {sum(runs)} pixels for a mask of {height} x {width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, np.asarray(runs, np.int64)).reshape((height, width), order="F")


def _to_text(runs: list[int]) -> str:
    """Runs as text: each is written as its difference to the one two before, five bits a character."""
    text = []
    for index, run in enumerate(runs):
        value = run - runs[index - 2] if index > 2 else run
        while True:
            bits = value & 0x1F
            value >>= 5
            more = value != (-1 if bits & 0x10 else 0)
            text.append(chr((bits | 0x20 if more else bits) + 48))
            if not more:
                break
    return "".join(text)


def _from_text(text: str, pixels: int) -> list[int]:
    """Runs from text; each is told less the one two before it, from the fourth on."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > _LONGEST_SHIFT or len(runs) > pixels + 1:
            raise ValueError("no runs of pixels can be read from the text")
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("the text of the runs of pixels breaks off")
    return runs

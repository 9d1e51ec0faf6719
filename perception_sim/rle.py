"""COCO's compressed run-length encoding of masks (what pycocotools reads and writes)."""

from __future__ import annotations

from typing import Any

import numpy as np


def encode(mask: np.ndarray) -> dict[str, Any]:
    """``{"size": [H, W], "counts": str}`` of a bool mask [H, W]: runs in column order, zeros first."""
    height, width = mask.shape
    flat = np.concatenate([[False], mask.ravel(order="F"), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.r_[0, edges, mask.size]).tolist()
    if len(edges) % 2 == 0 and runs[-1] == 0:
        runs.pop()
    return {"size": [height, width], "counts": _to_text(runs)}


def decode(encoded: dict[str, Any]) -> np.ndarray:
    """The bool mask [H, W] of what `encode` made.

    Raises:
        ValueError: the runs do not add up to the mask's pixels.

    """
    height, width = encoded["size"]
    runs = _from_text(encoded["counts"])
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError(f"runs of {sum(runs)} pixels for a mask of {height} x {width}")
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape((height, width), order="F")


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


def _from_text(text: str) -> list[int]:
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        value |= (bits & 0x1F) << shift
        shift += 5
        if bits & 0x20:
            continue
        if bits & 0x10:
            value -= 1 << shift
        runs.append(value + runs[-2] if len(runs) > 2 else value)
        value = shift = 0
    return runs

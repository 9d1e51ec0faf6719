"""Damage to datasets, from a seed: what happens to files on their way, and what only malice does."""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

_ODD: tuple[Any, ...] = (
    None, True, False, -1, 0, 3.5, 1e308, -1e308, 10**400, -(10**30), float("nan"), float("inf"), float("-inf"),
    "", " ", "0", "nan", "\x00", "\ud800", "../../../etc/hostname", "/dev/null", "a" * 5000, "[red]", "é", [], {}, [[]],
    [[[]]], {"class": []}, {"": ""}, [None] * 4, [1e300] * 4, [-5, -5, -5, -5],
)  # fmt: skip
_TOKENS = (
    "",
    "nan",
    "inf",
    "-1",
    "1e400",
    "0x10",
    "9" * 400,
    "-",
    "\x00",
    "é",
    "{",
    "}",
    "'",
    '"',
    "<",
    "&",
    "%",
    "\n",
    " ",
)


def damage(root: Path, rng: np.random.Generator) -> str:
    """Damage one to three files below ``root``; says how."""
    told = []
    for _ in range(int(rng.integers(1, 4))):
        files = sorted(path for path in root.rglob("*") if path.is_file())
        if not files:
            break
        texts = [path for path in files if path.suffix.lower() not in (".png", ".jpg")]
        pool = texts if texts and rng.random() < 0.85 else files
        path = pool[int(rng.integers(len(pool)))]
        kinds = [truncate, empty, junk, flip, remove, make_folder]
        if path.suffix == ".json":
            kinds += [odd_json] * 12 + [deep_json]
        elif path.suffix == ".npy":
            kinds += [odd_table] * 6
        elif path.suffix.lower() not in (".png", ".jpg"):
            kinds += [odd_token] * 10 + [deep_text]
        kind = kinds[int(rng.integers(len(kinds)))]
        kind(path, rng)
        told.append(f"{kind.__name__}({path.relative_to(root)})")
    return ", ".join(told)


def truncate(path: Path, rng: np.random.Generator) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(rng.integers(len(content) + 1))])


def empty(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(b"")


def junk(path: Path, rng: np.random.Generator) -> None:
    path.write_bytes(rng.bytes(int(rng.integers(1, 3000))))


def flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(int(rng.integers(1, 12))):
        if content:
            content[int(rng.integers(len(content)))] = int(rng.integers(256))
    path.write_bytes(content)


def remove(path: Path, rng: np.random.Generator) -> None:
    path.unlink()


def make_folder(path: Path, rng: np.random.Generator) -> None:
    path.unlink()
    path.mkdir()


def odd_json(path: Path, rng: np.random.Generator) -> None:
    """Replace, remove or repeat a random node."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return  # damaged before
    for _ in range(int(rng.integers(1, 4))):
        holder, key, node = None, None, content
        while isinstance(node, (dict, list)) and node and (holder is None or rng.random() < 0.85):
            key = (list(node) if isinstance(node, dict) else range(len(node)))[int(rng.integers(len(node)))]
            holder, node = node, node[key]
        value = copy.deepcopy(_ODD[int(rng.integers(len(_ODD)))])
        if holder is None:
            content = value
        elif rng.random() < 0.2:
            del holder[key]
        elif isinstance(holder, list) and rng.random() < 0.2:
            holder.append(copy.deepcopy(node))
        else:
            holder[key] = value
    path.write_text(json.dumps(content))


def deep_json(path: Path, rng: np.random.Generator) -> None:
    opening = ("[", '{"images":', '{"a":')[int(rng.integers(3))]
    path.write_text(opening * 100_000)


def odd_token(path: Path, rng: np.random.Generator) -> None:
    """Replace a word, or a piece of one, in a text file."""
    text = path.read_bytes().decode("utf-8", "replace")
    start = int(rng.integers(len(text) + 1))
    end = min(len(text), start + int(rng.integers(0, 8)))
    token = _TOKENS[int(rng.integers(len(_TOKENS)))]
    path.write_bytes((text[:start] + token + text[end:]).encode("utf-8", "replace"))


def deep_text(path: Path, rng: np.random.Generator) -> None:
    piece = {".xml": "<annotation>", ".yaml": "[", ".txt": "0 "}.get(path.suffix, "{'a': ")
    path.write_text(piece * 50_000)


def odd_table(path: Path, rng: np.random.Generator) -> None:
    """A table of other columns, types, shapes or values than BasicWriter's."""
    columns = ["semanticId", "x_min", "y_min", "x_max", "y_max", "occlusionRatio"]
    kinds = ["<u4", "<i4", "<f4", "<f8", "<i8", "S5", "<U3", "?", "<c8", "<M8[s]", "<i4,<i4", "<f2", ">i4", "V7"]
    if rng.random() < 0.2:
        np.save(path, rng.integers(-5, 70, tuple(rng.integers(0, 6, int(rng.integers(0, 4))))))
        return
    if rng.random() < 0.1:
        np.save(path, np.array([{"a": 1}, None], object), allow_pickle=True)
        return
    chosen = [kinds[int(rng.integers(len(kinds)))] if rng.random() < 0.15 else "<f8" for _ in columns]
    keep = [rng.random() > 0.05 for _ in columns]
    dtype = [(name, kind) for name, kind, kept in zip(columns, chosen, keep, strict=True) if kept]
    table = np.zeros(int(rng.integers(0, 5)), dtype)
    for name in table.dtype.names or ():
        if table.dtype[name].kind == "f":
            with np.errstate(all="ignore"):
                table[name] = rng.choice([0, 1, 5.5, 40, 70, -3, np.nan, np.inf, 1e300, -1], len(table))
    np.save(path, table)


def copied(source: Path, target: Path) -> Path:
    """A fresh copy to damage."""
    shutil.copytree(source, target)
    return target

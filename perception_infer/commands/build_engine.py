"""`perception-infer build-engine`: TensorRT's engines ahead of time, so that no robot waits for them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from perception_common.errors import CheckFailed, UserError
from perception_common.params import param

from ..backends.select import AUTO, GRAPHS, choose_variant
from ..backends.tensorrt import MODULES, load_module
from ..engines.key import this_device
from ..engines.source import Engines
from ..models import Bundle, bundle_directories, open_bundle
from ..running import EngineParams, say

_COLUMNS = (("model", 24), ("version", 8), ("precision", 10), ("backend", 14), ("result", 8), ("MB", 8), ("seconds", 8))


@dataclass(frozen=True)
class BuildEngineParams(EngineParams):
    """Parameters of `perception-infer build-engine`."""

    path: str = param("", "a bundle directory, or a repository of them")
    backend: str = param(AUTO, "what the engines are for; auto: all that are installed", choices=(AUTO, *MODULES))
    precision: str = param(
        AUTO, "which of a bundle's graphs is built; auto: the one that a node would run", choices=GRAPHS
    )
    rebuild: bool = param(False, "build also what is there already")


def build_engine(params: BuildEngineParams) -> dict[str, Any]:
    """Build the engine of each bundle; a table on stdout, what happens on stderr.

    Raises:
        UserError: there is no bundle, or no TensorRT.
        CheckFailed: at least one engine could not be built.
    """
    if not params.path:
        raise UserError("no bundle is given", fix="--path DIRECTORY")
    bundles = [open_bundle(directory) for directory in bundle_directories(Path(params.path))]
    engines, backends = params.engines(say), _installed(params.backend)
    say(f"engines for {this_device().title} in {engines.root}")
    print(_line([name for name, _ in _COLUMNS]))
    rows = []
    for bundle in bundles:
        for backend in backends:
            row = _build(engines, bundle, backend, params)
            rows.append(row)
            print(_line([row.get(name, "-") for name, _ in _COLUMNS]), flush=True)
    bad = [row for row in rows if row["error"]]
    result = {
        "device": msgspec.to_builtins(this_device()),
        "cache": str(engines.root),
        "engines": rows,
        "failed": len(bad),
    }
    if bad:
        raise CheckFailed(f"{len(bad)} of {len(rows)} engines were not built: {bad[0]['error']}", result)
    return result


def _installed(wanted: str) -> list[str]:
    reasons, found = [], []
    for name in MODULES if wanted == AUTO else (wanted,):
        try:
            load_module(name)
            found.append(name)
        except ImportError as error:
            reasons.append(f"{name} is not installed ({error})")
    if not found:
        raise UserError(
            "; ".join(reasons), fix="pip install tensorrt-rtx-cu13; on a Jetson, apt install python3-libnvinfer"
        )
    return found


def _build(engines: Engines, bundle: Bundle, backend: str, params: BuildEngineParams) -> dict[str, Any]:
    manifest = bundle.manifest
    row: dict[str, Any] = {"model": manifest.name, "version": manifest.version, "backend": backend, "error": ""}
    began = time.perf_counter()
    try:
        variant = choose_variant(manifest, backend, params.precision)
        row["precision"] = variant.precision
        if params.rebuild:
            engines.remove(backend, bundle, variant)
        before = engines.builds
        engine = engines.get(backend, bundle, variant)
        row |= {"result": "built" if engines.builds > before else "cached", "MB": round(len(engine) / 1e6, 1)}
        row["key"] = engines.key(backend, bundle, variant).digest
    except UserError as error:
        row |= {"result": "failed", "error": str(error)}
    return row | {"seconds": round(time.perf_counter() - began, 2)}


def _line(values: list[Any]) -> str:
    return " ".join(str(value).ljust(width) for value, (_, width) in zip(values, _COLUMNS, strict=True)).rstrip()

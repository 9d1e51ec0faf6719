"""`perception-infer verify` says whether a robot would accept bundles, and if not, why."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from perception_common.errors import CheckFailed, UserError
from perception_common.params import param

from ..loading import load_proven
from ..models import bundle_directories, open_bundle
from ..running import RunningParams, say
from ..trust import Trust
from ..trust_params import TrustParams

_COLUMNS = (
    "model",
    "version",
    "result",
    "backend",
    "objects",
    "worst_iou",
    "worst_score_error",
    "seconds",
    "signed_by",
)


@dataclass(frozen=True)
class VerifyParams(TrustParams, RunningParams):
    """Parameters of `perception-infer verify`."""

    path: str = param("", "a bundle directory, or a repository of them")
    require_signature: bool = param(False, "refuse bundles that no trusted key signed, as a robot does by default")
    parity: bool = param(True, "load each bundle and prove that it answers as its trainer's model did")


def verify(params: VerifyParams) -> dict[str, Any]:
    """Check hashes, schema, tensors and parity of each bundle; a table on stdout.

    Raises:
        UserError: there is no bundle to check.
        CheckFailed: at least one is not acceptable.
    """
    if not params.path:
        raise UserError("nothing to verify", fix="--path DIRECTORY")
    trust, directories = params.trusted(), bundle_directories(Path(params.path))
    print(_line({column: column for column in _COLUMNS}))
    rows = []
    for directory in directories:
        row = check_bundle(directory, params, trust)
        rows.append(row)
        print(_line(row), flush=True)
        if row["error"]:
            print(f"    {row['error']}", flush=True)
    bad = [row for row in rows if row["error"]]
    result = {"bundles": rows, "checked": len(rows), "failed": len(bad)}
    if bad:
        raise CheckFailed(f"{len(bad)} of {len(rows)} bundles would be refused", result, where=params.path)
    return result


def check_bundle(directory: Path, params: VerifyParams, trust: Trust) -> dict[str, Any]:
    """One row of the result; ``error`` is empty when a robot would accept the bundle."""
    absolute = directory.absolute()
    row: dict[str, Any] = {"path": str(absolute), "model": absolute.parent.name, "version": absolute.name, "error": ""}
    began = time.perf_counter()
    try:
        bundle = open_bundle(directory, trust)
        row |= {"signed_by": bundle.signer, "classes": list(bundle.manifest.classes), "task": bundle.manifest.task}
        if params.parity:
            predictor, parity, _ = load_proven(bundle, params.wish(say))
            with predictor:
                row["backend"] = f"{predictor.backend.name}/{predictor.backend.precision}"
            row |= {"objects": parity.objects, "worst_iou": parity.min_iou, "worst_score_error": parity.max_score_error}
    except UserError as error:
        row["error"] = str(error)
    return row | {"result": "refused" if row["error"] else "ok", "seconds": round(time.perf_counter() - began, 3)}


def _line(row: dict[str, Any]) -> str:
    def text(value: Any) -> str:
        return f"{value:.4f}" if isinstance(value, float) else str(value) or "-"

    widths = (24, 8, 8, 20, 8, 10, 18, 8, 0)
    return " ".join(
        text(row.get(column, "-")).ljust(width) for column, width in zip(_COLUMNS, widths, strict=True)
    ).rstrip()

"""report.html: one file without references to anything outside of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perception_common import durable

from ..watch import LiveFiles
from .page import build_page


def write_report(output: Path, summary: dict[str, Any], files: LiveFiles) -> Path:
    """Write ``output/report.html`` from a run's summary and files."""
    path = output / "report.html"
    page = build_page(summary, files.evaluation.read(), files.steps.read(), files.validations.read())
    durable.write_text(path, page)
    return path

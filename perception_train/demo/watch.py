"""What the running processes have written so far: read from their files, never by talking to them."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

#: A line of a table: number by column, None where the field is empty.
Row = dict[str, Any]


class JsonFile:
    """A JSON file that somebody replaces atomically now and then; read again only when it changed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, int] | None = None
        self._content: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The content; empty while there is no file."""
        try:
            status = self.path.stat()
            mark = (status.st_mtime_ns, status.st_ino)
            if mark != self._seen:
                self._content = json.loads(self.path.read_text())
                self._seen = mark
        except FileNotFoundError:
            return {}
        return self._content


class CsvFile:
    """A table with a header line that grows at its end; only what is new is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[Row] = []
        self._offset = 0
        self._header: list[str] = []

    def read(self) -> list[Row]:
        """All rows so far, numbers by column; an empty field is None. A line still being written waits."""
        if not self.path.is_file():
            return self.rows
        with self.path.open("rb") as file:
            if file.seek(0, 2) < self._offset:  # a new run replaced the file
                self._offset, self._header, self.rows = 0, [], []
            file.seek(self._offset)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for fields in csv.reader(whole.decode().splitlines()):
            if not self._header:
                self._header = fields
            else:
                self.rows.append({name: _number(field) for name, field in zip(self._header, fields, strict=False)})
        return self.rows


def _number(field: str) -> float | None:
    return float(field) if field.strip() else None


class LiveFiles:
    """The files of a running demo: the trainer's curves and summary, and the evaluator's results."""

    def __init__(self, train: Path, live: Path) -> None:
        self.steps = CsvFile(train / "train.csv")
        self.validations = CsvFile(train / "validation.csv")
        self.train_summary = JsonFile(train / "summary.json")
        self.evaluation = JsonFile(live)

    def diagnostics(self, node: str) -> dict[str, str]:
        """The newest values of a node on /diagnostics."""
        reports = self.evaluation.read().get("diagnostics", {})
        return next((report["values"] for name, report in reports.items() if name.rsplit("/", 1)[-1] == node), {})

    def version(self) -> dict[str, Any]:
        """What is known of the version that serves now."""
        live = self.evaluation.read()
        serving = live.get("serving_version")
        return next((entry for entry in live.get("versions", ()) if entry["version"] == serving), {})

    def output_rate(self, seconds: float = 5.0) -> float | None:
        """Detections messages per second over the newest ``seconds`` the evaluator wrote."""
        times = self.evaluation.read().get("outputs", {}).get("at_s", [])
        recent = [at for at in times if at >= times[-1] - seconds] if times else []
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 else None

    def outputs_since(self, unix_s: float) -> int:
        """How many detections messages arrived after a moment of system time."""
        live = self.evaluation.read()
        times = live.get("outputs", {}).get("at_s", [])
        since = unix_s - live.get("start_unix_s", 0.0)
        return sum(at >= since for at in times)

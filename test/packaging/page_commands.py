"""The commands of the documentation, as a reader would type them: blocks of a page, and terminals that run them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^(?P<indent> *)```(?P<language>\w+)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_MARK = re.compile(
    r"# (?P<kind>needs|takes|file|end of): (?P<what>.+)|# in (?:a second|a third|a fourth|three) terminals?"
)
#: Run by other tests.
ELSEWHERE = ("make setup", "make demo", "make test", "make docker-check")
_PATIENCE = 600.0


@dataclass(frozen=True)
class Block:
    """A block of a page: ``mark`` is what its first line is, such as ``needs``, and ``told`` what it says, or empty."""

    language: str
    mark: str
    told: str
    text: str

    @property
    def runs(self) -> bool:
        """Whether it is done by a reader who has no more than a computer: a command, or a file to write."""
        return self.mark in ("file", "end of") or (self.language == "bash" and self.mark != "needs")


def pages() -> dict[str, Path]:
    """README and every page below docs, by their paths without ending, ``tutorials/jetson``."""
    docs = ROOT / "docs"
    found = {page.relative_to(docs).with_suffix("").as_posix(): page for page in sorted(docs.rglob("*.md"))}
    return {"README": ROOT / "README.md"} | found


def blocks(page: Path) -> list[Block]:
    """The blocks of a page, in order."""
    found = []
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        first, _, rest = match["text"].partition("\n")
        mark = _MARK.fullmatch(first.strip())
        kind = "" if mark is None else mark["kind"] or "terminal"
        found.append(Block(match["language"], kind, (mark and mark["what"]) or "", match["text"] if not kind else rest))
    return found


class Terminals:
    """Shells in a folder. What runs in further terminals is interrupted at the end, and has to end cleanly.

    Args:
        folder: where commands are run.
        quicker: patterns and what takes their place: fewer pictures, fewer steps.
    """

    def __init__(self, folder: Path, quicker: Sequence[tuple[str, str]]) -> None:
        self._folder, self._quicker = folder, quicker
        # The folder may have a copy of the packages; else those of this checkout are meant, whatever is installed.
        sources = (str(folder), str(ROOT), os.environ.get("PYTHONPATH", ""))
        self._environment = os.environ | {
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])),
            "PYTHONPATH": os.pathsep.join(filter(None, sources)),
            "ROS_LOG_DIR": str(folder / "ros"),
            "XDG_STATE_HOME": str(folder / "state"),
        }
        self._further: list[tuple[str, subprocess.Popen[bytes], Path]] = []

    def quick(self, text: str) -> str:
        """The commands with less to do."""
        for pattern, less in self._quicker:
            text = re.sub(pattern, less, text)
        return text

    def run(self, text: str) -> None:
        """Run commands to their end; each has to succeed."""
        kept = "\n".join(line for line in text.splitlines() if line.partition(" #")[0].strip() not in ELSEWHERE)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.quick(kept)],
            cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=_PATIENCE,
        )  # fmt: skip
        told = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{self.quick(kept)}\n{told}\n{self.logs()}"
        self._still_running()

    def start(self, text: str) -> None:
        """Run commands in terminals of their own, and wait until each has said something."""
        for line in text.splitlines():
            log = self._folder / f"terminal_{len(self._further)}.log"
            with log.open("wb") as output:
                process = subprocess.Popen(
                    ["bash", "-c", f"exec {self.quick(line).strip()}"],
                    cwd=self._folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=output,
                    stderr=subprocess.STDOUT, start_new_session=True,
                )  # fmt: skip
            self._further.append((line, process, log))
        end = time.monotonic() + _PATIENCE
        while not all(log.stat().st_size for _, _, log in self._further) and time.monotonic() < end:
            self._still_running()

    def end(self) -> None:
        """Ctrl-C in every further terminal."""
        self._still_running()
        for text, process, log in self._further:
            os.killpg(process.pid, signal.SIGINT)
            status = process.wait(_PATIENCE)
            assert status in (0, 130), f"{text}\nended with {status}\n{log.read_text(errors='replace')}"

    def kill(self) -> None:
        """Leave nothing behind, whatever happened."""
        for _, process, _ in self._further:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def logs(self) -> str:
        """What the further terminals have said."""
        return "\n".join(f"--- {text}\n{log.read_text(errors='replace')}" for text, _, log in self._further)

    def _still_running(self) -> None:
        time.sleep(0.1)
        ended = [text for text, process, _ in self._further if process.poll() is not None]
        assert ended == [], self.logs()

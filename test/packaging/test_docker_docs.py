"""The pages on Jetson and containers: what they name is there, and every command is run or needs what is not here."""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from perception_common.params import specs
from perception_infer.ros.infer_params import InferParams

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "docs" / "jetson.md", ROOT / "docs" / "containers.md"]
OURS = re.compile(r"\b(?:docker|requirements|config)/[\w./-]*\w")
SUITE = re.compile(r"\b(perception-(?:sim|train|infer)) ([a-z].+)$", re.MULTILINE)
#: What can be run anywhere, and by which test it is.
RUN = {"make docker-check": "test_docker_check.py, the part without a network"}


def shown() -> list[str]:
    """The pages' blocks of commands."""
    return [
        text
        for page in PAGES
        for text in re.findall(r"^```bash\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ]


def test_every_command_is_run_or_needs_what_is_not_here() -> None:
    found = shown()
    assert len(found) > 8
    left = [line for text in found if not text.startswith("# needs: ") for line in text.splitlines()]
    assert set(left) == set(RUN)


def test_files_of_ours_are_there() -> None:
    text = "\n".join(page.read_text() for page in PAGES)
    named = {name for name in OURS.findall(text) if not name.startswith("docker/check")}
    assert len(named) > 8
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_settings_of_the_compose_files_are_told() -> None:
    text = (ROOT / "docs" / "containers.md").read_text()
    for path in sorted((ROOT / "docker").glob("compose.*.yaml")):
        for name, default in re.findall(r"\$\{(\w+)(:[-?])?", path.read_text()):
            if default and name not in ("DATA", "RESTART", "REGISTRY"):
                assert f"`{name}`" in text or f"{name}=" in text, f"{path.name}: {name}"


@pytest.mark.parametrize(("program", "words"), sorted({m.groups() for text in shown() for m in SUITE.finditer(text)}))
def test_flags_of_commands_exist(program: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    main = importlib.import_module(program.replace("-", "_") + ".cli").main
    assert main([*shlex.split(words), "--print-config"]) == 0, capsys.readouterr().err


def test_parameters_that_are_named_exist() -> None:
    known = set(specs(InferParams))
    for page in PAGES:
        for name in re.findall(r"-p (\w+):=", page.read_text()):
            assert name in known
    memory = (ROOT / "docs" / "jetson.md").read_text().partition("## 8 GB of memory")[2].partition("\n## ")[0]
    table = [line for line in memory.splitlines() if line.startswith("| ")][2:]
    named = {name for line in table for name in re.findall(r"`([a-z]+_[a-z_]+)(?:: \w+)?`", line)}
    assert len(named) > 4
    assert named <= known

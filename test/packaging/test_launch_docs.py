"""`ros2 launch` in the documentation names files and arguments that exist."""

from __future__ import annotations

import ast
import re
import shlex
from pathlib import Path

import pytest

from perception_common.launching import arguments

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"ros2 launch perception_suite (\w+)\.launch\.py((?:(?: | \\\n +)\w+:=(?:\"[^\"]*\"|[^\s`]+))*)")
NAMED = re.compile(r"\b(\w+)\.launch\.py\b")


def commands() -> list[tuple[str, str]]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    texts += [path.read_text(encoding="utf-8") for path in sorted((ROOT / "launch").glob("*.launch.py"))]
    found = {match.groups() for text in texts for match in COMMAND.finditer(text)}
    return sorted((file, " ".join(words.replace("\\\n", " ").split())) for file, words in found)


def declared(file: str) -> set[str]:
    """Arguments that a launch file may declare, read from its text: launch itself is not needed."""
    tree = ast.parse((ROOT / "launch" / f"{file}.launch.py").read_text(encoding="utf-8"))
    tables = {
        target.id: [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    names = {name for table, keys in tables.items() if table != "NODES" for name in keys}
    roles = dict.fromkeys(tables.get("NODES", []), "") or {"infer": ""}
    return (
        names
        | set(arguments.SHARED)
        | set(arguments.OF_SEVERAL)
        | set(arguments.OF_EACH)
        | set(arguments.of_each(roles))
    )


def test_there_are_some() -> None:
    assert {file for file, _ in commands()} >= {"infer", "sim", "loop", "replay", "robot", "isaac"}


@pytest.mark.parametrize(("file", "words"), commands())
def test_documented_arguments_exist(file: str, words: str) -> None:
    names = [word.partition(":=")[0] for word in shlex.split(words)]
    assert set(names) <= declared(file)


def test_documented_files_exist() -> None:
    for page in PAGES:
        for name in NAMED.findall(page.read_text(encoding="utf-8")):
            ours = (ROOT / "launch" / f"{name}.launch.py").exists()
            assert ours or name.startswith("isaac_ros_"), f"{page.name}: {name}.launch.py"


def test_the_page_describes_every_file_and_shared_argument() -> None:
    text = (ROOT / "docs" / "launch.md").read_text(encoding="utf-8")
    for path in (ROOT / "launch").glob("*.launch.py"):
        assert f"`{path.name}`" in text
    missing = [
        name for name in [*arguments.SHARED, *arguments.OF_EACH, *arguments.OF_SEVERAL] if f"`{name}" not in text
    ]
    assert missing == []

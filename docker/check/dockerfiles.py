"""A Dockerfile, read: stages, instructions, and what their arguments stand for."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True)
class Instruction:
    """One instruction: ``line`` is where it begins, ``text`` what follows its name, without line ends."""

    name: str
    text: str
    line: int

    def words(self) -> list[str]:
        """Its words without flags, as a shell would split them."""
        return [word for word in shlex.split(self.text) if not word.startswith("--")]

    def flag(self, name: str) -> str:
        """The value of ``--name=value``, or nothing."""
        found = re.search(rf"(?:^|\s)--{name}=(\S+)", self.text)
        return found[1] if found else ""


@dataclass
class Stage:
    """What begins with FROM: its name, the stage or else the image that it is from, and its instructions."""

    name: str
    parent: str
    image: str
    line: int
    instructions: list[Instruction] = field(default_factory=list)


@dataclass
class Dockerfile:
    """All stages by name, in order, and the arguments before them (name → default, None without one)."""

    path: Path
    arguments: dict[str, str | None]
    stages: dict[str, Stage]

    def all_of(self, stage: str) -> list[Instruction]:
        """The instructions of a stage, after those of the stages that it is from."""
        one = self.stages[stage]
        inherited = self.all_of(one.parent) if one.parent else []
        return inherited + one.instructions

    def last(self, stage: str, name: str) -> Instruction | None:
        """The last instruction of a name that holds in a stage."""
        return next((one for one in reversed(self.all_of(stage)) if one.name == name), None)

    def needed_by(self, stage: str) -> list[str]:
        """The stages that are built for one, itself the last."""
        one, found = self.stages[stage], []
        for other in [one.parent, *(i.flag("from") for i in one.instructions if i.name == "COPY")]:
            if other in self.stages and other != stage:
                found += [name for name in self.needed_by(other) if name not in found]
        return [*found, stage]


def read(path: Path) -> Dockerfile:
    """Read a Dockerfile.

    Raises:
        ValueError: a line is not an instruction, or comes before the first FROM.
    """
    arguments: dict[str, str | None] = {}
    stages: dict[str, Stage] = {}
    for one in _instructions(path.read_text(encoding="utf-8")):
        if one.name == "FROM":
            words = one.words()
            name = words[2] if len(words) == 3 and words[1].upper() == "AS" else f"stage {len(stages)}"
            # A name that no stage before it has is an image's.
            parent, image = (words[0], "") if words[0] in stages else ("", words[0])
            current = stages[name] = Stage(name, parent, image, one.line)
        elif stages:
            current.instructions.append(one)
        elif one.name == "ARG":
            key, given, default = one.text.partition("=")
            arguments[key] = default if given else None
        else:
            raise ValueError(f"{path}:{one.line}: {one.name} before the first FROM")
    return Dockerfile(path, arguments, stages)


def _instructions(text: str) -> list[Instruction]:
    found, pending, begin = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not (line.strip() or pending):
            continue
        begin = begin or number
        pending += line
        if pending.endswith("\\"):
            pending = pending[:-1]
            continue
        name, _, rest = pending.strip().partition(" ")
        if not re.fullmatch(r"[A-Z]+", name):
            raise ValueError(f"line {begin}: {name!r} is not an instruction")
        found.append(Instruction(name, rest.strip(), begin))
        pending, begin = "", 0
    return found


def substitute(text: str, values: dict[str, str]) -> str:
    """``text`` with its ``${NAME}`` replaced; those that ``values`` does not have stay."""
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], match[0]), text)


def read_env(path: Path) -> dict[str, str]:
    """The values of an ``.env`` file."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)

"""What is copied: that it exists, and that .dockerignore lets it through, as Docker reads it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from dockerfiles import Dockerfile, substitute


class Ignore:
    """The patterns of a .dockerignore: the last one that matches a path, or a folder above it, decides."""

    def __init__(self, text: str) -> None:
        lines = [line.strip() for line in text.splitlines()]
        self._patterns = [
            (not line.startswith("!"), re.compile(_translate(line.lstrip("!").strip("/"))))
            for line in lines
            if line and not line.startswith("#")
        ]

    def leaves_out(self, path: str) -> bool:
        """Whether a file, by its path in the context, never reaches the builder."""
        ignored = False
        for ignores, pattern in self._patterns:
            if any(pattern.fullmatch(one) for one in _itself_and_above(path)):
                ignored = ignores
        return ignored


@cache
def _itself_and_above(path: str) -> tuple[str, ...]:
    """A path and the folders that it is in."""
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(len(parts), 0, -1))


def _translate(pattern: str) -> str:
    """A pattern as a regular expression: ``**`` is any number of folders, ``*`` and ``?`` stay within one."""
    out, place = "", 0
    while place < len(pattern):
        if pattern.startswith("**/", place):
            out, place = out + "(?:.*/)?", place + 3
        elif pattern.startswith("**", place):
            out, place = out + ".*", place + 2
        else:
            out += {"*": "[^/]*", "?": "[^/]"}.get(pattern[place], re.escape(pattern[place]))
            place += 1
    return out


def copied(file: Dockerfile, values: dict[str, str], stages: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Line and pattern of all that stages copy from the context."""
    for name in stages:
        for one in file.stages[name].instructions:
            if one.name == "COPY" and not one.flag("from"):
                yield from ((one.line, substitute(word, values)) for word in one.words()[:-1])


def files(root: Path, tracked: Iterable[str], ignore: Ignore, pattern: str) -> list[str]:
    """The tracked files that a source of COPY brings, as paths in the context."""
    wanted = re.compile(_translate(pattern.rstrip("/")))
    return [
        path
        for path in tracked
        if any(wanted.fullmatch(one) for one in _itself_and_above(path))
        and (root / path).is_file()
        and not ignore.leaves_out(path)
    ]


def complaints(
    root: Path, tracked: list[str], ignore: Ignore, file: Dockerfile, values: dict[str, str], target: str
) -> Iterator[str]:
    """What is copied and is not there, not in git, or kept back."""
    for line, pattern in copied(file, values, file.needed_by(target)):
        where = f"{file.path.name}:{line}"
        everything = Ignore("")
        all_of_it = files(root, tracked, everything, pattern)
        if not all_of_it:
            yield f"{where}: {pattern} is not in the checkout"
            continue
        kept_back = sorted(set(all_of_it) - set(files(root, tracked, ignore, pattern)))
        if kept_back:
            yield f"{where}: .dockerignore keeps {len(kept_back)} files of {pattern} back, such as {kept_back[0]}"

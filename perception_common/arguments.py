"""Words of a command line: a mistake is told in one line, with what was probably meant."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn

from .errors import nearest


class Parser(argparse.ArgumentParser):
    """argparse's own, whose errors are one line on stderr and status 2; usage is what ``--help`` is for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        # Of a command among several, its own parser knows the flags.
        self.set_defaults(parser=self)

    def error(self, message: str) -> NoReturn:
        """See the class."""
        self.exit(2, f"{self.prog}: {message}; `{self.prog} --help` tells what there is\n")

    def parse_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        """The namespace.

        Raises:
            SystemExit: status 2 for what nobody knows, 0 for ``--help`` and ``--version``.
        """
        found, strange = self.parse_known_args(args, namespace)
        parser: Parser = found.parser
        del found.parser
        if strange:
            parser.error(parser._unknown(strange[0]))
        return found

    def _unknown(self, word: str) -> str:
        flag = word.partition("=")[0]
        flags = [name for action in self._actions for name in action.option_strings]
        # All of them would be a page; that is what --help is for.
        near = nearest(flag, flags) if flag.startswith("-") else None
        return f"unknown argument '{flag}'" + (f": did you mean '{near}'?" if near else "")

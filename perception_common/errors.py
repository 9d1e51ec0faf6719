"""One kind of error for everything that a user can mend."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class UserError(Exception):
    """A mistake in the input, told in one line: what is wrong, where, and how to mend it.

    Commands print ``str(error)`` and exit with status 2; nodes log it and go on.
    """

    def __init__(self, what: str, *, where: object = None, fix: str | None = None) -> None:
        self.what = what
        self.where = None if where is None else str(where)
        self.fix = fix
        text = what if self.where is None else f"{what} [{self.where}]"
        super().__init__(" ".join((text if fix is None else f"{text}: {fix}").split()))


class CheckFailed(UserError):
    """A check was carried out and found something wrong; ``result`` is what ``--json`` still writes."""

    def __init__(self, what: str, result: dict[str, Any], *, where: object = None, fix: str | None = None) -> None:
        super().__init__(what, where=where, fix=fix)
        self.result = result


_MOST_SHOWN = 200


def shown(text: str) -> str:
    """What somebody else said, in a line or a log: short, and nothing that a terminal could take for something else."""
    return ascii(text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "…")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """``did you mean 'x'?`` for the nearest known name, else the list of known names."""
    names = sorted(known)
    near = nearest(name, names)
    return f"did you mean '{near}'?" if near else "known are: " + ", ".join(names)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was probably meant; None when none is near."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.6)), None)

"""Giving up long work on request."""

from __future__ import annotations


def never() -> bool:
    """For work that nobody gives up."""
    return False


class Cancelled(Exception):
    """Work was given up on request, between two of its steps."""


class Abandoned(BaseException):
    """The thread that sees this was left behind while a model kept it: nothing that it still holds is wanted.

    No `Exception`, so that what outlives failures of models does not outlive this.
    """

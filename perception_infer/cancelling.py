"""Giving up long work on request."""

from __future__ import annotations


def never() -> bool:
    """For work that nobody gives up."""
    return False


class Cancelled(Exception):
    """Work was given up on request, between two of its steps."""

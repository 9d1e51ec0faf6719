"""Giving up long work on request."""

from __future__ import annotations


class Cancelled(Exception):
    """Work was given up on request, between two of its steps."""

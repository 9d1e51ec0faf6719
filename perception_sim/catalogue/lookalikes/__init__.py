"""Hard look-alikes: things that share a colour or an outline with a class, and are none of it."""

from __future__ import annotations

from ..kinds import Kind
from . import fruit, rounds, street, tapered

LOOKALIKES: dict[str, Kind] = {**street.KINDS, **tapered.KINDS, **rounds.KINDS, **fruit.KINDS}
"""Every look-alike by name; `Kind.resembles` says of which classes."""

"""Hard look-alikes: things that share a colour or an outline with a class, and are none of it."""

from __future__ import annotations

from . import lookalikes_fruit as fruit
from . import lookalikes_round as rounds
from . import lookalikes_street as street
from . import lookalikes_tapered as tapered
from .kinds import Kind

LOOKALIKES: dict[str, Kind] = {**street.KINDS, **tapered.KINDS, **rounds.KINDS, **fruit.KINDS}
"""Every look-alike by name; `Kind.resembles` says of which classes."""

"""Objects of users: folders made by ``perception-sim add-object`` that are classes like those of the catalogue."""

from .library import digests, load

__all__ = ["digests", "load"]

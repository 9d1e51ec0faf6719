"""Bundles over http and https: from a server that the robot's owner named into model_root, whole or not at all.

`locations` says what may be asked, `transfer` asks, `quarantine` is where unfinished bundles lie, and `fetcher` puts
them together. Only the standard library is used.
"""

from .fetcher import Fetcher
from .locations import Location, is_remote
from .params import FetchParams

__all__ = ["FetchParams", "Fetcher", "Location", "is_remote"]

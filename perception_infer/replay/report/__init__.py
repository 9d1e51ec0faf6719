"""The page of a replay: one HTML file with its figures, every frame's boxes, and some of its pictures."""

from .choosing import choose_pictures
from .frames import FrameLine
from .page import build_report
from .payload import Picture

__all__ = ["FrameLine", "Picture", "build_report", "choose_pictures"]

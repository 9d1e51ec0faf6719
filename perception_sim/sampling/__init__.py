"""What a preset's distributions give when drawn from: scenes, views, sensor settings."""

from .optics import Optics, sample_optics, sample_sensor
from .scenes import sample_scene
from .stage import stage_colors
from .views import group, sample_view, standing_distance, view_score, viewing_distance

__all__ = [
    "Optics",
    "group",
    "sample_optics",
    "sample_scene",
    "sample_sensor",
    "sample_view",
    "stage_colors",
    "standing_distance",
    "view_score",
    "viewing_distance",
]

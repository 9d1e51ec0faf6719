"""What a camera's optics, sensor and image processor do to a clean picture; usable on any picture."""

from .exposure import expose
from .focus import focus
from .memory import give_back, keep_freed_memory
from .settings import SensorSettings

__all__ = ["SensorSettings", "expose", "focus", "give_back", "keep_freed_memory"]

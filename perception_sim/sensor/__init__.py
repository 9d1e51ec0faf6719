"""What a camera's optics, sensor and image processor do to a clean picture; usable on any picture."""

from .exposure import expose
from .focus import focus
from .settings import SensorSettings

__all__ = ["SensorSettings", "expose", "focus"]

"""What a camera and its inference beside the trainer cost."""

from __future__ import annotations

import subprocess
import sys

from . import step
from .figures import Figure

# Two fifths of a core, as a simulated camera with its inference takes: 50 ms of work, 75 ms of rest.
_CAMERA = """
import time
while True:
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass
    time.sleep(0.075)
"""


def measure(architecture: str, classes: int, network: tuple[int, int], batch: int, seconds: float) -> list[Figure]:
    """Images per second of niced training steps in bf16, alone and beside a camera."""
    words = [str(value) for value in (architecture, classes, *network, batch, seconds)]
    command = [sys.executable, "-m", step.__name__, *words]

    def trained() -> float:
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    alone = trained()
    camera = subprocess.Popen([sys.executable, "-c", _CAMERA])
    try:
        beside = trained()
    finally:
        camera.kill()
        camera.wait()
    return [Figure("alone", alone, "images/s"), Figure("beside a camera", beside, "images/s", "alone", beside / alone)]

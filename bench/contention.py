"""What a camera beside the trainer costs, and what OpenMP's spinning adds (see ``perception_train/__init__.py``)."""

from __future__ import annotations

import os
import subprocess
import sys

import perception_train

from .figures import Figure

# What libgomp spins when nothing is set (its manual, GOMP_SPINCOUNT).
LIBGOMP_SPINS = 300_000

# Two fifths of a core, as a simulated camera with its inference takes: 50 ms of work, 75 ms of rest.
_CAMERA = """
import time
while True:
    end = time.perf_counter() + 0.05
    while time.perf_counter() < end:
        pass
    time.sleep(0.075)
"""
_TRAINER = """
import os, sys
os.nice(10)
import torch
from bench.figures import median_seconds
from perception_train.models import build_model
from perception_train.models.losses import Targets
architecture, classes, width, height, batch, seconds = sys.argv[1], *map(float, sys.argv[2:])
width, height, batch = int(width), int(height), int(batch)
torch.manual_seed(0)
model = build_model(architecture, int(classes)).to(memory_format=torch.channels_last)
optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
images = torch.rand(batch, 3, height, width).to(memory_format=torch.channels_last)
corner = torch.rand(batch, 4, 2) * torch.tensor([width * 0.6, height * 0.6])
kinds = torch.zeros(batch, 4, dtype=torch.int64)
targets = Targets(torch.cat((corner, corner + 40), -1), kinds, torch.ones(batch, 4, dtype=torch.bool))
def step():
    with torch.autocast("cpu", torch.bfloat16):
        raw = model(images)
    loss = torch.stack(list(model.loss(raw, targets, height, width).values())).sum()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
print(batch / median_seconds(step, seconds))
"""


def measure(architecture: str, classes: int, network: tuple[int, int], batch: int, seconds: float) -> list[Figure]:
    """Images per second of niced training steps in bf16, alone and beside a camera."""
    words = [str(value) for value in (architecture, classes, *network, batch, seconds)]

    def trained(spin: int, beside: bool) -> float:
        environment = os.environ | {"GOMP_SPINCOUNT": str(spin)}
        camera = subprocess.Popen([sys.executable, "-c", _CAMERA]) if beside else None
        try:
            command = [sys.executable, "-c", _TRAINER, *words]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        finally:
            if camera is not None:
                camera.kill()
                camera.wait()
        return float(done.stdout)

    ours = perception_train.SPIN_COUNT
    alone = trained(ours, False)
    figures = [Figure("alone", alone, "images/s")]
    for name, spin in (("beside a camera", ours), ("beside a camera, libgomp's spin count", LIBGOMP_SPINS)):
        speed = trained(spin, True)
        figures.append(Figure(name, speed, "images/s", "alone", speed / alone))
    return figures

"""What a camera and its inference beside the trainer cost."""

from __future__ import annotations

import subprocess
import sys

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
_TRAINER = """
import os, sys, time
os.nice(10)
import torch
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
for _ in range(3):
    step()
# The mean, not the median: what a camera costs is a few very long steps.
start, steps = time.perf_counter(), 0
while time.perf_counter() < start + seconds:
    step()
    steps += 1
print(batch * steps / (time.perf_counter() - start))
"""


def measure(architecture: str, classes: int, network: tuple[int, int], batch: int, seconds: float) -> list[Figure]:
    """Images per second of niced training steps in bf16, alone and beside a camera."""
    words = [str(value) for value in (architecture, classes, *network, batch, seconds)]

    command = [sys.executable, "-c", _TRAINER, *words]

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

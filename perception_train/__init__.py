"""The trainer: datasets, models, training, export to model bundles, and the train node. Runs on the workstation."""

import os

# GNU OpenMP's threads spin too long at every barrier when another process (a camera, an inference node) takes a core
# away: training steps then take twice as long (docs/benchmarks/training.md). libgomp reads the variable when torch
# loads it, so it has to be set here; whoever sets it outside decides.
SPIN_COUNT = 10_000
os.environ.setdefault("GOMP_SPINCOUNT", str(SPIN_COUNT))

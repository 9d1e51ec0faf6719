"""The trainer: datasets, models, training, export to model bundles, and the train node. Runs on the workstation."""

import os

# GNU OpenMP's threads spin far too long at every barrier when another process (a camera, an inference node)
# takes a core away: a training step on two cores then took three times as long (docs/benchmarks). Read once,
# when torch loads, so it has to stand here.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

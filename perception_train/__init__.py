"""The trainer: datasets, models, training, export to model bundles, and the train node. Runs on the workstation."""

from __future__ import annotations

import perception_common as perception_common  # before OpenCV: see its `limits`

"""What the simulator's tests share: settled worlds, trees of files, datasets."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from perception_sim.presets import Preset, load_preset
from perception_sim.staging import settled_world
from perception_sim.world import World


def world_of(preset: Preset | str, seed: int, negative: bool = False) -> World:
    """A settled scene."""
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    return settled_world(chosen, np.random.default_rng([77, seed]), negative)


def tree(root: Path) -> dict[str, str]:
    """Every file below ``root``: its relative name and the SHA-256 of its content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }

"""What the simulator's tests share: settled worlds, sound surfaces, trees of files, datasets, and how far one is."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from waiting import until

from perception_sim.presets import Preset, load_preset
from perception_sim.shapes.mesh import Mesh
from perception_sim.staging import settled_world
from perception_sim.world import World


def world_of(preset: Preset | str, seed: int, negative: bool = False) -> World:
    """A settled scene."""
    chosen = load_preset(preset) if isinstance(preset, str) else preset
    return settled_world(chosen, np.random.default_rng([77, seed]), negative)


def assert_sound(surfaces: Sequence[Mesh]) -> None:
    """Triangles face the way their normals say: what is lit is what is seen. Textures lie somewhere."""
    for surface in surfaces:
        corners = surface.vertices[surface.faces]
        faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (faces[:, None] * surface.normals[surface.faces]).sum(-1).min() > 0.0
        assert np.allclose(np.linalg.norm(surface.normals, axis=1), 1.0)
        assert np.isfinite(surface.uvs).all()
        assert len(surface.uvs) == len(surface.vertices)


def tree(root: Path) -> dict[str, str]:
    """Every file below ``root``: its relative name and the SHA-256 of its content."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def finished(output: Path) -> int:
    """How many scenes have been finished of a dataset that is being made."""
    return sum(path.read_bytes().count(b"\n") for path in output.glob(".progress/*.jsonl"))


def until_finished(output: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait for so many scenes; making them takes some seconds each on a busy machine."""
    until(lambda: finished(output) >= count, lambda: f"status {process.poll()}", patience=120.0, pause=0.01)

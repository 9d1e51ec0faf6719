"""What is to be made: from the parameters of `perception-sim generate` to a plan, a preset and a directory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from perception_common.params import build

from .. import objects
from ..params import GenerateParams
from ..presets import Preset, load_preset, parse_preset
from ..textures import photographs
from .dataset import Store
from .producer import Plan

_HOW = ("output", "workers", "shards", "shard", "ray")
"""Parameters that the content does not depend on."""
_OVERRIDES = {
    "classes": ("content", "classes"),
    "negatives": ("content", "negatives"),
    "backgrounds": ("background", "images"),
    "min_box_px": ("labels", "min_box_px"),
    "max_occlusion": ("labels", "max_occlusion"),
}
"""Parameters that take the place of a preset's value, its section and name; empty or negative ones do not."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A dataset to be made: what every worker knows, and the directory it comes into."""

    plan: Plan
    store: Store
    contact_sheet: bool

    @property
    def folders(self) -> tuple[str, ...]:
        """Directories of the pictures."""
        return folders(self.plan)


def effective_preset(params: GenerateParams) -> Preset:
    """The preset with what the parameters say instead.

    Raises:
        UserError: no such preset, or a value that it cannot have.

    """
    preset = load_preset(params.preset)
    values = preset.as_dict()
    told = {name: value for name in _OVERRIDES if (value := getattr(params, name)) != () and value != -1.0}
    if not told:
        return preset
    for name, value in told.items():
        section, key = _OVERRIDES[name]
        values[section][key] = value
    flags = ", ".join("--" + name.replace("_", "-") for name in told)
    return parse_preset(preset.name, {key: value for key, value in values.items() if key != "name"}, flags)


def job_of(params: GenerateParams, preset: Preset) -> Job:
    """The dataset that the parameters ask for."""
    output = Path(params.output)
    shared = {field.name for field in dataclasses.fields(Plan)} & {field.name for field in dataclasses.fields(params)}
    values = {name: getattr(params, name) for name in shared}
    plan = Plan(**{**values, "output": output, "preset": preset})
    return Job(plan, Store(output, _config(params, preset), plan.scenes, folders(plan)), params.contact_sheet)


def job_from(config: dict[str, Any], output: Path) -> Job:
    """The dataset that a configuration (`perception_sim.generation.dataset.begun_config`) describes, in a directory.

    Raises:
        UserError: a value is wrong, or of a version with other parameters.

    """
    preset = dict(config["preset"])
    values = {name: value for name, value in config.items() if name not in ("preset", "software", "inputs")}
    params = build(GenerateParams, {**values, "output": str(output)}, output)
    return job_of(params, parse_preset(str(preset.pop("name")), preset, output))


def folders(plan: Plan) -> tuple[str, ...]:
    """The directories below the output that pictures of a plan go to."""
    wanted = {"images": True, "masks": plan.masks, "depth": plan.depth}
    return tuple(name for name in wanted if wanted[name])


def _config(params: GenerateParams, preset: Preset) -> dict[str, Any]:
    """All that the dataset's content depends on, as JSON values."""
    values = dataclasses.asdict(params)
    for name in (*_HOW, *_OVERRIDES):
        del values[name]
    content: dict[str, Any] = json.loads(json.dumps({**values, "preset": {"name": preset.name, **preset.as_dict()}}))
    inputs = {
        "photographs": photographs.digest(preset.background.images),
        "objects": objects.digests(preset.content.object_dirs),
    }
    # A dataset that is gone on with must not change its photographs or meshes half-way.
    used = {name: value for name, value in inputs.items() if value}
    return content | ({"inputs": used} if used else {})

"""What a worker on a Ray cluster does; imported by the nodes, so it needs Ray no more than the rest does."""

from __future__ import annotations

import json
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perception_common.errors import UserError

from .dataset import software
from .journal import files_of
from .worker import Maker, record_in

Made = tuple[bytes, dict[str, bytes]]
"""An answer, and the files that could not be written to the output directory from there."""


class SceneMaker:
    """Makes scenes on a node.

    Args:
        plan: what `perception_sim.generation.worker.plan_to_json` wrote, with an absolute output directory.
        mark: a file in that directory; a node that sees it writes there.
        folders: the directories below the output that pictures go to.
        versions: what `perception_sim.generation.dataset.software` is where the dataset is put together.

    """

    def __init__(self, plan: dict[str, Any], mark: str, folders: Sequence[str], versions: dict[str, str]) -> None:
        self._refusal = _refusal(software(), versions) if software() != versions else None
        self._output = Path(plan["output"])
        self._shared = (self._output / mark).exists()
        if not self._shared:
            self._output = Path(tempfile.mkdtemp(prefix="perception-sim-"))
            for folder in folders:
                (self._output / folder).mkdir()
        self._maker = Maker({**plan, "output": str(self._output)})

    def make(self, scene: int) -> Made:
        """Make a scene."""
        if self._refusal is not None:
            return self._refusal, {}
        answer = self._maker.answer(scene)
        return answer, {} if self._shared else self._taken(answer)

    def close(self) -> None:
        """Free the renderer and remove what was made here on the way."""
        self._maker.close()
        if not self._shared:
            shutil.rmtree(self._output, ignore_errors=True)

    def _taken(self, answer: bytes) -> dict[str, bytes]:
        """The files of an answer, which are removed."""
        try:
            names = list(files_of(record_in(answer)).sizes)
        except (UserError, RuntimeError):
            return {}
        content = {name: (self._output / name).read_bytes() for name in names}
        for name in names:
            (self._output / name).unlink()
        return content


def _refusal(here: dict[str, str], wanted: dict[str, str]) -> bytes:
    """The answer of a node whose pictures would differ."""
    different = [f"{name} {here.get(name, 'none')} instead of {wanted[name]}" for name in wanted]
    told = {
        "what": f"the node {platform.node()} has {' and '.join(different)}",
        "where": "--ray",
        "fix": "install the same versions on every node",
    }
    return json.dumps({"user_error": told}).encode()

"""What a backend is: something that answers images with the output tensors of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_common.machine import cores

from ..contract.manifest import Tensor

Tensors = Mapping[str, npt.NDArray[Any]]
#: No graph of a bundle, but its float32 graph computed in bfloat16, by processors that do it faster.
BF16 = "bf16"


class Backend(Protocol):
    """A loaded graph. `run` may be called from any thread, by one at a time.

    Attributes:
        name: of the backend.
        precision: of the graph, or `BF16`.
        abreast: how many images one session should be asked of at once, each on one thread and by a thread of its own,
            where images come faster than they are answered; 1 where that gains nothing.
    """

    name: str
    precision: str
    abreast: int

    def run(self, image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
        """Answer uint8 [B, H, W, 3] (letterboxed RGB, as the graph has it) with its output tensors by name."""

    def close(self) -> None:
        """Free the session; calling it again does nothing."""


def default_threads() -> int:
    """Half of the cores this process may use, but two where there are two.

    A robot's other half works on the camera, the middleware and the planner; on small models a second half gains
    little, and threads that outnumber free cores cost latency. One thread alone costs more: nothing keeps its core
    awake between two frames (49 against 28 ms from image to result, at 20 Hz on two cores).
    """
    count = cores()
    return max(min(count, 2), count // 2)


def worth_abreast(threads: int) -> int:
    """`Backend.abreast` of a session with so many threads on a CPU."""
    # Measured with two; with more, an image would take much longer.
    return 2 if threads == 2 else 1


def check_tensors(kind: str, wanted: Sequence[Tensor], have: Sequence[Tensor], where: object) -> None:
    """Raise a `UserError` unless a graph has exactly the tensors that its manifest lists, in any order."""
    actual = {tensor.name: tensor for tensor in have}
    for tensor in wanted:
        found = actual.get(tensor.name)
        if found != tensor:
            told = "is missing" if found is None else f"is {found.dtype} {list(found.shape)}"
            raise UserError(
                f"the graph's {kind} '{tensor.name}' {told}, the manifest says {tensor.dtype} {list(tensor.shape)}",
                where=where,
                fix="export the bundle again",
            )
    extra = sorted(set(actual) - {tensor.name for tensor in wanted})
    if extra:
        raise UserError(f"the graph has an unexpected {kind} '{extra[0]}'", where=where, fix="export the bundle again")

"""A graph of lower precision within a budget of accuracy: the layers that suffer most stay in float. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from perception_common.errors import UserError

#: Shares of the layers that are left in float, one after the other, until the accuracy holds.
SHARES = (0.0, 0.05, 0.1, 0.2, 0.4)
#: mAP (or mIoU) that a graph may lose against float32, unless it is told otherwise.
BUDGET = 0.01
_TOLD = 5


@dataclass(frozen=True)
class Budget:
    """What a graph in another precision may lose.

    Attributes:
        loss: by how much its score may be below that of the float32 graph.
        accept_drop: a larger loss is no error: of the graphs that were tried, the best is taken.
        metric: what the score is, for messages.
    """

    loss: float = BUDGET
    accept_drop: bool = False
    metric: str = "accuracy"


@dataclass(frozen=True)
class Lowered:
    """A graph in lower precision, the layers left in float (worst first), its score and that of the float32 graph."""

    graph: bytes
    skipped: tuple[str, ...]
    score: float
    baseline: float


def lowered_within(
    what: str,
    names: Sequence[str],
    make: Callable[[Sequence[str]], bytes],
    rank: Callable[[bytes], list[str]],
    score: Callable[[bytes], float],
    baseline: float,
    budget: Budget,
) -> Lowered:
    """The graph with as few layers in float as the accuracy allows, of those numbers that `SHARES` lists.

    Args:
        what: the precision, for messages: "8 bits".
        names: the layers.
        make: the graph in which these layers stay in float.
        rank: the layers by how much they suffer in a graph without such layers, worst first.
        score: accuracy of a graph, such as mAP on the validation set; higher is better.
        baseline: the score of the float32 graph.
        budget: what may be lost.

    Raises:
        UserError: the loss is larger than the budget even with the largest share left in float.
    """
    ranking: list[str] = []
    tried: list[Lowered] = []
    for share in SHARES:
        count = math.ceil(share * len(names))
        if count == len(names) or any(count == len(each.skipped) for each in tried):
            continue
        if count and not ranking:
            ranking = rank(tried[0].graph)
        skipped = tuple(ranking[:count])
        graph = make(skipped)
        tried.append(Lowered(graph, skipped, score(graph), baseline))
        # A score that is no number counts as too low.
        if tried[-1].score >= baseline - budget.loss:
            return tried[-1]
    best = max(tried, key=lambda each: -math.inf if math.isnan(each.score) else each.score)
    if budget.accept_drop and not math.isnan(best.score):
        return best
    raise UserError(
        f"{what} cost too much accuracy: {budget.metric} {best.score:.4f} instead of {baseline:.4f} with "
        f"{len(best.skipped)} of {len(names)} layers left in float, a loss of {budget.loss:g} is allowed; most "
        f"sensitive are {', '.join(ranking[:_TOLD])}",
        fix="accept the drop, allow a larger budget, calibrate with more images, or export without this precision",
    )

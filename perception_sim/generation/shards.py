"""Which scenes belong to which machine: shards are runs of scenes, fixed by their number alone."""

from __future__ import annotations

import dataclasses

from perception_common.errors import UserError


@dataclasses.dataclass(frozen=True)
class Shard:
    """The ``index``-th (from 0) of ``count`` parts of a dataset; the one part of an undivided one is 0 of 1.

    Raises:
        UserError: ``index`` is not below ``count``.

    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise UserError(
                f"there is no shard {self.index} of {self.count}",
                where="--shard",
                fix=f"shards count from 0: allowed is 0 to {self.count - 1}" + " (with --shards)" * (self.count == 1),
            )

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"shard_{self.index}_of_{self.count}"

    def scenes(self, total: int) -> range:
        """Its scenes of ``total``: neighbours, so that the dataset is the shards one after the other."""
        return range(self.index * total // self.count, (self.index + 1) * total // self.count)

    def siblings(self) -> list[Shard]:
        """All shards of the dataset, this one among them."""
        return [Shard(index, self.count) for index in range(self.count)]


WHOLE = Shard()
"""An undivided dataset."""

"""Which part of the new dataset each image belongs to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from perception_common.errors import UserError

from .params import ImportParams
from .pool import Entry

#: Where an image goes when its source divides itself but says nothing of this one.
_REST = "train"


def assign(entries: Sequence[Entry], params: ImportParams) -> list[str]:
    """The part of each image: ``train``, ``val``, ``test``, or ``""`` when there is but one.

    Images of one scene stay together, so that validation shows nothing that was trained on.

    Raises:
        UserError: there are too few scenes to divide.
    """
    if params.split == "source":
        return [entry.split or _REST for entry in entries]
    if params.val_share == 0:
        return [""] * len(entries)
    sizes = Counter(entry.group for entry in entries)
    if len(sizes) < 2:
        raise UserError(
            f"the {len(entries)} images show one scene, which cannot be divided into train and val",
            fix="--val-share 0 writes them all as one dataset",
        )
    wanted = max(1, round(params.val_share * len(entries)))
    validation: set[int] = set()
    count = 0
    for group in np.random.default_rng(params.seed).permutation(sorted(sizes)).tolist():
        # A scene that would overshoot by more than it fills is left for training.
        if count < wanted and abs(count + sizes[group] - wanted) <= wanted - count and len(validation) < len(sizes) - 1:
            validation.add(group)
            count += sizes[group]
    validation = validation or {min(sizes, key=lambda group: (sizes[group], group))}
    return ["val" if entry.group in validation else "train" for entry in entries]

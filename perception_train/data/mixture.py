"""Several dataset directories as one training dataset, each with a set share of what the network sees."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from perception_common.errors import UserError
from perception_infer.evaluation.confusion import IGNORED

from .coco import CocoDataset, Pixels, Sample


@dataclass(frozen=True)
class Mixture:
    """Datasets of the same classes, joined in order; labels and masks are those of ``classes``.

    ``shares`` are weights of the parts relative to each other; none: in proportion to their number of images.
    """

    parts: tuple[CocoDataset, ...]
    shares: tuple[float, ...] = ()

    @classmethod
    def open(cls, roots: Sequence[str], shares: Sequence[float] = ()) -> Mixture:
        """The datasets in these directories.

        Raises:
            UserError: a dataset cannot be used, the class names differ, or shares do not fit.
        """
        if shares and len(shares) != len(roots):
            raise UserError(
                f"{len(shares)} shares for {len(roots)} datasets", fix="give one share for each dataset, or none"
            )
        if any(not 0 < share < np.inf for share in shares):
            raise UserError(
                f"a share must be above 0, not {min(shares):g}", fix="leave the dataset out instead of giving it none"
            )
        same = {root for number, root in enumerate(roots) if root in roots[:number]}
        if same:
            raise UserError("the dataset is named twice", where=sorted(same)[0], fix="raise its share instead")
        mixture = cls(tuple(CocoDataset.open(Path(root)) for root in roots), tuple(shares))
        _require_same_classes(mixture.parts)
        return mixture

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """The names of the first part that has them all."""
        return max(self.parts, key=lambda part: len(part.classes)).classes

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """The samples of every part, part by part."""
        return tuple(
            sample._replace(labels=number[sample.labels])
            for part, number in zip(self.parts, self._numbers, strict=True)
            for sample in part.samples
        )

    @cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """Where each part begins among the samples, and where the last one ends."""
        return np.cumsum([0, *(len(part.samples) for part in self.parts)])

    @property
    def name(self) -> str:
        """The names of the parts, in order."""
        return "+".join(part.name for part in self.parts)

    @property
    def sha256(self) -> str:
        """Of the annotations; of several parts, the SHA-256 of the lines ``<sha256>  <share>``."""
        if len(self.parts) == 1:
            return self.parts[0].sha256
        shares = self.shares or tuple(len(part.samples) for part in self.parts)
        lines = (f"{part.sha256}  {share:g}\n" for part, share in zip(self.parts, shares, strict=True))
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def preset(self) -> str | None:
        """The generator's preset, where all parts come from the same."""
        names = {part.preset for part in self.parts}
        return names.pop() if len(names) == 1 else None

    def require_masks(self) -> None:
        """Refuse when the class of every pixel is not known in all parts."""
        for part in self.parts:
            part.require_masks()

    def mask(self, index: int) -> Pixels:
        """As `CocoDataset.mask`, of a sample of any part.

        Raises:
            UserError: as there.
        """
        part = int(np.searchsorted(self.starts, index, side="right")) - 1
        mask = self.parts[part].mask(index - int(self.starts[part]))
        number = self._numbers[part]
        if (number == np.arange(len(number))).all():
            return mask
        table = np.arange(256, dtype=np.uint8)
        table[1 : len(number) + 1] = number + 1
        table[IGNORED] = IGNORED
        return table[mask]

    def spread(self, count: int) -> npt.NDArray[np.int64]:
        """At most ``count`` indices of samples, each part by its share and evenly over it: what calibration wants."""
        sizes = np.diff(self.starts)
        shares = np.asarray(self.shares or sizes, np.float64)
        # By the largest remainder, so that they add up.
        wanted = shares / shares.sum() * min(count, int(sizes.sum()))
        each = np.floor(wanted).astype(int)
        each[np.argsort(each - wanted, kind="stable")[: round(wanted.sum()) - int(each.sum())]] += 1
        return np.concatenate(
            [
                start + np.unique(np.linspace(0, size - 1, min(size, number)).round().astype(np.int64))
                for start, size, number in zip(self.starts[:-1], sizes, each, strict=True)
            ]
        )

    @cached_property
    def _numbers(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each part: its class numbers as numbers among ``classes``."""
        return tuple(np.array([self.classes.index(name) for name in part.classes], np.int64) for part in self.parts)


#: What can be trained on.
TrainingData = CocoDataset | Mixture


def as_mixture(dataset: TrainingData) -> Mixture:
    """A single dataset as a mixture of one."""
    return dataset if isinstance(dataset, Mixture) else Mixture((dataset,))


def _require_same_classes(parts: Sequence[CocoDataset]) -> None:
    """Order is free, and a part may lack classes; a part with names that the fullest one has not is refused."""
    fullest = max(parts, key=lambda part: len(part.classes))
    for part in parts:
        other = sorted(set(part.classes) - set(fullest.classes))
        if other:
            raise UserError(
                f"class names differ between the datasets: {fullest.name} has no {', '.join(other)}",
                where=part.root,
                fix=f"it has [{', '.join(fullest.classes)}]; rename with `perception-train import --classes OLD=NEW`",
            )

"""A dataset to import, and its format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from perception_common.errors import UserError

from ..readers import FORMATS, Options, Sample, Tally, detect
from .params import AUTO


@dataclass(frozen=True)
class Source:
    """One dataset to read."""

    root: Path
    format: str

    @classmethod
    def find(cls, word: str, wanted: str) -> Source:
        """The dataset at a path.

        Raises:
            UserError: it is not there, or its format is not clear.
        """
        root = Path(word)
        if wanted == AUTO:
            return cls(root, detect(root))
        if not root.exists():
            raise UserError("the dataset does not exist", where=root, fix="check the path given as --source")
        return cls(root, wanted)

    def samples(self, options: Options, tally: Tally) -> Iterator[Sample]:
        """What the source's reader yields."""
        return FORMATS[self.format].read(self.root, options, tally)

    def original(self, image: Path) -> str:
        """An image's path within the source."""
        root = self.root if self.root.is_dir() else self.root.parent
        return str(image.relative_to(root)) if image.is_relative_to(root) else str(image)

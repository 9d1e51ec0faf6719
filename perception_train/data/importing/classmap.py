"""Which class of the new dataset an object of a source belongs to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from perception_common.errors import UserError

from ..readers.checks import Damaged, label

#: Masks are uint8, and 0 is the background.
MASKED_CLASSES = 255


@dataclass(frozen=True)
class ClassMap:
    """``names`` in the order of their ids (from 1), and the class that each name of a source stands for."""

    names: tuple[str, ...]
    meanings: dict[str, str]

    @classmethod
    def parse(cls, words: Iterable[str]) -> ClassMap:
        """From words such as ``pallet`` and ``cone=traffic_cone``.

        Raises:
            UserError: a word is empty or names a source class a second time.
        """
        meanings: dict[str, str] = {}
        for word in words:
            source, separator, target = word.partition("=")
            try:
                source, target = label(source), label(target if separator else source)
            except Damaged:
                raise UserError(f"cannot read the class '{word}'", fix="write NAME or SOURCE_NAME=NAME") from None
            if meanings.get(source, target) != target:
                raise UserError(f"the class '{source}' is given twice", fix="give it one meaning")
            meanings[source] = target
        return cls(tuple(dict.fromkeys(meanings.values())), meanings)

    @classmethod
    def of(cls, names: Iterable[str]) -> ClassMap:
        """Every name as it is."""
        meanings = {name: name for name in names}
        return cls(tuple(meanings), meanings)

    def resolve(self, names: Sequence[str]) -> int | None:
        """The index of the class of an object with these labels; None when it has none.

        Inherited labels count as a whole (``cone,obstacle``), or else the one that the class list names first.
        """
        if len(names) == 1:
            meaning = self.meanings.get(names[0])
        else:
            whole = self.meanings.get(",".join(names))
            meaning = whole or next((self.meanings[known] for known in self.meanings if known in names), None)
        return None if meaning is None else self.names.index(meaning)

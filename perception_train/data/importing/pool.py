"""Everything that was read, on disk in the order of reading, until it is known what goes where."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from ..readers.masks import Mask
from .select import Label


class Entry(NamedTuple):
    """What has to stay in memory of an image: where it belongs, and the number of its scene."""

    split: str
    group: int


class Pool:
    """A folder with the images, masks and one JSON line per image; a context manager."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: list[Entry] = []
        self.painted = 0
        self._groups: dict[str, int] = {}
        self._lines = folder / "images.jsonl"

    def __enter__(self) -> Pool:
        self.folder.mkdir()
        self._file = self._lines.open("w", encoding="utf-8")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def image(self, suffix: str) -> Path:
        """Where the next image belongs."""
        return self.folder / f"{len(self.entries)}{suffix}"

    @property
    def mask(self) -> Path:
        """Where the next image's mask belongs."""
        return self.folder / f"{len(self.entries)}.mask.png"

    def add(self, image: dict[str, Any], labels: Sequence[Label], split: str, group: str) -> None:
        """Remember an image; ``group`` is "" for one that shows a scene of its own."""
        number = self._groups.setdefault(group or f"#{len(self.entries)}", len(self._groups))
        self.entries.append(Entry(split, number))
        line = {"image": image, "annotations": [annotation(entry) for entry in labels]}
        self._file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def records(self) -> Iterator[dict[str, Any]]:
        """What `add` was given, in order."""
        self._file.flush()
        with self._lines.open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)


def annotation(entry: Label) -> dict[str, Any]:
    """A label in COCO's form, without ids of its own and its image."""
    x0, y0, x1, y1 = entry.box
    area = (x1 - x0) * (y1 - y0) if entry.pixels is None else int(entry.pixels.sum())
    record: dict[str, Any] = {
        "category_id": entry.category + 1,
        "bbox": _xywh(entry.box),
        "area": round(area, 3),
        "iscrowd": 1 if entry.ignored else 0,
    }
    if entry.ignored:
        record["ignored"] = entry.ignored
    if entry.mask is not None and entry.pixels is not None:
        record["segmentation"] = _segmentation(entry.mask, entry)
    if entry.amodal is not None:
        record["amodal_bbox"] = _xywh(entry.amodal)
    for name in ("occlusion", "truncation"):
        if (value := getattr(entry, name)) is not None:
            record[name] = round(value, 4)
    return record


def _segmentation(mask: Mask, entry: Label) -> Any:
    assert entry.pixels is not None
    if entry.ignored:
        # COCO keeps crowds as run lengths.
        from ..readers.masks import encode

        return encode(entry.pixels)
    return mask.coco(entry.pixels)


def _xywh(box: tuple[float, float, float, float]) -> list[float]:
    x0, y0, x1, y1 = box
    return [x0, y0, round(x1 - x0, 3), round(y1 - y0, 3)]

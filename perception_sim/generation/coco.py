"""annotations.json and sampled.jsonl, written record by record: memory does not grow with the dataset."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from perception_common import __version__, durable
from perception_common.errors import UserError

from .journal import Record, Shot

_BLOCK = 1 << 20


class _Labelled(msgspec.Struct):
    category_id: int
    iscrowd: int


_INSTANCE = msgspec.json.Decoder(_Labelled)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written: ``counts`` as dataset.json holds them, and the SHA-256 of the two files."""

    counts: dict[str, Any]
    annotations_sha256: str
    sampled_sha256: str


@dataclasses.dataclass(frozen=True)
class Header:
    """What COCO says about the dataset as a whole; ``width`` and ``height`` in pixels are those of every image."""

    classes: Sequence[str]
    description: str
    width: int
    height: int


def write(output: Path, scratch: Path, header: Header, records: Iterable[Record]) -> Written:
    """Write ``output``/annotations.json and sampled.jsonl from the records of all scenes, in order.

    Image ids are their numbers + 1, annotation ids count from 1. Each file appears whole, by a rename; until then it
    is in ``scratch``, a directory on the same disk.

    Raises:
        UserError: the disk is full or cannot be written.

    """
    counts = _Counts()
    with (
        _told(output),
        _replaced(scratch, output / "sampled.jsonl") as sampled,
        _replaced(scratch, output / "annotations.json") as coco,
        _spool(scratch) as instances,
    ):
        coco.write(_start(header))
        for record in records:
            sampled.write(_sampled_line(record))
            for shot in record.shots:
                coco.write(b"," * bool(counts.images) + _image(header, record.scene, shot))
                for instance in shot.instances:
                    instances.write(b"," * bool(counts.instances) + _annotation(counts, shot, bytes(instance)))
                counts.add(shot)
            counts.scenes += 1
        coco.write(b'],"annotations":[')
        instances.seek(0)
        shutil.copyfileobj(instances, coco, _BLOCK)
        coco.write(_end(header))
    return Written(counts.as_dict(header.classes), coco.sha256, sampled.sha256)


class _Counts:
    """How much of everything there is; ``per_class`` counts labelled instances."""

    def __init__(self) -> None:
        self.scenes = self.images = self.instances = self.negative_images = 0
        self.labelled: Counter[int] = Counter()

    def add(self, shot: Shot) -> None:
        self.images += 1
        self.negative_images += not shot.instances

    def as_dict(self, classes: Sequence[str]) -> dict[str, Any]:
        labelled = self.labelled.total()
        return {
            "images": self.images,
            "scenes": self.scenes,
            "negative_images": self.negative_images,
            "annotations": labelled,
            "unlabelled": self.instances - labelled,
            "per_class": {name: self.labelled[number] for number, name in enumerate(classes, 1)},
        }


def _start(header: Header) -> bytes:
    info = _dump({"description": header.description, "version": __version__})
    return b'{"info":' + info + b',"licenses":[],"images":['


def _end(header: Header) -> bytes:
    categories = [
        {"id": number, "name": name, "supercategory": "object"} for number, name in enumerate(header.classes, 1)
    ]
    return b'],"categories":' + _dump(categories) + b"}\n"


def _image(header: Header, scene: int, shot: Shot) -> bytes:
    values = {
        "id": shot.number + 1,
        "file_name": shot.file_name,
        "width": header.width,
        "height": header.height,
        "scene": scene,
    }
    return _dump(values)


def _annotation(counts: _Counts, shot: Shot, instance: bytes) -> bytes:
    values = _INSTANCE.decode(instance)
    counts.instances += 1
    if not values.iscrowd:
        counts.labelled[values.category_id] += 1
    return _extended({"id": counts.instances, "image_id": shot.number + 1}, instance)


def _sampled_line(record: Record) -> bytes:
    views = b",".join(_extended({"file_name": shot.file_name}, bytes(shot.view)) for shot in record.shots)
    line = _extended({"scene": record.scene, "negative": record.negative}, bytes(record.sampled))
    return line[:-1] + b',"views":[' + views + b"]}\n"


def _extended(values: dict[str, Any], rest: bytes) -> bytes:
    """One JSON object of ``values`` and then the members of the object ``rest``, whose bytes stay as they are."""
    inner = rest.strip()[1:-1].strip()
    return _dump(values)[:-1] + b"," * bool(inner) + inner + b"}"


def _dump(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._digest = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        return self._file.write(data)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


@contextmanager
def _replaced(scratch: Path, path: Path) -> Iterator[_Hashed]:
    """A file to write that takes the place of ``path``, flushed, when the block succeeds."""
    part = scratch / f"{path.name}.part"
    with part.open("wb", buffering=_BLOCK) as file:
        yield _Hashed(file)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    durable.sync_directory(path.parent)


@contextmanager
def _spool(scratch: Path) -> Iterator[BinaryIO]:
    path = scratch / "instances.part"
    try:
        with path.open("w+b", buffering=_BLOCK) as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


@contextmanager
def _told(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"cannot write the annotations: {error.strerror}",
            where=output,
            fix="make room and start again: it continues",
        ) from error

"""YOLO (Darknet, Ultralytics): ``dataset.yaml`` and a text file per image.

A line is a class number and x, y, width, height of the box's centre and size, or the corners of a polygon, as shares of
the image. Format: Ultralytics' documentation of detection and segmentation datasets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from perception_common.errors import UserError

from .checks import Damaged, parsed_number, read_text
from .files import IMAGE_SUFFIXES, Header, is_file, read_header, split_of, walk
from .masks import Polygons
from .sample import Object, Options, Sample
from .tally import Tally
from .yolo_config import Config, class_lists, config_files, read_config

LOOKED_FOR = "*.yaml with 'names', or images/ and labels/ with classes.txt or obj.names"
#: Numbers that go beyond the image by more than this are no shares of it.
_FARTHEST_SHARE = 1.5


def recognise(files: list[Path]) -> bool:
    """Whether these files look like a YOLO dataset's."""
    return bool(config_files(files)) or bool(class_lists(files))


def classes(root: Path) -> tuple[str, ...]:
    """The class names that the dataset declares, in the order of their numbers."""
    return tuple(dict.fromkeys(read_config(root).names.values()))


def read(root: Path, options: Options, tally: Tally) -> Iterator[Sample]:
    """Samples of every image of the dataset (a folder, or its YAML file).

    Raises:
        UserError: the dataset's configuration cannot be used.
    """
    config = read_config(root)
    images = labels = 0
    for split, image in _images(config, tally):
        images += 1
        path = _label_path(image)
        if not is_file(path):
            if options.missing_labels == "skip":
                tally.skip("no label file", image)
                continue
            tally.note("no label file: taken as an image without objects", image)
            lines: list[str] = []
        else:
            labels += 1
            try:
                lines = read_text(path).splitlines()
            except Damaged as error:
                tally.skip(error.reason, path)
                continue
        try:
            header = read_header(image)
        except Damaged as error:
            tally.skip(error.reason, image)
            continue
        reader = _Lines(config, header, path, tally)
        yield Sample(image, reader.objects(lines), None, split)
    if images and not labels:
        raise UserError(
            "none of the images has a label file",
            where=config.root,
            fix="labels are expected in labels/ beside images/, or beside each image",
        )


def _images(config: Config, tally: Tally) -> Iterator[tuple[str, Path]]:
    """(split, image) of all that the configuration names, each image once."""
    seen: set[Path] = set()
    for split, place in config.places:
        found: Iterator[Path]
        if place.is_dir():
            found = (path for path in walk(place) if path.suffix.lower() in IMAGE_SUFFIXES)
        else:
            found = _listed(place, config.root, tally)
        for path in found:
            if path not in seen:
                seen.add(path)
                yield split or split_of(path.relative_to(config.root)), path


def _listed(place: Path, root: Path, tally: Tally) -> Iterator[Path]:
    """The images in a list of paths, relative to the list or to the dataset."""
    try:
        lines = read_text(place).splitlines()
    except Damaged as error:
        raise UserError(f"cannot read the list of images: {error.reason}", where=place) from None
    for line in filter(None, map(str.strip, lines)):
        path = next((path for base in (place.parent, root) if is_file(path := base / line)), None)
        if path is None:
            tally.skip("image missing", f"{place}: {line[:200]}")
        else:
            yield path


def _label_path(image: Path) -> Path:
    """…/images/….jpg → …/labels/….txt, or beside the image where no folder is called images."""
    parts = list(PurePosixPath(image).parts)
    for index in range(len(parts) - 2, -1, -1):
        if parts[index] == "images":
            parts[index] = "labels"
            return Path(*parts).with_suffix(".txt")
    return image.with_suffix(".txt")


@dataclass(frozen=True)
class _Lines:
    """Makes objects of the lines of one label file."""

    config: Config
    header: Header
    path: Path
    tally: Tally

    def objects(self, lines: list[str]) -> tuple[Object, ...]:
        found = []
        for line in filter(str.strip, lines):
            try:
                found.append(self._object([parsed_number(word) for word in line.split()]))
            except Damaged as error:
                self.tally.drop(f"line that is no YOLO label ({error.reason})", self.path)
        return tuple(found)

    def _object(self, values: list[float]) -> Object:
        number, *rest = values
        name = self.config.names.get(int(number)) if math.isfinite(number) and number.is_integer() else None
        if name is None:
            raise Damaged("class number without a name")
        if self.config.keypoints:
            rest = rest[:4]
        if len(rest) == 5:
            rest = rest[:4]  # the fifth is a confidence
        if len(rest) != 4 and (len(rest) < 6 or len(rest) % 2):
            raise Damaged("neither a box nor a polygon")
        if any(abs(value) > _FARTHEST_SHARE for value in rest):
            raise Damaged("numbers that are no shares of the image")
        width, height = self.header.width, self.header.height
        if len(rest) == 4:
            x, y, w, h = rest
            return Object(
                (name,), ((x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height)
            )
        polygon = Polygons([[value * (height if index % 2 else width) for index, value in enumerate(rest)]])
        return Object((name,), polygon.extent(), mask=polygon)

"""Where pictures come from: a labelled dataset, a folder of photographs, a recording. At most so many of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np

from perception_common.errors import UserError
from perception_common.images import Pixels
from perception_infer.commands.run import find_pictures
from perception_infer.evaluation.confusion import IGNORED
from perception_infer.recordings.bag import Recording, Topic
from perception_infer.recordings.frames import image_topic
from perception_infer.replay.pipeline import Skips, shown_frames
from perception_infer.replay.run import open_truth
from perception_infer.replay.truth import FrameTruth, Names, TrueBoxes, TrueMask, Truth, boxes_from_rows
from perception_sim.view.annotations import read_dataset
from perception_sim.view.files import leads_out

from ..data.coco import ANNOTATIONS, CocoDataset
from ..data.unlabelled import spread

DATASET, FOLDER, BAG = "dataset", "folder", "bag"


class Picture(NamedTuple):
    """A picture: what it is called, RGB uint8 [H, W, 3], and what is true in it, where that is known."""

    name: str
    rgb: Pixels
    truth: FrameTruth | None


class Source(Protocol):
    """Where pictures come from.

    Attributes:
        path: what the user named.
        kind: `DATASET`, `FOLDER` or `BAG`.
        skips: images that could not be used, known after `pictures` has ended.
        notes: warnings for people, known then.
    """

    path: str
    kind: str
    skips: Skips
    notes: list[str]

    @property
    def total(self) -> int:
        """Images that there are."""

    def pictures(self, most: int) -> Iterator[Picture]:
        """At most ``most`` pictures, evenly spaced, in order."""


@dataclass(eq=False)
class _Files:
    """Pictures in files; ``truth`` tells what is true in one of them, of a given size, None where nothing is known."""

    path: str
    kind: str
    files: Sequence[Path]
    truth: Callable[[int, int, int], FrameTruth | None]
    notes: list[str] = field(default_factory=list)
    skips: Skips = field(default_factory=lambda: Skips({}))

    @property
    def total(self) -> int:
        return len(self.files)

    def pictures(self, most: int) -> Iterator[Picture]:
        for index in spread(range(len(self.files)), most):
            rgb = _read(self.files[index])
            if rgb is None:
                self.skips.add("the file is not a picture that can be read", index)
                continue
            try:
                truth = self.truth(index, rgb.shape[1], rgb.shape[0])
            except _WrongSizeError as error:
                self.skips.add(str(error), index)
                continue
            yield Picture(self.files[index].name, rgb, truth)


@dataclass(eq=False)
class _Bag:
    """Frames of a recording."""

    path: str
    topic: Topic
    truth: Truth
    notes: list[str] = field(default_factory=list)
    skips: Skips = field(default_factory=lambda: Skips({}))
    kind: str = BAG

    @property
    def total(self) -> int:
        return self.topic.count

    def pictures(self, most: int) -> Iterator[Picture]:
        wanted = frozenset(spread(range(self.total), most))
        with Recording(Path(self.path).expanduser()) as recording:
            for shown, _, _ in shown_frames(recording, self.topic.name, self.skips, wanted.__contains__):
                height, width = shown.rgb.shape[:2]
                known, _ = self.truth.of(shown.index, shown.stamp, width, height)
                yield Picture(f"frame {shown.index}", shown.rgb, known)
            self.notes += recording.warnings


class _WrongSizeError(ValueError):
    """A picture is not of the size for which it was labelled."""


def open_labelled(path: str, names: Names, task: str) -> Source:
    """A labelled dataset in the suite's layout, for a model of that task.

    Args:
        path: its directory.
        names: takes up class names.
        task: ``detection`` or ``segmentation``.

    Raises:
        UserError: it cannot be read, or has none of the model's classes.
    """
    root = Path(path).expanduser()
    return _masks(path, root, names) if task == "segmentation" else _boxes(path, root, names)


def open_real(path: str, names: Names, task: str) -> Source:
    """A labelled dataset, or a folder of pictures; arguments as of `open_labelled`.

    Raises:
        UserError: it cannot be read, or holds no pictures.
    """
    root = Path(path).expanduser()
    if (root / ANNOTATIONS).is_file():
        return open_labelled(path, names, task)
    if not root.exists():
        raise UserError("there is no such dataset or folder", where=path, fix="check the path")
    inner = root / "images"
    return _Files(path, FOLDER, find_pictures(inner if inner.is_dir() else root), lambda *_: None)


def open_bag(path: str, topic: str, truth: str, names: Names, task: str) -> Source:
    """A recording, with what is true in it by the parameter ``truth`` of a replay.

    Raises:
        UserError: it cannot be read, or has no such topic or truth.
    """
    with Recording(Path(path).expanduser()) as recording:
        images = image_topic(recording, topic, besides=truth)
        return _Bag(path, images, open_truth(truth, recording, images.name, images.count, names, task))


def _boxes(path: str, root: Path, names: Names) -> Source:
    """Read by the columns that `perception_sim.view` has, for these keep what is marked ``iscrowd``."""
    dataset = read_dataset(root)
    _require_known(dataset.classes, names, root)
    labels = [names.label(name) for name in dataset.classes]

    def truth(index: int, width: int, height: int) -> TrueBoxes:
        _require_size((width, height), dataset.sizes[index].tolist())
        limits = np.array([width, height, width, height])
        rows = []
        for number in dataset.of(index):
            left, top, right, bottom = np.clip(dataset.boxes[number], 0, limits).tolist()
            if right > left and bottom > top:
                crowd = bool(dataset.crowd[number])
                rows.append(((left, top, right, bottom), labels[dataset.category[number]], crowd, float("nan")))
        return boxes_from_rows(rows)

    files = [dataset.path(index) for index, name in enumerate(dataset.file_names) if not leads_out(name)]
    if len(files) < len(dataset.file_names):
        raise UserError("a file name leads out of images/", where=root / ANNOTATIONS, fix="name files in images/")
    if not files:
        raise UserError("no images in the annotations", where=root / ANNOTATIONS)
    notes = [f"{count} {kind}" for kind, count in dataset.faults.items()]
    return _Files(path, DATASET, files, truth, notes)


def _masks(path: str, root: Path, names: Names) -> Source:
    dataset = CocoDataset.open(root)
    dataset.require_masks()
    _require_known(dataset.classes, names, root)
    table = np.full(256, IGNORED, np.uint8)
    table[0] = 0
    for index, name in enumerate(dataset.classes):
        table[index + 1] = min(names.label(name) + 1, IGNORED)

    def truth(index: int, width: int, height: int) -> TrueMask:
        _require_size((width, height), [dataset.samples[index].width, dataset.samples[index].height])
        return TrueMask(np.asarray(cv2.LUT(dataset.mask(index), table), np.uint8))

    return _Files(path, DATASET, [sample.path for sample in dataset.samples], truth)


def _require_known(classes: Sequence[str], names: Names, root: Path) -> None:
    if not set(classes) & set(names.known):
        raise UserError(
            "the dataset has none of the model's classes",
            where=root,
            fix=f"the model has [{', '.join(names.known)}], the dataset [{', '.join(classes)}]",
        )


def _require_size(found: tuple[int, int], annotated: Sequence[Any]) -> None:
    if found != tuple(annotated):
        raise _WrongSizeError("the image is not of the size that its annotation says")


def _read(path: Path) -> Pixels | None:
    """RGB uint8 [H, W, 3], or None where it cannot be read."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        decoded = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except (OSError, cv2.error):
        return None
    return None if decoded is None else np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8)

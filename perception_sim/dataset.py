"""The dataset on disk: what `generate` leaves behind, and the records it keeps while it works.

    images/000000.jpg…    annotations.json (COCO)    masks/000000.png…    dataset.json (provenance)
    sampled.jsonl (what was drawn for every scene and image)    contact_sheet.png

While a dataset is being made, ``.progress/`` holds its configuration and one record per finished scene.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from perception_common import __version__, durable
from perception_common.errors import UserError

Record = dict[str, Any]
_PROGRESS = ".progress"


class Store:
    """The output directory of one dataset with one configuration."""

    def __init__(self, output: Path, config: dict[str, Any], masks: bool) -> None:
        self.output, self.config, self._masks = output, config, masks
        self._progress = output / _PROGRESS

    @contextmanager
    def opened(self) -> Iterator[Store]:
        """Take the directory for this process alone.

        Raises:
            UserError: it cannot be written, holds something else, or another process works in it.

        """
        self._refuse_strangers()
        for directory in (
            self.output,
            self._progress,
            self.output / "images",
            *([self.output / "masks"] if self._masks else []),
        ):
            durable.ensure_writable(directory)
        with (self._progress / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(
                    "another process is generating here", where=self.output, fix="wait for it or choose another output"
                ) from None
            config = self._progress / "config.json"
            if not config.exists():
                durable.write_text(config, _dump(self.config))
            yield self

    def finished(self) -> dict[str, Any] | None:
        """The contents of dataset.json if the dataset is complete.

        Raises:
            UserError: the directory holds a dataset of another configuration.

        """
        path = self.output / "dataset.json"
        if not path.exists():
            return None
        provenance = _load(path)
        _same_config(provenance.get("config"), self.config, self.output)
        if durable.sha256(self.output / "annotations.json") != provenance.get("annotations_sha256"):
            raise UserError(
                "annotations.json has been changed since it was generated",
                where=self.output,
                fix="choose another output",
            )
        shutil.rmtree(self._progress, ignore_errors=True)
        return provenance

    def keep(self, record: Record) -> None:
        """Remember a finished scene; after this the scene is never made again."""
        path = self._path(record["scene"])
        partial = path.with_suffix(".partial")
        partial.write_text(_dump(record))
        partial.replace(path)

    def kept(self, scene: int) -> Record | None:
        """The record of a scene whose files are all there, or None."""
        path = self._path(scene)
        if not path.exists():
            return None
        record: Record = _load(path)
        files = [item for shot in record["shots"] for item in shot["sizes"].items()]
        # After a power cut a record can have survived the pictures it speaks of.
        whole = all(
            (self.output / name).is_file() and (self.output / name).stat().st_size == size for name, size in files
        )
        return record if whole else None

    def write_annotations(
        self, classes: Sequence[str], records: Sequence[Record], description: str, size: tuple[int, int]
    ) -> None:
        """annotations.json and sampled.jsonl from the records of all scenes, in order."""
        coco = to_coco(classes, records, description, size)
        durable.write_text(self.output / "annotations.json", json.dumps(coco, separators=(",", ":")) + "\n")
        lines = []
        for record in records:
            views = [{"file_name": shot["file_name"], **shot["view"]} for shot in record["shots"]]
            lines.append(
                _dump({"scene": record["scene"], "negative": record["negative"], **record["sampled"], "views": views})
            )
        durable.write_text(self.output / "sampled.jsonl", "".join(lines))

    def finish(self, counts: dict[str, Any]) -> dict[str, Any]:
        """Write dataset.json, the last file, which makes the dataset complete; its contents."""
        provenance = {
            "generator": "perception_sim",
            "version": __version__,
            "seed": self.config["seed"],
            "config": self.config,
            "counts": counts,
            "annotations_sha256": durable.sha256(self.output / "annotations.json"),
            "sampled_sha256": durable.sha256(self.output / "sampled.jsonl"),
        }
        durable.write_text(self.output / "dataset.json", json.dumps(provenance, indent=2, sort_keys=True) + "\n")
        shutil.rmtree(self._progress)
        return provenance

    def _path(self, scene: int) -> Path:
        return self._progress / f"scene_{scene:06d}.json"

    def _untouched(self) -> bool:
        """Whether a run was started here that did not get as far as a picture."""
        images = self.output / "images"
        return not any(self._progress.glob("scene_*.json")) and not (images.is_dir() and any(images.iterdir()))

    def _refuse_strangers(self) -> None:
        config = self._progress / "config.json"
        if config.exists() and self._untouched():
            config.unlink()
        elif config.exists():
            _same_config(_load(config), self.config, self.output)
        elif self.output.is_dir():
            strangers = [path.name for path in self.output.iterdir() if path.name != _PROGRESS]
            if strangers:
                raise UserError(
                    f"the output directory is not empty (it holds '{sorted(strangers)[0]}')",
                    where=self.output,
                    fix="choose another --output",
                )


def to_coco(
    classes: Sequence[str], records: Sequence[Record], description: str, size: tuple[int, int]
) -> dict[str, Any]:
    """COCO's structure; image ids are their numbers + 1, annotation ids count from 1."""
    images, annotations = [], []
    for record in records:
        for shot in record["shots"]:
            image_id = shot["number"] + 1
            images.append(
                {
                    "id": image_id,
                    "file_name": shot["file_name"],
                    "width": size[0],
                    "height": size[1],
                    "scene": record["scene"],
                }
            )
            annotations += [{"image_id": image_id, **instance} for instance in shot["instances"]]
    annotations = [{"id": number, **annotation} for number, annotation in enumerate(annotations, 1)]
    categories = [{"id": number, "name": name, "supercategory": "object"} for number, name in enumerate(classes, 1)]
    info = {"description": description, "version": __version__}
    return {"info": info, "licenses": [], "images": images, "annotations": annotations, "categories": categories}


def count(classes: Sequence[str], records: Sequence[Record]) -> dict[str, Any]:
    """How much of everything there is; ``per_class`` counts labelled instances."""
    shots = [shot for record in records for shot in record["shots"]]
    instances = [instance for shot in shots for instance in shot["instances"]]
    labelled = [instance["category_id"] for instance in instances if not instance["iscrowd"]]
    return {
        "images": len(shots),
        "scenes": len(records),
        "negative_images": sum(not shot["instances"] for shot in shots),
        "annotations": len(labelled),
        "unlabelled": len(instances) - len(labelled),
        "per_class": {name: labelled.count(number) for number, name in enumerate(classes, 1)},
    }


def _same_config(found: Any, wanted: dict[str, Any], where: Path) -> None:
    if found == wanted:
        return
    known = found if isinstance(found, dict) else {}
    different = sorted(key for key in {*known, *wanted} if known.get(key) != wanted.get(key))
    raise UserError(
        f"the directory holds another dataset (it differs in {', '.join(different)})",
        where=where,
        fix="choose another --output, or remove it",
    )


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read it as JSON: {error}", where=path, fix="remove the directory and generate again"
        ) from error


def _dump(value: Any) -> str:
    # Keys stay in their order: a record that was read back must be written like one that was not.
    return json.dumps(value, separators=(",", ":")) + "\n"

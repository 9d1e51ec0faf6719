"""The import itself: read, choose, write."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import time
from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any

from perception_common.durable import new_directory
from perception_common.errors import UserError, did_you_mean

from ...progress import Meter
from ..readers import FORMATS, Options, Sample, Tally
from ..readers.checks import Damaged
from ..readers.files import read_header
from ..readers.tally import SKIPPED
from . import pictures
from .classmap import ClassMap
from .display import show_report
from .params import ImportParams
from .pool import Pool
from .select import select
from .semantic import paint
from .source import Source
from .split import assign
from .write import Part


def import_datasets(params: ImportParams) -> dict[str, Any]:
    """Make one dataset of all sources.

    The output appears by one rename when it is complete. It depends on the sources and parameters alone.

    Returns:
        ``output``, ``classes``, ``sources``, ``parts`` (counts of each dataset directory by its name; ``""`` is the
        output itself), ``report`` (what was skipped and why) and ``seconds``.

    Raises:
        UserError: a source cannot be read, nothing of it can be used, or the output cannot be written.
    """
    start = time.monotonic()
    params.require_usable()
    output = Path(params.output)
    if output.exists():
        raise UserError("the output exists already", where=output, fix="choose another --output, or remove it")
    sources = [Source.find(word, params.format) for word in params.source]
    tally = Tally()
    with new_directory(output) as work:
        importer = _Importer(params, sources, tally, work)
        result = importer.run()
    show_report(tally)
    for name, counts in result["parts"].items():
        print(
            f"{output / name}: {counts['images']} images, {counts['annotations']} objects of "
            f"{len(result['classes'])} classes, {counts['unlabelled']} ignored",
            file=sys.stderr,
        )
    return {"output": str(output), **result, "seconds": round(time.monotonic() - start, 2)}


class _Importer:
    """One import: its parameters, sources, counts, and the directory that it works in."""

    def __init__(self, params: ImportParams, sources: list[Source], tally: Tally, work: Path) -> None:
        self._params, self._sources, self._tally, self._work = params, sources, tally, work
        self._options = Options(params.missing_labels, params.kitti_inclusive, params.difficult)
        self._found: Counter[str] = Counter()
        self._seen: set[int] = set()

    def run(self) -> dict[str, Any]:
        classes, total = self._classes()
        described = []
        with Pool(self._work / "pool") as pool, Meter("importing", total) as meter:
            for index, source in enumerate(self._sources):
                before = len(pool.entries)
                for sample in source.samples(self._options, self._tally):
                    self._take(sample, source, index, classes, pool)
                    meter.advance()
                images = len(pool.entries) - before
                described.append({"path": str(source.root), "format": source.format, "images": images})
            self._require_content(classes, pool)
            return self._write(classes, pool, described)

    def _classes(self) -> tuple[ClassMap, int | None]:
        """The class map, and the number of images if it had to be found out by reading everything once."""
        if self._params.classes:
            return ClassMap.parse(self._params.classes), None
        declared: dict[str, None] = {}
        found: set[str] = set()
        total: int | None = 0
        for source in self._sources:
            declare = FORMATS[source.format].classes
            if declare is not None:
                declared |= dict.fromkeys(declare(source.root))
                total = None
                continue
            with Meter("looking for classes") as meter:
                for sample in source.samples(self._options, Tally()):
                    found.update(item.names[0] for item in sample.objects if item.names)
                    total = None if total is None else total + 1
                    meter.advance()
        # Declared classes keep their order; found ones have none of their own.
        return ClassMap.of(chain(declared, sorted(found - declared.keys()))), total

    def _take(self, sample: Sample, source: Source, index: int, classes: ClassMap, pool: Pool) -> None:
        key = hash(str(sample.image))
        if key in self._seen:
            self._tally.skip("image given twice", sample.image)
            return
        try:
            header = read_header(sample.image)
            stored = pictures.as_stored(sample, header)
            if self._params.verify:
                pictures.verify(sample.image, header)
            width, height = header.stored if stored else (header.width, header.height)
            picture = pictures.read_stored(sample.image) if stored else None
        except Damaged as error:
            self._tally.skip(error.reason, sample.image)
            return
        size = (width, height)
        self._found.update(name for item in sample.objects for name in {*item.names, ",".join(item.names)})
        labels = select(sample.objects, size, classes, self._params, self._tally, sample.image)
        if not labels and not self._params.negatives:
            self._tally.skip("no object of the classes", sample.image)
            return
        target = pool.image(".png" if stored else sample.image.suffix.lower())
        try:
            if picture is not None:
                self._tally.note("image turned back: its labels disregard the EXIF orientation", sample.image)
                pictures.write_png(picture, target)
            else:
                pictures.place(sample.image, target, self._params.images == "link", self._tally)
        except Damaged as error:
            self._tally.skip(error.reason, sample.image)
            return
        self._seen.add(key)
        image = {
            "width": width,
            "height": height,
            "source": index,
            "original": source.original(sample.image),
            **({} if sample.intrinsics is None else {"intrinsics": sample.intrinsics}),
            "file": target.name,
            "mask": self._mask(sample, labels, size, classes, pool),
        }
        pool.add(image, labels, sample.split, sample.group and f"{index}#{sample.group}")

    def _mask(self, sample: Sample, labels: list[Any], size: tuple[int, int], classes: ClassMap, pool: Pool) -> str:
        """``painted`` when the mask is written; ``empty`` when it is all background; ``""`` when it is unknown."""
        if not self._params.masks:
            return ""
        mask = paint(sample, labels, size, classes, self._tally)
        if mask is None:
            return ""
        if sample.semantic is None and not labels:
            return "empty"
        pictures.write_png(mask, pool.mask)
        pool.painted += 1
        return "painted"

    def _require_content(self, classes: ClassMap, pool: Pool) -> None:
        where = ", ".join(self._params.source)
        if not pool.entries:
            reasons = [f"{count} × {reason}" for kind, reason, count, _ in self._tally.rows() if kind == SKIPPED]
            raise UserError(
                f"no image can be imported ({', '.join(reasons[:4]) or 'there is none'})",
                where=where,
                fix="check --source and --format",
            )
        if not classes.names:
            raise UserError("no object with a class name is annotated", where=where, fix="check --source and --format")
        # Inherited labels can be selected as a whole.
        if self._params.classes and not set(classes.meanings) & set(self._found):
            wanted = next(iter(classes.meanings))
            known = sorted(self._found)
            raise UserError(
                f"none of the classes [{', '.join(classes.meanings)}] occurs",
                where=where,
                fix=did_you_mean(wanted, known) if known else "the images have no objects at all",
            )

    def _write(self, classes: ClassMap, pool: Pool, described: list[dict[str, Any]]) -> dict[str, Any]:
        for name in classes.meanings:
            if name not in self._found and self._params.classes:
                self._tally.note("class that no object has", name)
        config = dataclasses.asdict(self._params)
        del config["output"]
        provenance = {
            "config": config,
            "seed": self._params.seed,
            "sources": described,
            "report": self._tally.as_dict(),
        }
        assigned = assign(pool.entries, self._params)
        parts = {}
        for name in sorted(set(assigned)):
            part = Part(self._work / name, pool, assigned, name, classes.names)
            part.write(provenance)
            parts[name] = part.counts
        shutil.rmtree(pool.folder)
        return {"classes": list(classes.names), "parts": parts, **{k: provenance[k] for k in ("sources", "report")}}

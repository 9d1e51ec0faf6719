"""report.html of a replay, with the pictures that it shows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import msgspec

from perception_common import durable
from perception_common.errors import UserError
from perception_common.images import Pixels, jpeg

from ..recordings.bag import Recording
from .params import ReplayParams
from .pipeline import Skips, shown_frames
from .report import Picture, build_report, choose_pictures
from .run import FRAMES

REPORT = "report.html"
_QUALITY = 80


def write_report(summary: Mapping[str, Any], params: ReplayParams, output: Path) -> Path:
    """Write the page into a directory that holds frames.jsonl, and with ``with_images`` the pictures that it links.

    The recording is read once more, for the frames that deserve a picture.

    Raises:
        UserError: the page or a picture cannot be written.
    """
    lines = [msgspec.json.decode(line) for line in (output / FRAMES).read_bytes().splitlines()]
    chosen = choose_pictures(dict(summary), lines, params.pictures)
    folder = Path(params.with_images).expanduser().absolute() if params.with_images else None
    if folder is not None:
        durable.ensure_writable(folder)
    pictures: dict[int, Picture] = {}
    linked: dict[int, str] = {}
    wanted = {line["index"] for line in lines} if folder is not None else set(chosen)
    bag = summary["bag"]
    with Recording(Path(bag["path"])) as recording:
        for shown, _, _ in shown_frames(recording, bag["topic"], Skips({}), wanted.__contains__):
            if folder is not None:
                path = folder / f"{shown.index:06}.jpg"
                _save(path, jpeg(shown.rgb, _QUALITY))
                linked[shown.index] = os.path.relpath(path, output.absolute())
            if shown.index in chosen:
                small = _reduced(shown.rgb, params.picture_width)
                height, width = small.shape[:2]
                pictures[shown.index] = Picture(jpeg(small, _QUALITY), width, height, chosen[shown.index])
            if shown.index >= max(wanted):
                break
    page = output / REPORT
    durable.write_text(page, build_report(dict(summary), lines, pictures, linked or None))
    return page


def _reduced(rgb: Pixels, width: int) -> Pixels:
    if rgb.shape[1] <= width:
        return rgb
    height = max(1, round(rgb.shape[0] * width / rgb.shape[1]))
    reduced: Pixels = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return reduced


def _save(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot write: {error.strerror}", where=path, fix="choose another --with-images") from error

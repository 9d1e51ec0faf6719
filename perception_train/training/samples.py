"""What the network is shown: a picture of the first augmented samples with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from perception_common import durable
from perception_common.images import jpeg
from perception_infer.draw import draw_detections, draw_mask
from perception_infer.evaluation.confusion import IGNORED

from ..data.loader import Batch

NAME = "augmented.jpg"
_MOST, _COLUMNS, _GAP_PX = 16, 4, 4
_LONGEST_PX, _QUALITY = 480, 88


def write_samples(run_directory: Path, batch: Batch, classes: Sequence[str]) -> Path:
    """Write the first samples of a batch, in rows, as ``augmented.jpg``; its path.

    Someone who looks at it sees at once whether boxes fit, whether classes are right and whether the augmentation is
    too strong: all that no loss curve tells.

    Raises:
        UserError: the file cannot be written.
    """
    tiles = []
    for index in range(min(len(batch.images), _MOST)):
        valid = batch.targets.mask[index]
        boxes, labels = batch.targets.boxes[index][valid].numpy(), batch.targets.labels[index][valid].numpy()
        image = batch.images[index].numpy()
        scale = min(1.0, _LONGEST_PX / max(image.shape[:2]))
        if scale < 1.0:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if batch.targets.pixels is not None:
            mask = np.where((mask := batch.targets.pixels[index].numpy()) == IGNORED, 0, mask).astype(np.uint8)
            image = draw_mask(image, cv2.resize(mask, image.shape[1::-1], interpolation=cv2.INTER_NEAREST_EXACT))
        drawn = draw_detections(image, boxes * scale, labels, classes)
        tiles.append(np.pad(drawn, ((0, _GAP_PX), (0, _GAP_PX), (0, 0)), constant_values=255))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % _COLUMNS)
    sheet = np.vstack([np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)])
    durable.write_bytes(run_directory / NAME, jpeg(sheet, _QUALITY))
    return run_directory / NAME

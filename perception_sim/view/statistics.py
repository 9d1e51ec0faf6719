"""A dataset in numbers: what ``--json`` writes and the page shows."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from .annotations import Dataset
from .features import COCO_BANDS_PX, FEATURES, Values
from .files import Files
from .pixels import Pixels

HEAT_GRID = (48, 64)
_BINS = 40


def describe(dataset: Dataset, files: Files, pixels: Pixels, values: Values) -> dict[str, Any]:
    """Counts, classes, distributions and faults of a dataset as plain numbers."""
    labelled = ~dataset.crowd
    with_anything = np.unique(dataset.image)
    shapes = Counter(map(tuple, dataset.sizes.tolist()))
    return {
        "dataset": str(dataset.root),
        "images": len(dataset.file_names),
        "missing_images": int((files.size < 0).sum()),
        "unlisted_files": files.unlisted,
        "image_bytes": int(files.size[files.size > 0].sum()),
        "objects": int(labelled.sum()),
        "unlabelled": int(dataset.crowd.sum()),
        "negative_images": len(dataset.file_names) - len(with_anything),
        "image_sizes": [{"width": w, "height": h, "images": n} for (w, h), n in shapes.most_common()],
        "classes": [_class(dataset, index) for index in range(len(dataset.classes))],
        "coco_bands": _bands(values["size_px"]),
        "features": {
            feature.key: {"unit": feature.unit, "of": feature.of, **summary(values[feature.key])}
            for feature in FEATURES
        },
        "sample": {
            "images": len(pixels.readable),
            "unreadable": len(pixels.unreadable),
            "other_size": len(pixels.other_size),
            "mean_rgb": [round(v, 2) for v in pixels.color.mean(0).tolist()] if len(pixels.color) else None,
            "masks": pixels.masks,
            "broken_masks": pixels.broken_masks,
            "masks_that_differ_from_the_box": pixels.loose_masks,
        },
        "with_masks": bool(pixels.masks),
        "amodal_boxes": int((~np.isnan(dataset.amodal[:, 0])).sum()),
        "boxes_outside": int(outside(dataset).sum()),
        "positions": np.round(heat_map(dataset, None), 5).tolist(),
        "faults": dict(dataset.faults),
    }


def summary(values: np.ndarray) -> dict[str, Any]:
    """Count, mean, standard deviation, percentiles and a histogram of values; ``{"count": 0}`` of none."""
    if not len(values):
        return {"count": 0}
    ranks = (0, 5, 25, 50, 75, 95, 100)
    names = ("minimum", "p5", "p25", "median", "p75", "p95", "maximum")
    found = {name: float(f"{v:.6g}") for name, v in zip(names, np.percentile(values, ranks), strict=True)}
    counts, edges = np.histogram(values, _BINS)
    return {
        "count": len(values),
        "mean": float(f"{values.mean():.6g}"),
        "std": float(f"{values.std():.6g}"),
        **found,
        "histogram": {"counts": counts.tolist(), "edges": [float(f"{edge:.6g}") for edge in edges]},
    }


def outside(dataset: Dataset, tolerance: float = 0.05) -> np.ndarray:
    """Which boxes reach out of their image by more than ``tolerance`` pixels (files round), bool [M]."""
    sizes = dataset.sizes[dataset.image]
    return (dataset.boxes[:, :2] < -tolerance).any(1) | (dataset.boxes[:, 2:] > sizes + tolerance).any(1)


def heat_map(dataset: Dataset, category: int | None) -> np.ndarray:
    """The share of labelled boxes (of a category) that cover each cell of the image, float [48, 64], 0 to 1."""
    chosen = ~dataset.crowd if category is None else ~dataset.crowd & (dataset.category == category)
    boxes = dataset.boxes[chosen] / np.tile(dataset.sizes[dataset.image[chosen]], 2)
    rows, columns = HEAT_GRID
    scale = np.array([columns, rows, columns, rows])
    low = np.clip(np.floor(boxes * scale)[:, :2], 0, (columns - 1, rows - 1)).astype(int)
    high = np.clip(np.ceil(boxes * scale)[:, 2:], low + 1, (columns, rows)).astype(int)
    # Each box adds one between its corners: summed from four marks, however large the boxes are.
    marks = np.zeros((rows + 1, columns + 1))
    for y, x, sign in ((low, low, 1), (low, high, -1), (high, low, -1), (high, high, 1)):
        np.add.at(marks, (y[:, 1], x[:, 0]), sign)
    share: np.ndarray = marks.cumsum(0).cumsum(1)[:rows, :columns] / max(len(boxes), 1)
    return share


def _class(dataset: Dataset, index: int) -> dict[str, Any]:
    chosen = dataset.category == index
    labelled = chosen & ~dataset.crowd
    extent = dataset.boxes[labelled, 2:] - dataset.boxes[labelled, :2]
    size = np.sqrt(extent.prod(1))
    occlusion = dataset.occlusion[labelled]
    occlusion = occlusion[np.isfinite(occlusion)]
    return {
        "name": dataset.classes[index],
        "labelled": int(labelled.sum()),
        "unlabelled": int((chosen & dataset.crowd).sum()),
        "images": len(np.unique(dataset.image[labelled])),
        "median_size_px": round(float(np.median(size)), 2) if len(size) else None,
        "coco_bands": _bands(size),
        "mean_occlusion": round(float(occlusion.mean()), 4) if len(occlusion) else None,
    }


def _bands(size: np.ndarray) -> dict[str, int]:
    small, medium, large = np.bincount(np.digitize(size, COCO_BANDS_PX), minlength=3).tolist()
    return {"small": small, "medium": medium, "large": large}

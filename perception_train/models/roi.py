"""RoIAlign over a feature pyramid with static shapes, in operations that every TensorRT builds.

RoIAlign (He et al. 2017, section 3) without the operator of that name: the levels of the pyramid (Lin et al. 2017)
become one table of cells, and every bilinear tap is a row of it. The answer is that of torchvision's
``MultiScaleRoIAlign`` with ``aligned=False``.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: Bins along each side of a region, and sampling points along each side of a bin.
BINS, SAMPLES = 7, 2
#: A region of this many pixels squared belongs to the level of stride 2 ** 4 (Lin et al. 2017, equation 1).
CANONICAL_SIZE, CANONICAL_LEVEL = 224, 4
#: Regions that fall short of the next level by rounding only belong to it; torchvision's allowance, in levels.
_LEVEL_SLACK = 1e-6


def sample_regions(features: list[Tensor], boxes: Tensor, height: int) -> Tensor:
    """Features of regions, each from the level of the pyramid that fits its size.

    Args:
        features: [B, C, Hi, Wi], finest level first; strides are powers of two.
        boxes: float32 [B, P, 4], xyxy in network pixels.
        height: of the network's input, in pixels.

    Returns:
        float32 [B * P, C, BINS, BINS].
    """
    batch, count = int(boxes.shape[0]), int(boxes.shape[1])
    sizes = [(int(x.shape[2]), int(x.shape[3])) for x in features]
    table = torch.cat([x.float().flatten(2) for x in features], 2).transpose(1, 2)
    cells, channels = int(table.shape[1]), int(table.shape[2])
    table = table.reshape(batch * cells, channels)

    strides = [height // rows for rows, _ in sizes]
    level = region_levels(boxes, strides)
    starts = [sum(h * w for h, w in sizes[:i]) for i in range(len(sizes))]
    scale = _of_level([1 / stride for stride in strides], level, torch.float32)
    rows, columns = (_of_level([size[axis] for size in sizes], level, torch.int64) for axis in (0, 1))
    image = torch.arange(batch, device=boxes.device)[:, None] * cells
    start = image + _of_level(starts, level, torch.int64)

    scaled = boxes * scale[..., None]
    y, y_weight = _taps(scaled[..., 1], scaled[..., 3], rows.float())
    x, x_weight = _taps(scaled[..., 0], scaled[..., 2], columns.float())
    line = start[..., None, None] + y * columns[..., None, None]
    # Not zeros to begin with: the exported graph would hold them.
    total: Tensor | None = None
    # Tap by tap: all sixteen at once would take a quarter of a gigabyte for 300 regions.
    for i in range(2 * SAMPLES):
        for j in range(2 * SAMPLES):
            index = line[..., :, None, i] + x[..., None, :, j]
            weight = y_weight[..., :, None, i] * x_weight[..., None, :, j]
            cell, share = table.index_select(0, index.reshape(-1)), weight.reshape(-1, 1)
            total = cell * share if total is None else torch.addcmul(total, cell, share)
    assert total is not None
    return total.reshape(batch * count, BINS, BINS, channels).permute(0, 3, 1, 2)


def region_levels(boxes: Tensor, strides: list[int]) -> Tensor:
    """The level of each region, int64 [B, P], 0 the finest, of boxes float32 [B, P, 4] xyxy in network pixels.

    The number of levels whose least size a region has: equation 1 of Lin et al. 2017 without the logarithm, which is
    infinite for empty regions.
    """
    size = ((boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])).sqrt()
    finest, coarsest = round(math.log2(strides[0])), round(math.log2(strides[-1]))
    level = torch.zeros_like(size, dtype=torch.int64)
    for step in range(finest + 1, coarsest + 1):
        level = level + (size >= CANONICAL_SIZE * 2.0 ** (step - CANONICAL_LEVEL - _LEVEL_SLACK)).to(torch.int64)
    return level


def _taps(low: Tensor, high: Tensor, cells: Tensor) -> tuple[Tensor, Tensor]:
    """The cells along one axis that each bin is interpolated from, int64 [B, P, BINS, 2 * SAMPLES], and their weights.

    Args:
        low, high: sides of the regions, float32 [B, P], in cells of their level.
        cells: along this axis on that level, float32 [B, P].
    """
    # Regions have at least one cell: what ``aligned=False`` means beside the missing half-cell shift.
    bin_size = (high - low).clamp(min=1.0) / BINS
    steps = (torch.arange(BINS * SAMPLES, dtype=torch.float32, device=low.device) + 0.5) / SAMPLES
    at = low[..., None] + steps * bin_size[..., None]
    cells = cells[..., None]
    # Points more than a cell outside count as zero, nearer ones as the cell at the border.
    inside = ((at >= -1.0) & (at <= cells)).float() / SAMPLES
    at = torch.minimum(at.clamp(min=0.0), cells - 1)
    first = at.floor()
    share = at - first
    index = torch.stack((first, torch.minimum(first + 1, cells - 1)), -1)
    weight = torch.stack((inside * (1 - share), inside * share), -1)
    shape = (int(low.shape[0]), int(low.shape[1]), BINS, 2 * SAMPLES)
    return index.reshape(shape).to(torch.int64), weight.reshape(shape)


def _of_level(values: list[float] | list[int], level: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.tensor(values, dtype=dtype, device=level.device)[level]

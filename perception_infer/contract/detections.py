"""Result types, validated and frozen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of one image, best first.

    Attributes:
        boxes: float32 [N, 4], xyxy in pixels of the original image (edges: the image is 0, 0, W, H).
        scores: float32 [N], 0 to 1.
        labels: int32 [N], 0-based index into the model's class names.

    Raises:
        ValueError: shapes or dtypes do not fit.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        count = len(self.scores)
        for name, dtype, shape in (
            ("boxes", np.float32, (count, 4)),
            ("scores", np.float32, (count,)),
            ("labels", np.int32, (count,)),
        ):
            value = getattr(self, name)
            if value.dtype != dtype or value.shape != shape:
                raise ValueError(f"{name} must be {np.dtype(dtype)} {shape}, is {value.dtype} {value.shape}")
            value.flags.writeable = False

    def __len__(self) -> int:
        return len(self.scores)

    def __getitem__(self, index: npt.NDArray[np.bool_] | npt.NDArray[np.intp] | slice) -> Detections:
        return Detections(self.boxes[index], self.scores[index], self.labels[index])

    @classmethod
    def empty(cls) -> Detections:
        """No detection."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Class of every pixel of one image.

    Attributes:
        mask: uint8 [H, W], 0 = background, i + 1 = class i.
        confidence: uint8 [H, W], 255 times the probability of that class.

    Raises:
        ValueError: shapes or dtypes do not fit.
    """

    mask: npt.NDArray[np.uint8]
    confidence: npt.NDArray[np.uint8]

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.mask.shape != self.confidence.shape:
            raise ValueError(f"mask and confidence must be [H, W], are {self.mask.shape} and {self.confidence.shape}")
        for value in (self.mask, self.confidence):
            if value.dtype != np.uint8:
                raise ValueError(f"mask and confidence must be uint8, one is {value.dtype}")
            value.flags.writeable = False


#: What a model tells of an image, whatever its task.
Result = Detections | Segmentation

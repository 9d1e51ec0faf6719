"""Parameters of ``perception-train import``."""

from __future__ import annotations

from dataclasses import dataclass

from perception_common.errors import UserError
from perception_common.params import param

AUTO = "auto"
#: The formats of `perception_train.data.readers.FORMATS`, named here so that `--help` needs no OpenCV.
FORMAT_NAMES = ("replicator", "solo", "blenderproc", "coco", "yolo", "voc", "kitti")


@dataclass(frozen=True)
class ImportParams:
    """Parameters of `perception-train import`."""

    source: tuple[str, ...] = param((), "directories of the datasets to read (COCO's and YOLO's main file will do)")
    format: str = param(AUTO, "format of the sources", choices=(AUTO, *FORMAT_NAMES))
    output: str = param("", "directory of the new dataset; it must not exist")
    classes: tuple[str, ...] = param(
        (), "classes to keep, in the order of their ids: NAME, or SOURCE_NAME=NAME to rename or join (none: all)"
    )
    max_occlusion: float = param(0.85, "hidden share above which an object is ignored", minimum=0.0, maximum=1.0)
    max_truncation: float = param(
        0.85, "share outside of the image above which an object is ignored", minimum=0.0, maximum=1.0
    )
    min_box_px: float = param(4.0, "length of a box's longer side below which an object is ignored", minimum=0.0)
    boxes: str = param(
        "annotated",
        "annotated: boxes as the source gives them; mask: the extent of the object's mask where there is one",
        choices=("annotated", "mask"),
    )
    split: str = param(
        "random",
        "random: by val_share and seed; source: as the source divides itself (folders, lists of train, val and test)",
        choices=("random", "source"),
    )
    val_share: float = param(
        0.2, "share of the images for OUTPUT/val, the rest is OUTPUT/train; 0: all in OUTPUT", minimum=0.0, maximum=0.9
    )
    seed: int = param(0, "seed of the division into train and val", minimum=0)
    images: str = param(
        "copy",
        "copy the images, or link them (hard links take no room but share their content)",
        choices=("copy", "link"),
    )
    masks: bool = param(True, "write masks/*.png with the class of every pixel where that is known")
    negatives: bool = param(True, "keep images that show no object of the classes")
    verify: bool = param(True, "decode every image, and leave out those that are damaged")
    missing_labels: str = param("negative", "what a YOLO image without a label file is", choices=("negative", "skip"))
    kitti_inclusive: bool = param(False, "KITTI's maxima name the last pixel inside, not the edge after it")
    difficult: bool = param(False, "Pascal VOC's difficult objects count like the others, instead of being ignored")

    def require_usable(self) -> None:
        """Raise a `UserError` for what no range can express."""
        if not self.source:
            raise UserError("no dataset is given", fix="--source DIR")
        if not self.output:
            raise UserError("no output directory is given", fix="--output DIR")

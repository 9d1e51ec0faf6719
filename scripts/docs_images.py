"""Pictures below docs/images, as the scripts that draw them write them."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np

from perception_common import durable

ROOT = Path(__file__).resolve().parent.parent


def write(name: str, picture: np.ndarray) -> None:
    """Write BGR uint8 [H, W, 3] as the name's ending says, .jpg or .png, and tell where."""
    options = [cv2.IMWRITE_JPEG_QUALITY, 85] if name.endswith("jpg") else [cv2.IMWRITE_PNG_COMPRESSION, 9]
    done, data = cv2.imencode(Path(name).suffix, picture, options)
    if not done:
        raise RuntimeError("OpenCV could not encode the picture")
    durable.write_bytes(ROOT / "docs" / "images" / name, data.tobytes())
    print(f"docs/images/{name}", file=sys.stderr)

"""Materials of mesh files as `Paint`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..rendering.physical import encoded
from .soup import Paint

LONGEST_PX = 1024
_CLEAR = 0.05
"""The least alpha: a surface that cannot be seen at all has no place in a labelled picture."""


def paint_of(visual: Any, warn: Callable[[str], None]) -> Paint:
    """What one of trimesh's visuals looks like; without a material, a `Paint` that says nothing."""
    material = getattr(visual, "material", None)
    if material is None:
        return Paint("")
    name = str(getattr(material, "name", None) or "")
    if hasattr(material, "baseColorFactor"):
        return _physical(name, material, warn)
    return _simple(name, material, warn)


def _physical(name: str, material: Any, warn: Callable[[str], None]) -> Paint:
    """A material of glTF 2.0, whose factors are linear."""
    factor = np.ones(4) if material.baseColorFactor is None else np.asarray(material.baseColorFactor, float) / 255.0
    roughness = 1.0 if material.roughnessFactor is None else float(material.roughnessFactor)
    metallic = 1.0 if material.metallicFactor is None else float(material.metallicFactor)
    if material.metallicRoughnessTexture is not None:
        # One value stands for the whole map: green is roughness, blue is metalness.
        mean = np.asarray(material.metallicRoughnessTexture.convert("RGB"), float).mean((0, 1)) / 255.0
        roughness, metallic = roughness * float(mean[1]), metallic * float(mean[2])
    blend = str(material.alphaMode or "OPAQUE") == "BLEND"
    alpha = max(float(factor[3]), _CLEAR) if blend else 1.0
    surface = (float(np.clip(roughness, 0.0, 1.0)), float(np.clip(metallic, 0.0, 1.0)), alpha)
    image = _pixels(name, material.baseColorTexture, warn)
    if image is None:
        red, green, blue = encoded(factor[:3]).tolist()
        return Paint(name, (red, green, blue), None, *surface)
    return Paint(name, _mean(image), _times(image, factor[:3]), *surface)


def _simple(name: str, material: Any, warn: Callable[[str], None]) -> Paint:
    """A material of an MTL file. Its exponent becomes roughness as Blinn-Phong's does: sqrt(2 / (Ns + 2))."""
    values = material.kwargs or {}
    exponent = float(getattr(material, "glossiness", None) or 0.0)
    roughness = float(np.clip(np.sqrt(2.0 / (exponent + 2.0)), 0.05, 1.0))
    image = _pixels(name, getattr(material, "image", None), warn)
    surface = (roughness, 0.0, _dissolve(values))
    if image is not None:
        # Exporters leave Kd black or grey beside a map as often as white: the map alone counts.
        return Paint(name, _mean(image), image, *surface)
    red, green, blue = (np.asarray(material.diffuse, float)[:3] / 255.0).tolist()
    # Where the MTL file is not there, trimesh invents a grey of 40 %; that is no colour of the file's.
    told = "kd" in values
    return Paint(name, (red, green, blue) if told else None, None, *surface)


def _dissolve(values: dict[str, Any]) -> float:
    """``d`` (or 1 - ``Tr``) of an MTL material."""
    for key, sign in (("d", 1.0), ("tr", -1.0)):
        try:
            value = float(np.ravel(values[key])[-1])
        except (KeyError, ValueError, IndexError):
            continue
        alpha = value if sign > 0 else 1.0 - value
        # Exporters disagree on which end of Tr is clear: nothing else is meant by 0 than solid.
        return float(np.clip(alpha, _CLEAR, 1.0)) if alpha > 0.0 else 1.0
    return 1.0


def _pixels(name: str, image: Any, warn: Callable[[str], None]) -> np.ndarray | None:
    """A picture of Pillow's as uint8 RGB [H, W, 3], at most `LONGEST_PX` on its longer side; None without one."""
    if image is None:
        return None
    try:
        whole = image.convert("RGBA")
    except (OSError, ValueError, SyntaxError) as error:
        warn(f"the texture of material '{name}' cannot be decoded ({error}); its colour is used instead")
        return None
    pixels = np.asarray(whole)
    if (pixels[..., 3] < 128).mean() > 0.01:
        warn(f"the texture of material '{name}' has holes (alpha), which are shown solid")
    shrink = LONGEST_PX / max(pixels.shape[:2])
    rgb = np.ascontiguousarray(pixels[..., :3])
    return cv2.resize(rgb, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA) if shrink < 1.0 else rgb


def _mean(image: np.ndarray) -> tuple[float, float, float]:
    red, green, blue = (image.mean((0, 1)) / 255.0).tolist()
    return red, green, blue


def _times(image: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """A picture times a linear factor [3]; a power law is near enough to sRGB's curve for that."""
    if np.allclose(factor, 1.0, atol=2e-3):
        return image
    return np.clip(image * factor ** (1.0 / 2.2) + 0.5, 0, 255).astype(np.uint8)

"""The whole camera: light, optics, sensor, image processor, in the order in which they act."""

from __future__ import annotations

import cv2
import numpy as np

from perception_common.errors import UserError

from . import develop, grain, optics
from .settings import SensorSettings

_NEUTRAL = SensorSettings()
_AFTER_TONE = ("sharpening", "downscale", "jpeg", "noise", "motion_angle")


def expose(rgb: np.ndarray, settings: SensorSettings, rng: np.random.Generator) -> np.ndarray:
    """The picture as that camera gives it: uint8 sRGB [H, W, 3] in and out; a pure function of its arguments.

    Linearise → exposure and white balance → vignette → chromatic aberration → defocus → motion → blur → colour
    filters → shot and read noise → clipping → demosaicing → saturation → tone curve → plain noise → sharpening →
    fewer pixels → JPEG. Steps at their neutral value are left out; with all neutral the input itself comes back.

    Args:
        rgb: the picture of an ideal camera.
        settings: what is done to it.
        rng: where the noise comes from.

    Raises:
        UserError: not an uint8 picture of three channels.

    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.size == 0:
        raise UserError(f"not a picture: {rgb.dtype} {list(rgb.shape)}", where="sensor", fix="give uint8 RGB [H, W, 3]")
    picture = rgb
    if any(getattr(settings, name) != value for name, value in vars(_NEUTRAL).items() if name not in _AFTER_TONE):
        picture = _develop(_gather(np.ascontiguousarray(rgb), settings), settings, rng)
    if settings.noise > 0.0:
        grey = grain.unit_normals(picture.shape, rng)
        picture = cv2.addWeighted(picture, 1.0, grey, 255.0 * settings.noise, 0.0, dtype=cv2.CV_8U)
    return _finish(picture, settings)


def _gather(rgb: np.ndarray, settings: SensorSettings) -> np.ndarray:
    """The light that reaches the sensor, float32 [H, W, 3], 1 = full scale."""
    light = develop.to_linear(rgb, tuple(settings.exposure * gain for gain in settings.balance))
    if settings.vignette > 0.0:
        light = optics.vignette(light, settings.vignette)
    if settings.aberration != 0.0:
        light = optics.aberration(light, settings.aberration)
    if settings.defocus > 0.0:
        light = optics.defocus(light, settings.defocus)
    if settings.motion > 0.0:
        light = optics.motion(light, settings.motion, settings.motion_angle)
    if settings.blur > 0.0:
        light = optics.blur(light, settings.blur)
    return light


def _develop(light: np.ndarray, settings: SensorSettings, rng: np.random.Generator) -> np.ndarray:
    """The picture uint8 [H, W, 3] of the light on the sensor."""
    # A picture of one or two rows or columns has no neighbours to interpolate from.
    bayer = settings.bayer and min(light.shape[:2]) > 2
    # Noise of a colour that the filter keeps away would not be seen: the mosaic first saves two thirds of it.
    signal = develop.mosaic(light) if bayer else light
    if settings.shot_noise > 0.0 or settings.read_noise > 0.0:
        signal = grain.add_noise(signal, settings.shot_noise, settings.read_noise, rng)
    counts = develop.quantise(signal)
    pixels = develop.demosaic(counts) if bayer else counts
    if settings.saturation != 1.0:
        pixels = develop.saturate(pixels, settings.saturation)
    return develop.encode(pixels, settings.gamma, settings.contrast)


def _finish(picture: np.ndarray, settings: SensorSettings) -> np.ndarray:
    if settings.sharpening > 0.0:
        picture = develop.sharpen(picture, settings.sharpening)
    if settings.downscale > 1.0:
        picture = develop.reduce(picture, settings.downscale)
    if settings.jpeg > 0:
        picture = develop.compress(picture, settings.jpeg)
    return picture

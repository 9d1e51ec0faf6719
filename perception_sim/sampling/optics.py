"""Lenses and sensor settings, drawn from a preset."""

from __future__ import annotations

import dataclasses

import numpy as np

from perception_common.errors import UserError

from ..lens import MAX_ANGLE, Lens
from ..presets import Preset
from ..randomize import Chance
from ..rendering.viewer import source_of
from ..sections import Camera
from ..sensor import SensorSettings

_LENS_ATTEMPTS = 10


@dataclasses.dataclass(frozen=True)
class Optics:
    """The vertical field of view in degrees of a pinhole of the same focal length, and the lens, if it bends."""

    fovy: float
    lens: Lens | None


def sample_optics(camera: Camera, width: int, height: int, rng: np.random.Generator) -> Optics:
    """A lens of the preset's camera, drawn again while it is one that cannot be rendered."""
    for _ in range(_LENS_ATTEMPTS):
        model, fovy = camera.lens(rng), camera.fovy(rng)
        if model == "none":
            break
        try:
            lens = _lens(model, camera, width, height, fovy, rng)
            source_of(lens, width, height)
        except UserError:
            continue
        return Optics(float(2.0 * np.degrees(np.arctan(height / 2.0 / lens.fy))), lens)
    return Optics(fovy, None)


def _lens(model: str, camera: Camera, width: int, height: int, fovy: float, rng: np.random.Generator) -> Lens:
    if model == "equidistant":
        d = (float(rng.uniform(-0.05, 0.1)), *rng.uniform(-0.01, 0.01, 3).tolist())
        field = camera.fisheye(rng)
        # Beyond about this field the corners of a picture would lie behind the camera: there is the barrel.
        circle = float(min(0.5 * field * rng.uniform(1.0, 1.15), MAX_ANGLE)) if field > 120.0 else 0.0
        return Lens.of_field(model, width, height, field, d, circle)
    focal = height / 2.0 / float(np.tan(np.radians(fovy) / 2.0))
    k1 = camera.distortion(rng)
    d = (k1, float(k1 * k1 * rng.uniform(0.5, 1.2)), *rng.uniform(-0.001, 0.001, 2).tolist(), 0.0)
    return Lens(model, focal, focal, width / 2.0, height / 2.0, d)


def sample_sensor(preset: Preset, rng: np.random.Generator) -> SensorSettings:
    """Settings of the sensor for one picture."""
    s = preset.sensor
    deviation = s.white_balance(rng)
    balance = 1.0 + rng.uniform(-deviation, deviation, 3)
    return SensorSettings(
        exposure=s.exposure(rng),
        balance=(float(balance[0]), float(balance[1]), float(balance[2])),
        vignette=s.vignette(rng),
        aberration=s.aberration(rng),
        defocus=s.defocus(rng),
        motion=s.motion(rng),
        motion_angle=rng.uniform(0.0, np.pi),
        blur=s.blur(rng),
        shot_noise=s.shot_noise(rng),
        read_noise=s.read_noise(rng),
        bayer=Chance(s.bayer)(rng),
        saturation=s.saturation(rng),
        gamma=s.gamma(rng),
        contrast=s.contrast(rng),
        sharpening=s.sharpening(rng),
        downscale=s.downscale(rng),
        jpeg=int(s.jpeg(rng)),
        noise=s.noise(rng),
    )

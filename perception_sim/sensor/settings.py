"""How a sensor is set: plain numbers that can be drawn, recorded and read back."""

from __future__ import annotations

import dataclasses
import functools

from perception_common.errors import UserError
from perception_common.params import Spec, check, param, specs


@dataclasses.dataclass(frozen=True)
class SensorSettings:
    """What optics, sensor and image processor of a camera do to a picture.

    Every default is neutral. The values are plain numbers: ``dataclasses.asdict`` gives what JSON can hold, and
    ``SensorSettings(**read)`` takes it back. "Full scale" is the signal at which the sensor clips.

    Raises:
        UserError: a value of the wrong type or out of range.

    """

    exposure: float = param(1.0, "factor on the light; what exceeds full scale is clipped", minimum=0.01, maximum=100.0)
    balance: tuple[float, ...] = param(
        (1.0, 1.0, 1.0), "factors on linear red, green and blue", minimum=0.05, maximum=20.0
    )
    vignette: float = param(0.0, "share of the light that is lost in the corners", minimum=0.0, maximum=0.95)
    aberration: float = param(
        0.0, "how far red lies outside and blue inside of green in the corners, pixels", minimum=-20.0, maximum=20.0
    )
    defocus: float = param(0.0, "radius of the disc that a point becomes, pixels", minimum=0.0, maximum=100.0)
    motion: float = param(0.0, "length of the line that a point becomes, pixels", minimum=0.0, maximum=200.0)
    motion_angle: float = param(
        0.0, "direction of that line, radians from the x axis towards the y axis", minimum=-7.0, maximum=7.0
    )
    blur: float = param(0.0, "standard deviation of the lens's Gaussian blur, pixels", minimum=0.0, maximum=50.0)
    shot_noise: float = param(
        0.0,
        "standard deviation of the photon noise at full scale, of full scale: 1 / sqrt(electrons at full scale)",
        minimum=0.0,
        maximum=1.0,
    )
    read_noise: float = param(
        0.0, "standard deviation of the noise without light, of full scale (linear light)", minimum=0.0, maximum=1.0
    )
    bayer: bool = param(False, "whether each pixel has one colour filter (RGGB) and the others are interpolated")
    saturation: float = param(1.0, "factor on the distance of linear colours from grey", minimum=0.0, maximum=4.0)
    gamma: float = param(1.0, "exponent on the encoded value: below 1 lifts the shadows", minimum=0.2, maximum=5.0)
    contrast: float = param(
        1.0, "slope of the tone curve in the middle; black and white stay", minimum=0.2, maximum=5.0
    )
    sharpening: float = param(0.0, "amount of the unsharp mask of one pixel", minimum=0.0, maximum=10.0)
    downscale: float = param(
        1.0, "how many times fewer pixels each way the sensor has; enlarged back", minimum=1.0, maximum=32.0
    )
    jpeg: int = param(0, "quality of the JPEG that the picture has been, 0 for none", minimum=0, maximum=100)
    noise: float = param(
        0.0, "standard deviation of noise added after the tone curve, of full scale", minimum=0.0, maximum=1.0
    )

    def __post_init__(self) -> None:
        for name, spec in _specs().items():
            object.__setattr__(self, name, check(spec, getattr(self, name), "sensor settings"))
        if len(self.balance) != 3:
            raise UserError(f"'balance' has {len(self.balance)} factors", where="sensor settings", fix="give three")


@functools.lru_cache(maxsize=1)
def _specs() -> dict[str, Spec]:
    return specs(SensorSettings)

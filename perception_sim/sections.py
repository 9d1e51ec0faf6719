"""Every axis of randomisation of a preset, section by section, with its default and its limits (see `axes`)."""

from __future__ import annotations

import dataclasses

from perception_common.params import param

from .axes import axis, mix
from .catalogue import KINDS
from .randomize import Number, Shares
from .textures import GENERAL, PATTERNS
from .textures.ground import GROUND

_ALL_PATTERNS = tuple(PATTERNS)


@dataclasses.dataclass(frozen=True)
class Content:
    """What stands in a scene."""

    classes: tuple[str, ...] = param(tuple(KINDS), "object classes; category ids follow this order")
    object_dirs: tuple[str, ...] = param((), "folders of objects made by perception-sim add-object; their names join")
    objects: Number = axis([2, 10], "objects of a class per scene", whole=True, minimum=0, maximum=60)
    distractor_kinds: Shares = mix(
        ["shapes"],
        "what distractors are: shapes (abstract ones), lookalikes (of the classes), catalogue (every kind that is no "
        "class), or single kinds",
    )
    distractors: Number = axis([0, 4], "distractors per scene", whole=True, minimum=0, maximum=60)
    distractor_size: Number = axis(
        {"log_uniform": [0.4, 2.5]},
        "size of a distractor over the typical size of the classes",
        minimum=0.01,
        maximum=100.0,
    )
    negatives: float = param(0.08, "share of scenes without any object of a class", minimum=0.0, maximum=1.0)
    size: Number | None = axis(
        [0.05, 0.12], "nominal size of objects in metres; natural: each kind's own",
        minimum=0.005, maximum=5.0, natural=True,
    )  # fmt: skip
    spread: Number = axis(1.5, "radius of the area over that of a disc that the objects would just fill", minimum=1.0)
    gap: float = param(0.7, "least distance between two objects over the sum of their radii", minimum=0.0)
    upright: Number | None = axis(
        0.5, "share of objects set down upright; the others tumble; natural: each kind's own",
        minimum=0.0, maximum=1.0, natural=True,
    )  # fmt: skip
    drop: float = param(
        0.8, "greatest height from which objects are dropped, over their size", minimum=0.0, maximum=10.0
    )
    floating: float = param(0.0, "share of scenes whose objects float in the air, unsettled", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Camera:
    """Where the camera is and what it sees."""

    mode: Shares = mix(
        ["orbit"],
        "orbit: looks at the whole group from a distance that fills the image; robot: stands at a height and looks at "
        "one object",
        ("orbit", "robot"),
    )
    fovy: Number = axis([35.0, 65.0], "vertical field of view, degrees", minimum=3.0, maximum=120.0)
    roll: Number = axis([-8.0, 8.0], "tilt about the optical axis, degrees", minimum=-180.0, maximum=180.0)
    elevation: Number = axis(
        [15.0, 75.0], "orbit: height above the ground seen from the scene, degrees", minimum=1.0, maximum=89.0
    )
    fill: Number = axis([0.6, 1.3], "orbit: radius of the group of objects over half the image height", minimum=0.05)
    aim: float = param(0.3, "orbit: how far the camera looks past the middle, over the group's radius", minimum=0.0)
    height: Number = axis([0.2, 1.5], "robot: height above the ground, metres", minimum=0.01, maximum=100.0)
    apparent: Number = axis(
        {"log_uniform": [0.08, 0.8]},
        "robot: size of the object looked at over the image height",
        minimum=0.005,
        maximum=3.0,
    )
    off_centre: Number = axis(
        [0.0, 0.35], "robot: distance of the object looked at from the middle, over the image's size", maximum=1.0
    )
    keep_in_view: float = param(
        0.35, "least share of an object's box inside the image; less is as good as outside", minimum=0.0, maximum=1.0
    )
    depth_of_field: Number = axis(
        0.0,
        "blur of what is far behind the objects, on which the camera is focused: radius in pixels of a picture 480 "
        "pixels high (0: everything is sharp)",
        minimum=0.0,
        maximum=30.0,
    )
    lens: Shares = mix(["none"], "kind of lens distortion", ("none", "plumb_bob", "equidistant"))
    distortion: Number = axis([-0.25, 0.1], "plumb_bob: first radial coefficient k1", minimum=-0.4, maximum=0.3)
    fisheye: Number = axis(
        [100.0, 140.0], "equidistant: horizontal field of view, degrees", minimum=60.0, maximum=150.0
    )


@dataclasses.dataclass(frozen=True)
class Light:
    """Lights."""

    extra: Number = axis([0, 2], "lights besides the main one", whole=True, minimum=0, maximum=6)
    shadow: float = param(0.85, "probability that the main light casts shadows", minimum=0.0, maximum=1.0)
    elevation: Number = axis([25.0, 85.0], "height of a light above the horizon, degrees", minimum=1.0, maximum=90.0)
    brightness: Number = axis([0.35, 0.9], "of the main light", minimum=0.0)
    ambient: Number = axis([0.12, 0.4], "light from everywhere", minimum=0.0)
    tint: Number = axis([0.0, 0.3], "saturation of a light's colour", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Surface:
    """Materials of objects and stage, table, walls, sky."""

    typical: float = param(
        0.0, "share of objects that look as their kind typically does; the others have random colours and patterns",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    object_patterns: Shares = mix(GENERAL, "patterns on objects", _ALL_PATTERNS)
    stage_patterns: Shares = mix(GENERAL + tuple(GROUND), "patterns on floor, table and walls", _ALL_PATTERNS)
    detail: Number = axis(
        1.0, "factor on the contrast of every texture that is no photograph; 0 leaves plain colours",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    contrast: Number = axis([0.3, 1.0], "of an object's pattern", minimum=0.0, maximum=1.0)
    stage_typical: float = param(
        0.0, "share of floors, tables and walls in the colours that their pattern typically has (green grass)",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    stage_contrast: Number = axis([0.2, 0.9], "of the pattern of floor, table and walls", minimum=0.0, maximum=1.0)
    saturation: Number = axis([0.0, 1.0], "of object colours", minimum=0.0, maximum=1.0)
    stage_saturation: Number = axis([0.0, 0.7], "of the colours of floor, table and walls", minimum=0.0, maximum=1.0)
    stand_out: float = param(
        0.1, "least distance (RGB, 0..1.7) between an object's random colour and that of the ground",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    table: float = param(0.4, "probability of a table top instead of a floor", minimum=0.0, maximum=1.0)
    walls: float = param(0.6, "probability of walls instead of the sky", minimum=0.0, maximum=1.0)
    sky: Shares = mix(
        ["gradient"],
        "what is around where there are no walls: gradient (two colours), clouds, skyline (trees, houses, fences under "
        "clouds), indoors (the far side of a room or hall)",
        ("gradient", "clouds", "skyline", "indoors"),
    )
    gloss: Number = axis([0.0, 0.6], "specular reflection of a surface", minimum=0.0, maximum=1.0)
    tile: Number = axis(
        {"log_uniform": [2.5, 12.0]}, "length of the floor's texture over the typical object's size", minimum=0.1
    )


@dataclasses.dataclass(frozen=True)
class Background:
    """Photographs, and pictures put together instead of rendered."""

    images: tuple[str, ...] = param((), "folders of photographs (jpg, png), searched with their sub-folders")
    stage: float = param(
        0.5, "share of scenes whose floor, table, walls and sky are photographs, where there are any",
        minimum=0.0, maximum=1.0,
    )  # fmt: skip
    composite: float = param(
        0.0, "share of images whose objects stand before a picture instead of their scene", minimum=0.0, maximum=1.0
    )
    paste: float = param(
        0.0, "share of images put together from cut-outs of the scene's earlier images", minimum=0.0, maximum=1.0
    )
    blend: Number = axis([0.3, 1.2], "width of a cut-out's blended edge, pixels", minimum=0.0, maximum=10.0)


@dataclasses.dataclass(frozen=True)
class Sensor:
    """What the camera does to the picture: distributions of `perception_sim.sensor.SensorSettings`."""

    exposure: Number = axis({"log_uniform": [0.7, 1.35]}, "factor on the light", minimum=0.05, maximum=20.0)
    white_balance: Number = axis([0.0, 0.08], "greatest deviation of a channel's gain from 1", minimum=0.0, maximum=0.9)
    vignette: Number = axis(0.0, "share of the light that is lost in the corners", minimum=0.0, maximum=0.95)
    aberration: Number = axis(0.0, "how far red and blue part in the corners, pixels", minimum=-20.0, maximum=20.0)
    defocus: Number = axis(0.0, "radius of the disc that a point becomes, pixels", minimum=0.0, maximum=50.0)
    motion: Number = axis(0.0, "length of the motion blur, pixels; its direction is random", minimum=0.0, maximum=100.0)
    blur: Number = axis([0.0, 0.9], "standard deviation of the lens's blur, pixels", minimum=0.0, maximum=20.0)
    shot_noise: Number = axis(0.0, "standard deviation of the photon noise at full scale", minimum=0.0, maximum=0.5)
    read_noise: Number = axis(0.0, "standard deviation of the noise in the dark", minimum=0.0, maximum=0.5)
    bayer: float = param(0.0, "share of pictures that are interpolated from a colour filter", minimum=0.0, maximum=1.0)
    saturation: Number = axis(1.0, "factor on the distance of colours from grey", minimum=0.0, maximum=4.0)
    gamma: Number = axis({"log_uniform": [0.8, 1.25]}, "exponent of the tone curve", minimum=0.2, maximum=5.0)
    contrast: Number = axis(1.0, "slope of the tone curve in the middle", minimum=0.2, maximum=5.0)
    sharpening: Number = axis(0.0, "amount of the unsharp mask", minimum=0.0, maximum=10.0)
    downscale: Number = axis(1.0, "how many times fewer pixels each way the sensor has", minimum=1.0, maximum=16.0)
    jpeg: Number = axis(
        0, "quality of the JPEG that the picture has been, 0 for none", whole=True, minimum=0, maximum=100
    )
    noise: Number = axis([0.0, 0.03], "standard deviation of the noise after the tone curve", minimum=0.0, maximum=1.0)


@dataclasses.dataclass(frozen=True)
class Labels:
    """Which visible objects are labelled; the others are marked ``iscrowd`` (neither trained on nor scored)."""

    min_box_px: float = param(8.0, "least length of a box's longer side, pixels", minimum=1.0)
    max_occlusion: float = param(0.85, "greatest share of an object hidden behind others", minimum=0.0, maximum=1.0)
    max_truncation: float = param(0.85, "greatest share of an object outside the image", minimum=0.0, maximum=1.0)
    min_visible_px: int = param(30, "least number of visible pixels", minimum=1)


#: What a preset consists of.
SECTIONS: dict[str, type] = {
    "content": Content,
    "camera": Camera,
    "light": Light,
    "surface": Surface,
    "background": Background,
    "sensor": Sensor,
    "labels": Labels,
}

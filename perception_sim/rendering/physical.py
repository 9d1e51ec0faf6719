"""A world in the units of physically based rendering: linear colours, lux, roughness.

Scenes are described as the classic renderer shows them: colours are sRGB, and a white floor has the value
``ambient`` + the sum of its lights' colours, each by the cosine of its angle. Here the same floor reflects the
linear light that sRGB encodes as that value, and so it does in the shade: pictures of both renderers are
equally bright.
"""

from __future__ import annotations

import copy
import dataclasses

import numpy as np

from ..world import NO_THING, World
from . import skylight
from .gl import mujoco

_GREY_GROUND = np.full(3, 0.2)
# What is not directional is as bright in the middle of the scene as its colour says, and at least this far from it.
_NEAREST_LAMP_M = 0.1
# Glossy surfaces may be that much brighter than matt ones before they are cut off.
_HEADROOM = 1.5
# How much of the sky's colour its light has: random skies are more colourful than real ones.
_SKY_TINT = 0.5
# Filament has one directional light. The others become lamps so many times the scene's extent from its middle: from
# further away their shadows would be too coarse, from nearer by they would not light all of it.
_LAMP_EXTENTS, _LAMP_CONE_DEG = 6.0, 50.0


Lamp = tuple[int, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Physical:
    """A model to render in linear light, where 1.0 is white on the screen.

    ``model`` is a copy of the world's: linear textures, roughness and metalness everywhere, and lights whose
    ``light_intensity`` is the illuminance (of spots and points: intensity) that makes a white matt surface
    reflect 1.0, times π. ``sky`` is the KTX cube map of what else shines. ``brightest`` is about the largest value
    that is not white on the screen (emission is relative to it). ``lamps`` are the directional lights that became
    spots: their index, position [3] and direction [3]. ``shadeless`` are the geoms that stand between the light and
    the things and have to let it through.
    """

    model: mujoco.MjModel
    sky: bytes
    brightest: float
    lamps: tuple[Lamp, ...]
    shadeless: tuple[int, ...]


def physical(world: World) -> Physical:
    """``world``, whose middle is its origin, prepared for Filament."""
    model = copy.copy(world.model)
    _linear_textures(model)
    _complete_materials(model)
    ambient = np.asarray(model.vis.headlight.ambient, float)
    suns, lit = _suns(world, ambient)
    box = _sky_box(model)
    sky = _sky(model, box, linear(ambient))
    _colored_glow(model, ambient, lit)
    facing = linear(ambient).max() + suns.max(initial=0.0)
    brightest = min(max(_HEADROOM * float(facing), 0.0 if box is None else float(box.max()), 1e-3), 1.0)
    model.mat_emission /= brightest
    lamps = _set_lights(world, model, suns)
    return Physical(model, skylight.ktx(sky), brightest, lamps, _shadeless(world))


def linear(encoded: np.ndarray) -> np.ndarray:
    """Linear light of sRGB values (IEC 61966-2-1); values above 1 follow the same curve."""
    return np.where(encoded <= 0.04045, encoded / 12.92, ((np.maximum(encoded, 0.0) + 0.055) / 1.055) ** 2.4)


def encoded(light: np.ndarray) -> np.ndarray:
    """The inverse of `linear`, cut at 1."""
    light = np.clip(light, 0.0, 1.0)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def _suns(world: World, ambient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each light adds to a white surface that faces it [lights, 3], linear; and the floor's sRGB value [3]."""
    model = world.model
    diffuse = np.where(model.light_active[:, None] != 0, model.light_diffuse, 0.0).astype(float)
    onto_floor = (diffuse * np.maximum(-world.data.light_xdir[:, 2:], 0.05)).sum(0)
    # OpenGL cuts light off at white before it takes the surface's colour; here it keeps its own.
    lit = ambient + onto_floor
    lit = lit / max(float(lit.max()), 1.0)
    added = np.maximum(linear(lit) - linear(ambient), 0.0)
    return diffuse * added / np.maximum(onto_floor, 1e-9), lit


def _colored_glow(model: mujoco.MjModel, ambient: np.ndarray, lit: np.ndarray) -> None:
    """Let emission have the surface's own colour, and add what the classic renderer adds to a lit surface."""
    glows = np.flatnonzero(model.mat_emission > 0.0)
    roles = mujoco.mjtTextureRole
    model.mat_texid[glows, roles.mjTEXROLE_EMISSIVE] = model.mat_texid[glows, roles.mjTEXROLE_RGB]
    middle = float((ambient + lit).mean()) / 2.0
    model.mat_emission[glows] = linear(middle + model.mat_emission[glows]) - linear(np.array(middle))


def _linear_textures(model: mujoco.MjModel) -> None:
    """Filament makes mipmaps of linear textures alone, and takes those that do not say for linear."""
    table = np.round(255.0 * linear(np.arange(256) / 255.0)).astype(np.uint8)
    colors = set(model.mat_texid[:, mujoco.mjtTextureRole.mjTEXROLE_RGB].tolist())
    for index in range(model.ntex):
        sky = model.tex_type[index] == mujoco.mjtTexture.mjTEXTURE_SKYBOX
        if (sky or index in colors) and model.tex_colorspace[index] != mujoco.mjtColorSpace.mjCOLORSPACE_LINEAR:
            pixels = _texture(model, index)
            pixels[..., :3] = table[pixels[..., :3]]
            model.tex_colorspace[index] = mujoco.mjtColorSpace.mjCOLORSPACE_LINEAR


def _texture(model: mujoco.MjModel, index: int) -> np.ndarray:
    """The pixels of a texture, a view uint8 [H, W, C]."""
    shape = model.tex_height[index], model.tex_width[index], model.tex_nchannel[index]
    start = int(model.tex_adr[index])
    pixels: np.ndarray = model.tex_data[start : start + int(np.prod(shape))].reshape(shape)
    return pixels


def _complete_materials(model: mujoco.MjModel) -> None:
    """Give materials that do not say what the classic renderer's highlight is nearest to."""
    textures = model.mat_texid[:, mujoco.mjtTextureRole.mjTEXROLE_RGB]
    flat = (textures < 0) | (model.tex_type[textures] == mujoco.mjtTexture.mjTEXTURE_2D) if model.ntex else textures < 0
    rough = flat & (model.mat_roughness < 0.0)
    model.mat_roughness[rough] = np.clip(1.0 - model.mat_specular * model.mat_shininess, 0.25, 1.0)[rough]
    model.mat_metallic[flat & (model.mat_metallic < 0.0)] = 0.0


def _sky_box(model: mujoco.MjModel) -> np.ndarray | None:
    """The sky box in linear light, float64 [6, N, N, 3], if there is one."""
    found = np.flatnonzero(model.tex_type == mujoco.mjtTexture.mjTEXTURE_SKYBOX)
    if not len(found):
        return None
    pixels = _texture(model, int(found[0]))
    size = pixels.shape[1]
    faces = pixels.reshape(-1, size, size, pixels.shape[2])[..., :3] / 255.0
    return np.resize(faces, (6, size, size, 3))


def _sky(model: mujoco.MjModel, box: np.ndarray | None, ambient: np.ndarray) -> np.ndarray:
    """Bands of radiance in the sky's colours that light a white floor as ``ambient`` [3] does on average."""
    bands = skylight.sky_bands(np.ones((6, 8, 8, 3)) if box is None else box)
    bands = _SKY_TINT * bands + (1.0 - _SKY_TINT) * bands.mean(1, keepdims=True)
    bands = skylight.with_ground(np.maximum(bands, 1e-3), _ground(model))
    return bands * ambient.mean() / skylight.irradiance(bands)[-1].mean()


def _ground(model: mujoco.MjModel) -> np.ndarray:
    """The mean linear colour of the first plane, float64 [3]."""
    planes = np.flatnonzero(model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE)
    material = int(model.geom_matid[planes[0]]) if len(planes) else -1
    if material < 0:
        return _GREY_GROUND
    color = linear(np.asarray(model.mat_rgba[material, :3], float))
    texture = int(model.mat_texid[material, mujoco.mjtTextureRole.mjTEXROLE_RGB])
    if texture >= 0:
        color = color * _texture(model, texture)[..., :3].mean((0, 1)) / 255.0
    return color


def _set_lights(world: World, model: mujoco.MjModel, suns: np.ndarray) -> tuple[Lamp, ...]:
    """Give the model's lights these strengths [lights, 3]; the directional ones that had to become spots."""
    strength = suns.max(1, initial=0.0)
    model.light_diffuse[:] = suns / np.maximum(strength, 1e-9)[:, None]
    model.light_intensity[:] = np.pi * strength
    directional = np.flatnonzero(model.light_type == mujoco.mjtLightType.mjLIGHT_DIRECTIONAL).tolist()
    sun = max(directional, key=lambda index: float(strength[index]), default=-1)
    away = _LAMP_EXTENTS * float(model.stat.extent)
    lamps = []
    for index in range(model.nlight):
        if index == sun:
            continue
        position, direction = world.data.light_xpos[index].copy(), world.data.light_xdir[index].copy()
        if index in directional:
            position = -away * direction
            model.light_type[index] = mujoco.mjtLightType.mjLIGHT_SPOT
            model.light_cutoff[index], model.light_range[index] = _LAMP_CONE_DEG, 10.0 * away
            lamps.append((index, position, direction))
        model.light_intensity[index] *= max(float(np.linalg.norm(position)), _NEAREST_LAMP_M) ** 2
    return tuple(lamps)


def _shadeless(world: World) -> tuple[int, ...]:
    """The boxes and cylinders of the stage that stand around or above the things, such as walls.

    To the classic renderer lights begin at their position, within the walls; the sun comes from infinity.
    """
    model, data = world.model, world.data
    solid = [mujoco.mjtGeom.mjGEOM_BOX, mujoco.mjtGeom.mjGEOM_CYLINDER]
    stage = (world.owner == NO_THING) & np.isin(model.geom_type, solid)
    from_middle = np.linalg.norm(data.geom_xpos[:, :2], axis=1)
    reach = (from_middle + model.geom_rbound)[world.owner != NO_THING].max(initial=0.0)
    behind = ((data.geom_xpos[:, None] - data.light_xpos) * data.light_xdir).sum(-1) < 0.0
    outside = (from_middle > reach) | behind.any(1)
    return tuple(np.flatnonzero(stage & outside).tolist())

"""MuJoCo's physically based renderer, Filament: roughness, metals, light from the sky, soft shadows.

It needs Vulkan, on a GPU or in software (lavapipe); see `perception_sim.rendering.vulkan`.

Filament's own post-processing adds noise that differs from frame to frame, and the same scene has to give the
same picture. Frames are therefore taken before it, as linear light at twice the size, and averaged and
encoded as sRGB here. The exposure is chosen by the scene's lights, so that dim scenes use all eight bits too, and
where much of a picture is dark, that is taken from a second frame, exposed longer.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from ..camera import View
from ..world import NO_THING, World
from . import Geometry, Kept, Region
from .classic import NEAR_M, VISIBLE, ClassicRenderer, far_plane
from .gl import mujoco
from .physical import Physical, encoded, physical
from .vulkan import check, open_context, silence

_SUPERSAMPLING = 2
# Linear values below _DARK are too coarse: where that many of them are, a second frame, so many times as long, is
# worth its price. Its values hold up to where they could be cut off; what glows by itself is brighter than that.
_DARK, _DARK_SHARE, _LONGER = 16, 0.01, 8
_LONGER_UNTIL = 250 // _LONGER
# What a white pixel's luminance is in cd/m²: Filament's camera is set to f/16, 1/125 s, ISO 100.
_WHITE_NITS = 1.2 * 16.0**2 * 125.0
_HIDDEN_GROUP = 4


@functools.lru_cache(maxsize=1)
def _options() -> mujoco.MjModel:
    """Filament's options, which it reads from a model's custom numbers.

    Ambient occlusion keeps 1.5 MB of every frame for ever (lavapipe of Mesa 22.3), and changes little.
    """
    spec = mujoco.MjSpec()
    spec.add_numeric(name="filament.ao.enabled", data=[0.0], size=1)
    return spec.compile()


class _Staged:
    """A world in Filament. What stands for it is freed in the order that Filament asks for."""

    def __init__(self, context: Any, world: World) -> None:
        from mujoco import mjrf

        self.world = world
        self.physical = prepared = physical(world)
        self._unit = _WHITE_NITS / prepared.brightest
        self._intensity = prepared.model.light_intensity * self._unit
        prepared.model.geom_group[list(prepared.shadeless)] = _HIDDEN_GROUP
        self.scene = context.create_scene(mjrf.SceneParams())
        self.scene.configure_from_model(_options())
        self._resources = mjrf.ModelResources(context, prepared.model)
        self._lights = mjrf.ModelLights(self.scene, self._resources)
        self._renderables = mjrf.ModelRenderables(self.scene, self._resources)
        option = mujoco.MjvOption()
        option.geomgroup[:] = VISIBLE
        self._renderables.set_options(option)
        self._sky = self._add_sky(context, prepared)
        self._shadeless = [self._add_shadeless(context, geom) for geom in prepared.shadeless]

    def _add_sky(self, context: Any, prepared: Physical) -> Any:
        from mujoco import mjrf

        texture = context.create_texture(
            mjrf.TextureConfig(
                width=1,
                height=1,
                format=mjrf.PixelFormat.PIXEL_FORMAT_KTX,
                sampler_type=mjrf.SamplerType.TEXTURE_CUBE,
                color_space=mjrf.ColorSpace.COLORSPACE_AUTO,
            )
        )
        data = mjrf.TextureData()
        data.set_image(prepared.sky)
        texture.upload(data)
        light = context.create_light(
            mjrf.LightParams(type=mjrf.LightType.LIGHT_IMAGE, texture=texture, intensity=self._unit)
        )
        self.scene.add_light(light)
        return light, texture, data

    def _add_shadeless(self, context: Any, geom: int) -> Any:
        """A geom of the stage once more: what casts shadows is settled when it is made, by others than us."""
        from mujoco import mjrf

        model, data = self.world.model, self.world.data
        hidden = self._renderables.get_renderable(mujoco.mjtObj.mjOBJ_GEOM, geom, -1)
        shown = context.create_renderable(mjrf.RenderableParams(cast_shadow=False, receive_shadow=True, blend_order=0))
        quality = model.vis.quality
        kind = mujoco.mjtGeom(int(model.geom_type[geom]))
        shown.set_geom_mesh(kind, quality.numstacks, quality.numslices, quality.numquads)
        shown.set_material(hidden.get_material())
        radius, second, third = model.geom_size[geom].tolist()
        box = kind == mujoco.mjtGeom.mjGEOM_BOX
        shown.set_size(np.array([radius, second, third] if box else [radius, radius, second], np.float32))
        shown.set_pose(data.geom_xpos[geom].astype(np.float32), data.geom_xmat[geom].astype(np.float32))
        self.scene.add_renderable(shown)
        return shown

    def update(self, exposure: float) -> None:
        """Put everything where the world's data says it is, with all light ``exposure`` times as strong."""
        self.physical.model.light_intensity[:] = exposure * self._intensity
        self._sky[0].set_intensity(exposure * self._unit)
        self._lights.update(self.world.data)
        for index, position, direction in self.physical.lamps:
            self._lights.get_light(index).set_pose(position.astype(np.float32), direction.astype(np.float32))
        self._renderables.update(self.world.data)

    def free(self) -> None:
        for shown in self._shadeless:
            self.scene.remove_renderable(shown)
        self.scene.remove_light(self._sky[0])
        del self._shadeless, self._sky, self._renderables, self._lights, self.scene, self._resources


class _Targets:
    """What Filament draws images of one size in: several samples a pixel, and one."""

    def __init__(self, context: Any, width: int, height: int) -> None:
        from mujoco import mjrf

        def target(scale: int) -> Any:
            return context.create_render_target(
                mjrf.RenderTargetConfig(
                    width=scale * width,
                    height=scale * height,
                    color_format=mjrf.PixelFormat.PIXEL_FORMAT_RGB8,
                    depth_format=mjrf.PixelFormat.PIXEL_FORMAT_DEPTH32F,
                )
            )

        self.fine, self.plain = target(_SUPERSAMPLING), target(1)

    def close(self) -> None:
        del self.fine, self.plain


class FilamentRenderer:
    """The `perception_sim.rendering.Renderer` whose pictures are Filament's.

    Things, depth and what is alone come from `ClassicRenderer`: both draw the same triangles through the
    same pixels (the tests hold `segmentation` against it), and Filament's own depth has eight bits. Of directional
    lights the brightest is one here; the others are lamps not far away (see `perception_sim.rendering.physical`).
    A process that makes thousands of pictures grows: about 40 kB a picture stay with Filament.

    Raises:
        UserError: Filament cannot run on this machine.

    """

    def __init__(self, width: int, height: int) -> None:
        check()
        self._labels = ClassicRenderer(width, height)
        self._context = open_context()
        self._world: World | None = None
        self._staged: _Staged | None = None
        self._sizes = Kept(functools.partial(_Targets, self._context))
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Make images of that size from now on, of the same world; the targets of the last few sizes are kept."""
        self._labels.resize(width, height)
        self.width, self.height, self.buffer = width, height, self._labels.buffer
        self._targets = self._sizes.of(width, height)

    def load(self, world: World) -> None:
        """Make ``world`` the one that is rendered; what was held for the last one is freed."""
        self._free()
        self._labels.load(world)
        self._world = world

    def rgb(self, view: View) -> np.ndarray:
        fine = self._render(view, self._targets.fine, _SUPERSAMPLING)
        light = fine * np.uint16(_LONGER)
        if (fine.max(-1) < _DARK).mean() > _DARK_SHARE:
            longer = self._render(view, self._targets.fine, _SUPERSAMPLING, exposure=_LONGER)
            np.copyto(light, longer, where=fine.max(-1, keepdims=True) < _LONGER_UNTIL)
        rows = light.reshape(self.height, _SUPERSAMPLING, self.width, _SUPERSAMPLING, 3)
        return _encoding(self._ready().physical.brightest)[rows.sum((1, 3), dtype=np.uint16)]

    def segmentation(self, view: View) -> np.ndarray:
        """`things` as Filament sees them, int16 [H, W]; its edges are where Filament's rounding puts them."""
        from mujoco import mjrf

        mode = mjrf.DrawMode.DRAW_MODE_SEGMENTATION_BY_ID
        colors = self._render(view, self._targets.plain, 1, draw_mode=mode).astype(np.int32)
        # Colours are 1 + the geom's number.
        owners = np.concatenate([[NO_THING], self._ready().world.owner]).astype(np.int16)
        things: np.ndarray = owners[colors[..., 0] + (colors[..., 1] << 8) + (colors[..., 2] << 16)]
        return things

    def geometry(self, view: View) -> Geometry:
        return self._labels.geometry(view)

    def things(self, view: View) -> np.ndarray:
        return self._labels.things(view)

    def depth(self, view: View) -> np.ndarray:
        return self._labels.depth(view)

    def alone(self, view: View, thing: int, region: Region) -> np.ndarray:
        return self._labels.alone(view, thing, region)

    def close(self) -> None:
        """Free everything held in Vulkan and OpenGL."""
        self._free()
        self._labels.close()
        with silence():
            del self._targets
            self._sizes.close()
            del self._sizes, self._context

    def __enter__(self) -> FilamentRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _free(self) -> None:
        if self._staged is not None:
            self._staged.free()
        self._staged = self._world = None

    def _ready(self) -> _Staged:
        """The world in Filament, from its first picture on: scenes that are only labelled cost nothing there."""
        if self._world is None:
            raise RuntimeError("load a world first")
        if self._staged is None:
            self._staged = _Staged(self._context, self._world)
        return self._staged

    def _render(self, view: View, target: Any, scale: int, exposure: float = 1.0, **how: Any) -> np.ndarray:
        """What Filament draws in ``target``, uint8 [scale H, scale W, 3], before its post-processing."""
        from mujoco import mjrf

        staged = self._ready()
        staged.update(exposure)
        pixels = np.empty((scale * self.height, scale * self.width, 3), np.uint8)
        read = mjrf.ReadRequest(target=target)
        read.set_buffer(pixels)
        request = mjrf.RenderRequest(scene=staged.scene, target=target, camera=self._camera(view, staged.world))
        request.viewport = mjrf.Rect(left=0, bottom=0, width=scale * self.width, height=scale * self.height)
        request.post_processing = request.haze = request.reflections = False
        for name, value in how.items():
            setattr(request, name, value)
        self._context.wait_for_frame(self._context.render([request], [read]))
        return pixels

    def _camera(self, view: View, world: World) -> Any:
        from mujoco import mjrf

        _, down, forward = view.axes
        half = NEAR_M * np.tan(np.radians(view.fovy) / 2.0)
        return mjrf.Camera(
            pos=np.asarray(view.position, np.float32),
            forward=forward.astype(np.float32),
            up=(-down).astype(np.float32),
            frustum_center=0.0,
            frustum_width=half * self.width / self.height,
            frustum_bottom=-half,
            frustum_top=half,
            frustum_near=NEAR_M,
            frustum_far=far_plane(world, np.asarray(view.position)),
        )


@functools.lru_cache(maxsize=4)
def _encoding(brightest: float) -> np.ndarray:
    """The sRGB value, uint8, of every sum of the linear samples that a pixel is averaged over."""
    most = 255 * _LONGER * _SUPERSAMPLING**2
    return np.round(255.0 * encoded(np.arange(most + 1) / most * brightest)).astype(np.uint8)

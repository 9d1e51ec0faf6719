"""Pictures and segmentation of a world, from one off-screen OpenGL context that is reused."""

from __future__ import annotations

import dataclasses

import numpy as np

from .camera import View
from .gl import mujoco, open_context
from .world import NO_THING, World

_NEAR_M, _FAR_M = 0.02, 30.0
_ALONE_GROUP = 5
_VISIBLE, _ALONE = (1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1)
Region = tuple[int, int, int, int]
_MAX_GEOMS = 2000


@dataclasses.dataclass(frozen=True, eq=False)
class _Loaded:
    """A world, and what stands for it in OpenGL."""

    world: World
    context: mujoco.MjrContext
    scene: mujoco.MjvScene


class Renderer:
    """Renders worlds of one image size; use it from the thread that made it, and close it.

    A new world costs some milliseconds (its textures and meshes are sent to OpenGL), not a new context.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        # Twice the size, so that what lies outside the image can be measured too (see `alone`).
        self.buffer = (2 * width, 2 * height)
        self._gl = open_context(*self.buffer)
        self._loaded: _Loaded | None = None
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()

    def load(self, world: World) -> None:
        """Make ``world`` the one that is rendered; what the last one held in OpenGL is freed."""
        self._free()
        context = mujoco.MjrContext(world.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        self._loaded = _Loaded(world, context, mujoco.MjvScene(world.model, maxgeom=_MAX_GEOMS))

    def rgb(self, view: View) -> np.ndarray:
        """The picture, uint8 RGB [H, W, 3]."""
        return self._draw(view, (0, 0, self.width, self.height), _VISIBLE, segment=False)

    def things(self, view: View) -> np.ndarray:
        """Which thing each pixel shows, int16 [H, W]: an index into the scene's things, or -1."""
        return self._decode(self._draw(view, (0, 0, self.width, self.height), _VISIBLE, segment=True))

    def alone(self, view: View, thing: int, region: Region) -> np.ndarray:
        """The pixels of a thing if nothing hid it, bool [h, w], in a region of the image plane.

        ``region`` is x_min, y_min, x_max, y_max in whole pixels; it may reach beyond the image, and is at
        most twice as large.
        """
        world = self._ready().world
        groups = world.model.geom_group
        own = (world.owner == thing) & (groups == 0)
        groups[own] = _ALONE_GROUP
        try:
            pixels = self._draw(view, region, _ALONE, segment=True)
        finally:
            groups[own] = 0
        return (pixels[..., 0] | pixels[..., 1]) > 0

    def close(self) -> None:
        """Free everything held in OpenGL."""
        self._free()
        self._gl.free()

    def __enter__(self) -> Renderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _free(self) -> None:
        if self._loaded is not None:
            self._loaded.context.free()
        self._loaded = None

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError("load a world first")
        return self._loaded

    def _draw(self, view: View, region: Region, groups: tuple[int, ...], segment: bool) -> np.ndarray:
        loaded = self._ready()
        scene, world = loaded.scene, loaded.world
        self._option.geomgroup[:] = groups
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(world.model, world.data, self._option, None, self._camera, every, scene)
        self._aim(scene, view, region)
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segment
        scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segment
        rect = mujoco.MjrRect(0, 0, region[2] - region[0], region[3] - region[1])
        pixels = np.empty((rect.height, rect.width, 3), np.uint8)
        mujoco.mjr_render(rect, scene, loaded.context)
        mujoco.mjr_readPixels(pixels, None, rect, loaded.context)
        return pixels[::-1]

    def _aim(self, scene: mujoco.MjvScene, view: View, region: Region) -> None:
        """Point both eyes of the scene's (mono) camera so that they see that part of the image plane."""
        _, down, forward = view.axes
        pixel = _NEAR_M / view.intrinsics(self.width, self.height)[0, 0]
        x0, y0, x1, y1 = region
        for eye in scene.camera:
            eye.pos, eye.forward, eye.up = view.position, forward, -down
            eye.frustum_center = pixel * ((x0 + x1) / 2.0 - self.width / 2.0)
            eye.frustum_width = pixel * (x1 - x0) / 2.0
            eye.frustum_bottom = pixel * (self.height / 2.0 - y1)
            eye.frustum_top = pixel * (self.height / 2.0 - y0)
            eye.frustum_near, eye.frustum_far = _NEAR_M, _FAR_M

    def _decode(self, pixels: np.ndarray) -> np.ndarray:
        """Thing indices of a segmentation render: its colours are 1 + the position in the list of drawn geoms."""
        loaded = self._ready()
        table = np.full(loaded.scene.ngeom + 1, NO_THING, np.int16)
        for geom in loaded.scene.geoms[: loaded.scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = loaded.world.owner[geom.objid]
        ids = pixels[..., 0].astype(np.int32) + (pixels[..., 1].astype(np.int32) << 8)
        return table[ids]

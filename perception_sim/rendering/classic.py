"""MuJoCo's classic OpenGL renderer: fast, and where every label comes from."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

import numpy as np

from ..camera import View
from ..world import NO_THING, World
from . import Geometry, Kept, Region
from .gl import device_name, mujoco, open_context

NEAR_M = 0.01
# The sky is a box around the camera, at 0.7 of the far plane: nothing may be behind it.
_FAR_OF_FARTHEST = 1.5
_PICTURE_SAMPLES = 4
_ALONE_GROUP = 5
# Which of MuJoCo's six groups of geoms are drawn: group 0, or what is alone; colliders are in neither.
VISIBLE, _ALONE = (1, 0, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1)
_MORE_GEOMS = 100
"""Room for what MuJoCo draws besides the model's geoms."""


class _Buffer:
    """An off-screen buffer that outlives the worlds drawn in it.

    Allocating one for every world costs more than sending the world to OpenGL. A context of an empty model
    owns it; another context draws in it by borrowing its names.
    """

    _NAMES = (
        "offWidth", "offHeight", "offSamples", "offFBO", "offFBO_r",
        "offColor", "offColor_r", "offDepthStencil", "offDepthStencil_r",
    )  # fmt: skip

    def __init__(self, width: int, height: int, samples: int) -> None:
        spec = mujoco.MjSpec()
        spec.visual.global_.offwidth, spec.visual.global_.offheight = width, height
        spec.visual.quality.offsamples, spec.visual.quality.shadowsize = samples, 0
        self._owner = mujoco.MjrContext(spec.compile(), mujoco.mjtFontScale.mjFONTSCALE_50)

    @contextlib.contextmanager
    def lent(self, context: mujoco.MjrContext) -> Iterator[None]:
        """Let ``context`` draw in this buffer, and give it its own back."""
        own = {name: getattr(context, name) for name in self._NAMES}
        for name in self._NAMES:
            setattr(context, name, getattr(self._owner, name))
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, context)
        try:
            yield
        finally:
            for name, value in own.items():
                setattr(context, name, value)

    def free(self) -> None:
        self._owner.free()


class _Buffers:
    """What images of one size are drawn in: pictures, and labels on twice the size (see `ClassicRenderer.alone`)."""

    def __init__(self, width: int, height: int) -> None:
        self.picture = _Buffer(width, height, _PICTURE_SAMPLES)
        self.labels = _Buffer(2 * width, 2 * height, samples=0)

    def close(self) -> None:
        self.picture.free()
        self.labels.free()


@dataclasses.dataclass(frozen=True, eq=False)
class _Loaded:
    """A world, and what stands for it in OpenGL."""

    world: World
    context: mujoco.MjrContext
    scene: mujoco.MjvScene


class ClassicRenderer:
    """The `perception_sim.rendering.Renderer` of MuJoCo's OpenGL, on the GPU that EGL offers or in software.

    Pictures are anti-aliased with four samples a pixel. Things and depth are those of pixel centres, from
    a buffer without multisampling, so that no edge pixel is a mixture. The depth buffer is floating point and
    reversed (1 at the near plane, 0 at infinity), so that its error is a millionth of the distance.
    ``device`` names what renders.
    """

    def __init__(self, width: int, height: int) -> None:
        self._gl = open_context(width, height)
        self.device = device_name()
        self._sizes = Kept(_Buffers)
        self._loaded: _Loaded | None = None
        self._option = mujoco.MjvOption()
        self._camera = mujoco.MjvCamera()
        self.resize(width, height)

    def resize(self, width: int, height: int) -> None:
        """Make images of that size from now on, of the same world; the buffers of the last few sizes are kept."""
        self._gl.make_current()
        self.width, self.height, self._buffers = width, height, self._sizes.of(width, height)
        self.buffer = (2 * width, 2 * height)

    def load(self, world: World) -> None:
        """Make ``world`` the one that is rendered; what the last one held in OpenGL is freed."""
        self._free()
        context = mujoco.MjrContext(world.model, mujoco.mjtFontScale.mjFONTSCALE_50)
        context.readDepthMap = mujoco.mjtDepthMap.mjDEPTH_ZEROFAR
        self._loaded = _Loaded(world, context, mujoco.MjvScene(world.model, world.model.ngeom + _MORE_GEOMS))

    def rgb(self, view: View) -> np.ndarray:
        pixels = np.empty((self.height, self.width, 3), np.uint8)
        self._draw(self._buffers.picture, view, self._frame, VISIBLE, pixels, None)
        return pixels[::-1]

    def geometry(self, view: View) -> Geometry:
        colors = np.empty((self.height, self.width, 3), np.uint8)
        depth = np.empty((self.height, self.width), np.float32)
        far = self._draw(self._buffers.labels, view, self._frame, VISIBLE, colors, depth)
        ids = _ids(colors)
        metres = _metres(depth, far)
        metres[ids == 0] = 0.0
        return Geometry(self._owners()[ids][::-1], metres[::-1])

    def things(self, view: View) -> np.ndarray:
        return self.geometry(view).things

    def depth(self, view: View) -> np.ndarray:
        return self.geometry(view).depth

    def alone(self, view: View, thing: int, region: Region) -> np.ndarray:
        width, height = region[2] - region[0], region[3] - region[1]
        if width > self.buffer[0] or height > self.buffer[1]:
            raise ValueError(f"a region of {width}x{height} pixels is larger than {self.buffer[0]}x{self.buffer[1]}")
        if width <= 0 or height <= 0:
            return np.zeros((max(height, 0), max(width, 0)), bool)
        world = self._ready().world
        groups = world.model.geom_group
        own = (world.owner == thing) & (groups == 0)
        colors = np.empty((height, width, 3), np.uint8)
        groups[own] = _ALONE_GROUP
        try:
            self._draw(self._buffers.labels, view, region, _ALONE, colors, None)
        finally:
            groups[own] = 0
        return ((colors[..., 0] | colors[..., 1]) > 0)[::-1]

    def close(self) -> None:
        """Free everything held in OpenGL."""
        self._free()
        self._sizes.close()
        self._gl.free()

    def __enter__(self) -> ClassicRenderer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def _frame(self) -> Region:
        return 0, 0, self.width, self.height

    def _free(self) -> None:
        self._gl.make_current()
        if self._loaded is not None:
            self._loaded.context.free()
        self._loaded = None

    def _ready(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError("load a world first")
        return self._loaded

    def _draw(
        self,
        buffer: _Buffer,
        view: View,
        region: Region,
        groups: tuple[int, ...],
        colors: np.ndarray,
        depth: np.ndarray | None,
    ) -> float:
        """Fill ``colors`` and ``depth``, bottom row first, and tell the distance of the far plane.

        In the buffer for labels, colours are 1 + the position in the list of drawn geoms, and depth is 0 at infinity.
        """
        loaded = self._ready()
        # Another renderer of this thread may have been at work.
        self._gl.make_current()
        scene, world = loaded.scene, loaded.world
        self._option.geomgroup[:] = groups
        every = mujoco.mjtCatBit.mjCAT_ALL
        mujoco.mjv_updateScene(world.model, world.data, self._option, None, self._camera, every, scene)
        far = far_plane(world, np.asarray(view.position))
        self._aim(scene, view, region, far)
        segment = buffer is self._buffers.labels
        scene.flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = segment
        scene.flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = segment
        rect = mujoco.MjrRect(0, 0, region[2] - region[0], region[3] - region[1])
        with buffer.lent(loaded.context):
            mujoco.mjr_render(rect, scene, loaded.context)
            mujoco.mjr_readPixels(colors, depth, rect, loaded.context)
        return far

    def _aim(self, scene: mujoco.MjvScene, view: View, region: Region, far: float) -> None:
        """Point both eyes of the scene's (mono) camera so that they see that part of the image plane."""
        _, down, forward = view.axes
        pixel = NEAR_M / view.intrinsics(self.width, self.height)[0, 0]
        x0, y0, x1, y1 = region
        for eye in scene.camera:
            eye.pos, eye.forward, eye.up = view.position, forward, -down
            eye.frustum_center = pixel * ((x0 + x1) / 2.0 - self.width / 2.0)
            eye.frustum_width = pixel * (x1 - x0) / 2.0
            eye.frustum_bottom = pixel * (self.height / 2.0 - y1)
            eye.frustum_top = pixel * (self.height / 2.0 - y0)
            eye.frustum_near, eye.frustum_far = NEAR_M, far

    def _owners(self) -> np.ndarray:
        """The thing of every colour of a segmentation, int16 [colours]."""
        loaded = self._ready()
        table = np.full(loaded.scene.ngeom + 1, NO_THING, np.int16)
        for geom in loaded.scene.geoms[: loaded.scene.ngeom]:
            if geom.segid >= 0 and geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = loaded.world.owner[geom.objid]
        return table


def far_plane(world: World, position: np.ndarray) -> float:
    """A distance in metres beyond everything of ``world`` as seen from ``position`` [3], sky box included."""
    away = world.data.geom_xpos - position
    reach = np.sqrt(np.einsum("ij,ij->i", away, away)) + world.radii
    return _FAR_OF_FARTHEST * float(reach.max(initial=1.0))


def _metres(depth: np.ndarray, far: float) -> np.ndarray:
    """Depth in metres, float32, of a depth buffer that is 1 at the near plane and 0 at the far plane.

    What OpenGL multiplies with is rounded to single precision on its way (glFrustum, then halved and shifted), which
    amounts to 0.1 mm a metre: the same roundings here undo it.
    """
    begin, end = np.float32(NEAR_M), np.float32(far)
    scale = (end + begin) / (end - begin) * np.float32(0.5) - np.float32(0.5)
    offset = end * begin / (end - begin)
    return (np.float64(offset) / (depth.astype(np.float64) + np.float64(scale))).astype(np.float32)


def _ids(colors: np.ndarray) -> np.ndarray:
    """The numbers that a segmentation's colours stand for, int32 [H, W]."""
    return colors[..., 0].astype(np.int32) + (colors[..., 1].astype(np.int32) << 8)

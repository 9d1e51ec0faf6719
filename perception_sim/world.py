"""A scene compiled to MuJoCo, and settled by its physics."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .rendering.gl import mujoco
from .scene import Light, Material, Scene, Stage, Thing
from .shapes import Collider, Solid, built
from .textures import paint, panorama

NO_THING = -1
_USUAL_M = 0.1
_INFINITE_PLANE_M = 100.0
_WALLS = 4
_STEP_S = 0.004
_CONTACT_S = 0.02
_COLLIDER_GROUP = 3
_SHADOW_MAP = 1024


@dataclasses.dataclass
class World:
    """A compiled scene.

    ``owner`` int [ngeom] is the index of the thing that a geom belongs to, or `NO_THING`.
    """

    scene: Scene
    solids: tuple[Solid, ...]
    model: mujoco.MjModel
    data: mujoco.MjData
    owner: np.ndarray
    _clouds: dict[int, np.ndarray] = dataclasses.field(default_factory=dict)

    def pose(self, thing: int) -> tuple[np.ndarray, np.ndarray]:
        """Position [3] in metres and rotation [3, 3] of a thing, now."""
        return self.data.xpos[thing + 1].copy(), self.data.xmat[thing + 1].reshape(3, 3).copy()

    @functools.cached_property
    def radii(self) -> np.ndarray:
        """How far each geom reaches from its middle in metres, float64 [ngeom]; 100 for planes without an end."""
        model = self.model
        plane = model.geom_type == mujoco.mjtGeom.mjGEOM_PLANE
        edges = np.linalg.norm(model.geom_size[:, :2], axis=1)
        endless = plane & (model.geom_size[:, :2].min(1, initial=np.inf) <= 0.0)
        return np.where(plane, np.where(endless, _INFINITE_PLANE_M, edges), model.geom_rbound)

    def points(self, thing: int) -> np.ndarray:
        """The vertices of a thing at rest in the world, float64 [V, 3] (computed once; call it after `settle`)."""
        if thing not in self._clouds:
            position, rotation = self.pose(thing)
            self._clouds[thing] = self.solids[thing].points @ rotation.T + position
        return self._clouds[thing]


def compile_scene(scene: Scene) -> World:
    """The MuJoCo model of ``scene`` with everything at its starting pose."""
    solids = tuple(built(thing.shape) for thing in scene.things)
    spec = mujoco.MjSpec()
    # Large things fall slower for their size than small ones: time goes with the root of the length.
    spec.option.timestep = _STEP_S * _pace(scene)
    # So do contacts yield: with MuJoCo's constant, small things would sink in by a tenth of their size.
    spec.default.geom.solref = [_CONTACT_S * _pace(scene), 1.0]
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Fewer unknowns a contact than a pyramid has: a third less time, and no less comes to rest.
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    extent = scene.reach / 0.6
    spec.stat.extent = extent
    spec.stat.center = [0.0, 0.0, 0.0]
    spec.visual.quality.shadowsize = _SHADOW_MAP
    # Renderers draw in buffers of their own: that of the model is as small as can be.
    spec.visual.global_.offwidth, spec.visual.global_.offheight, spec.visual.quality.offsamples = 1, 1, 0
    spec.visual.map.shadowclip = 1.2
    # Both are multiples of the extent.
    spec.visual.map.znear = 0.01
    spec.visual.map.zfar = 30.0
    _add_stage(spec, scene.stage, extent)
    _add_lights(spec, scene.lights, scene.stage.ambient, extent)
    for index, (thing, solid) in enumerate(zip(scene.things, solids, strict=True)):
        _add_thing(spec, index, thing, solid, scene.floating)
    model = spec.compile()
    owner = np.array([model.geom_bodyid[geom] - 1 for geom in range(model.ngeom)], int)
    world = World(scene, solids, model, mujoco.MjData(model), owner)
    mujoco.mj_forward(model, world.data)
    return world


def settle(world: World, limit_s: float = 3.0) -> bool:
    """Let everything fall and come to rest; whether it did, in place.

    ``limit_s`` is simulated time for things of a tenth of a metre; for others it goes with their pace.
    """
    model, data = world.model, world.data
    if not world.scene.things or world.scene.floating:
        return True
    chunk, pace = 25, _pace(world.scene)
    for step in range(0, int(limit_s / _STEP_S), chunk):
        # Damping that grows with time brings rolling balls to rest; relative to mass, so it acts alike on all.
        rate = (0.5 + 4.0 * (step * _STEP_S) ** 2) / pace
        for thing in range(len(world.scene.things)):
            model.dof_damping[6 * thing : 6 * thing + 3] = rate * model.body_mass[thing + 1]
            model.dof_damping[6 * thing + 3 : 6 * thing + 6] = rate * model.body_inertia[thing + 1].mean()
        mujoco.mj_step(model, data, nstep=chunk)
        speed = np.abs(data.qvel).reshape(-1, 6)
        if speed[:, :3].max() < 0.01 * pace and speed[:, 3:].max() < 0.15 / pace:
            break
    else:
        return False
    mujoco.mj_forward(model, data)
    return _in_place(world)


def _in_place(world: World) -> bool:
    """Whether nothing sank into anything else, fell off the table or rolled away."""
    unit = world.scene.unit
    contacts = world.data.contact.dist[: world.data.ncon]
    if len(contacts) and contacts.min() < -0.03 * unit:
        return False
    table = world.scene.stage.table
    reach = 1.4 * world.scene.reach if table is None else table.reach
    for thing in range(len(world.scene.things)):
        points = world.points(thing)
        if points[:, 2].min() < -0.06 * unit or np.abs(points[:, :2]).max() > reach:
            return False
    return True


def _pace(scene: Scene) -> float:
    """How much slower the scene's things move than things of a tenth of a metre, by their size."""
    return float(np.sqrt(scene.unit / _USUAL_M))


def _add_stage(spec: mujoco.MjSpec, stage: Stage, extent: float) -> None:
    world = spec.worldbody
    _add_sky(spec, stage)
    tile = 1.0 / stage.floor_tile
    ground = -stage.table.height if stage.table else 0.0
    floor = _add_material(spec, "floor", stage.floor, tile)
    world.add_geom(
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        size=[20.0 * extent, 20.0 * extent, 0.1],
        pos=[0.0, 0.0, ground],
        material=floor,
    )
    if stage.table:
        table, thickness = stage.table, 0.03 * stage.table.reach
        material = _add_material(spec, "table", table.material, tile)
        kind = mujoco.mjtGeom.mjGEOM_CYLINDER if table.round else mujoco.mjtGeom.mjGEOM_BOX
        size = [table.reach, thickness, 0.0] if table.round else [table.reach, table.reach, thickness]
        world.add_geom(type=kind, size=size, pos=[0.0, 0.0, -thickness], material=material)
    if stage.walls:
        repeat = 0.5 / stage.walls.height
        materials = [_add_material(spec, f"wall{i}", one, repeat) for i, one in enumerate(stage.walls.materials)]
        for side in range(_WALLS):
            material = materials[side % len(materials)]
            angle = stage.walls.angle + side * 2.0 * np.pi / _WALLS
            distance, height = stage.walls.distance, stage.walls.height
            world.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                # Thin along z, which points at the scene, with y up: textures lie in a box's x and y.
                size=[1.8 * distance, height / 2, 0.01 * distance],
                pos=[distance * np.cos(angle), distance * np.sin(angle), ground + height / 2],
                quat=_facing(angle + np.pi),
                material=material,
                contype=0,
                conaffinity=0,
            )


def _facing(azimuth: float) -> np.ndarray:
    """The quaternion (w, x, y, z) that turns z to a horizontal direction (radians from x), and y up."""
    z, y = np.array([np.cos(azimuth), np.sin(azimuth), 0.0]), np.array([0.0, 0.0, 1.0])
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, np.column_stack([np.cross(y, z), y, z]).ravel())
    return quaternion


def _add_sky(spec: mujoco.MjSpec, stage: Stage) -> None:
    side = stage.panorama.size if stage.panorama else 64
    sky = spec.add_texture(name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, width=side, height=6 * side)
    if stage.panorama is None:
        sky.builtin = mujoco.mjtBuiltin.mjBUILTIN_GRADIENT
        sky.rgb1, sky.rgb2 = stage.sky
        return
    around = paint(stage.panorama)
    lid = panorama.lid(stage.panorama, around)
    # Right, left, up, down, front, back; mirrored in turn, so that neighbours join.
    faces = [around, around, lid, around[::-1], around[:, ::-1], around[:, ::-1]]
    sky.nchannel = 3
    sky.data = np.ascontiguousarray(np.concatenate(faces)).tobytes()


def _add_lights(spec: mujoco.MjSpec, lights: tuple[Light, ...], ambient: float, extent: float) -> None:
    spec.visual.headlight.ambient = [ambient] * 3
    spec.visual.headlight.diffuse = [0.0] * 3
    spec.visual.headlight.specular = [0.0] * 3
    for light in lights:
        spec.worldbody.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL,
            # Nothing that stands behind a light, directional or not, casts a shadow.
            pos=[-2.0 * extent * x for x in light.direction],
            dir=light.direction,
            diffuse=light.color,
            ambient=[0.0] * 3,
            specular=[0.4 * x for x in light.color],
            castshadow=light.shadow,
        )


def _add_material(spec: mujoco.MjSpec, name: str, material: Material, repeat: float | None = None) -> str:
    """A material of that name; ``repeat`` tiles per metre for surfaces without texture coordinates of their own."""
    pixels = paint(material.texture)
    texture = spec.add_texture(name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, nchannel=3)
    texture.height, texture.width = pixels.shape[:2]
    texture.data = pixels.tobytes()
    made = spec.add_material(
        name=name,
        specular=material.specular,
        shininess=material.shininess,
        roughness=material.roughness,
        metallic=material.metallic,
        emission=material.emission,
        rgba=[1.0, 1.0, 1.0, material.alpha],
    )
    made.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name
    if repeat is not None:
        made.texuniform, made.texrepeat = True, [repeat, repeat]
    return name


def _add_thing(spec: mujoco.MjSpec, index: int, thing: Thing, solid: Solid, floating: bool) -> None:
    body = spec.worldbody.add_body(name=f"thing{index}", pos=thing.position, quat=thing.orientation)
    body.gravcomp = 1.0 if floating else 0.0
    body.add_joint(type=mujoco.mjtJoint.mjJNT_FREE)
    for part, surface in enumerate(solid.surfaces):
        name = f"thing{index}.{part}"
        mesh = spec.add_mesh(name=name, inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL)
        faces = surface.faces.astype(np.int32).ravel()
        mesh.uservert, mesh.userface = surface.vertices.ravel(), faces
        mesh.usernormal, mesh.userfacenormal = surface.normals.ravel(), faces
        mesh.usertexcoord, mesh.userfacetexcoord = surface.uvs.ravel(), faces
        material = _add_material(spec, name, thing.materials[part % len(thing.materials)])
        body.add_geom(
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=name,
            material=material,
            contype=0,
            conaffinity=0,
            mass=0.0,
            group=0,
        )
    for number, collider in enumerate(solid.colliders):
        _add_collider(spec, body, f"thing{index}.collider{number}", collider, thing.density)


def _add_collider(spec: mujoco.MjSpec, body: mujoco.MjsBody, name: str, collider: Collider, density: float) -> None:
    kinds = {
        "sphere": mujoco.mjtGeom.mjGEOM_SPHERE,
        "capsule": mujoco.mjtGeom.mjGEOM_CAPSULE,
        "cylinder": mujoco.mjtGeom.mjGEOM_CYLINDER,
        "ellipsoid": mujoco.mjtGeom.mjGEOM_ELLIPSOID,
        "box": mujoco.mjtGeom.mjGEOM_BOX,
        "hull": mujoco.mjtGeom.mjGEOM_MESH,
    }
    quaternion = np.zeros(4)
    mujoco.mju_mat2Quat(quaternion, collider.rotation.ravel())
    geom = body.add_geom(
        type=kinds[collider.kind], pos=collider.position, quat=quaternion, group=_COLLIDER_GROUP, density=density,
        condim=6, friction=[0.8, 0.01, 0.004],
    )  # fmt: skip
    if collider.mesh is not None:
        mesh = spec.add_mesh(name=name)
        mesh.uservert = collider.mesh.vertices.ravel()
        geom.meshname = name
    else:
        geom.size = [*collider.size, *[0.0] * (3 - len(collider.size))]

"""The parameters of `perception_sim`'s commands and node; needs neither OpenGL nor ROS."""

from __future__ import annotations

import dataclasses

from perception_common.params import param

UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "in": 0.0254}
"""Units of meshes, in metres."""


@dataclasses.dataclass(frozen=True)
class GenerateParams:
    """Parameters of `perception-sim generate`."""

    output: str = param("", "directory of the dataset; an interrupted run continues when it is started again")
    preset: str = param("demo", "difficulty: a preset's name, or the path of a YAML file")
    images: int = param(1000, "how many images", minimum=1, maximum=100_000_000)
    seed: int = param(1, "fixes everything that is random", minimum=0, maximum=2**53)
    classes: tuple[str, ...] = param(
        (), "object classes in the order of their category ids; by default the preset's (content.classes)"
    )
    negatives: float = param(
        -1.0, "share of scenes without any object of a class; -1 as the preset says", minimum=-1.0, maximum=1.0
    )
    workers: int = param(
        0, "processes; 0 is one per core (with --ray: per CPU of the cluster)", minimum=0, maximum=10_000
    )
    shards: int = param(
        1,
        """divide the scenes among so many runs, on as many machines: the same command on each, with another --shard.
        With one --output on a common disk the last to end completes the dataset; with an --output each,
        perception-sim merge joins them. The dataset is the same, byte for byte, as without shards""",
        minimum=1,
        maximum=1_000_000,
    )
    shard: int = param(0, "which of the --shards this run makes, from 0", minimum=0)
    ray: str = param(
        "",
        """make the scenes on a Ray cluster: its address (HOST:PORT, auto, ray://HOST:PORT), or local for one on this
        machine. Workers that see --output at the same path write there; the others send their pictures here""",
    )
    width: int = param(320, "image width in pixels", minimum=32, maximum=4096)
    height: int = param(240, "image height in pixels", minimum=32, maximum=4096)
    views_per_scene: int = param(4, "images of each scene, from different sides", minimum=1, maximum=1000)
    image_format: str = param("jpg", "file format of the images", choices=("jpg", "png"))
    jpg_quality: int = param(92, "quality of jpg images", minimum=1, maximum=100)
    backgrounds: tuple[str, ...] = param(
        (), "folders of photographs for floors, walls and backdrops; by default the preset's (background.images)"
    )
    renderer: str = param(
        "classic", "classic is fast; filament is physically based and needs Vulkan", choices=("classic", "filament")
    )
    depth: bool = param(False, "write depth (depth/*.png, uint16 millimetres along the optical axis, 0 = unknown)")
    masks: bool = param(True, "write semantic masks (masks/*.png, uint8, 0 = background, else the category id)")
    min_box_px: float = param(
        -1.0, "least length of the longer side of a labelled box in pixels; -1 as the preset says", minimum=-1.0
    )
    max_occlusion: float = param(
        -1.0, "greatest hidden share of a labelled object; -1 as the preset says", minimum=-1.0, maximum=1.0
    )
    contact_sheet: bool = param(True, "draw contact_sheet.png")


@dataclasses.dataclass(frozen=True)
class MergeParams:
    """Parameters of `perception-sim merge`."""

    inputs: tuple[str, ...] = param((), "the directories (--output) of all shards of one dataset, in any order")
    output: str = param("", "directory of the joint dataset; an interrupted run continues when it is started again")


@dataclasses.dataclass(frozen=True)
class ViewParams:
    """Parameters of `perception-sim view`."""

    dataset: str = param("", "directory of a dataset (images/ and annotations.json), generated or imported")
    compare: str = param(
        "", "directory of a second dataset to compare with, such as real beside synthetic, or validation beside train"
    )
    output: str = param(
        "",
        """a directory for index.html and contact_sheet.png, or a FILE.html for the page alone, or a FILE.png for the
        contact sheet alone; by default the directory <name of the dataset>-view in the current directory""",
    )
    columns: int = param(6, "pictures side by side on the contact sheet", minimum=1, maximum=40)
    rows: int = param(
        4, "pictures below each other; the page shows columns x rows of them, 60 at most", minimum=1, maximum=40
    )
    first: int = param(0, "number of the first image; 0 spreads the pictures over the whole dataset", minimum=0)
    samples: int = param(
        400, "how many random images are measured, and have their masks checked", minimum=1, maximum=1_000_000
    )
    seed: int = param(0, "which images and objects are drawn at random", minimum=0, maximum=2**53)
    crops: int = param(8, "cut-outs of each class at most", minimum=0, maximum=100)
    min_per_class: int = param(50, "classes with fewer labelled objects are warned of", minimum=0)
    small_px: float = param(4.0, "labelled boxes less wide or high than this many pixels are warned of", minimum=0.0)
    duplicate_checks: int = param(
        20_000, "how many image files may be read in search of identical ones; 0 does not search", minimum=0
    )


@dataclasses.dataclass(frozen=True)
class ObjectParams:
    """What a user says of an object: the lines of its object.yaml, and flags of `perception-sim add-object`."""

    size: tuple[float, ...] = param(
        (),
        """least and greatest longest side of an instance in metres, or one number for both; by default that of the mesh
        within 5 %""",
        minimum=0.002,
        maximum=50.0,
    )
    height: tuple[float, ...] = param(
        (), "least and greatest height as it stands, in metres, instead of the size", minimum=0.001, maximum=50.0
    )
    mass: float = param(0.0, "kg of an instance of the middle size; 0 uses the density", minimum=0.0, maximum=1e6)
    density: float = param(350.0, "kg/m³ of the collision hulls, without a mass", minimum=1.0, maximum=25_000.0)
    upright: float = param(
        0.5, "share of instances that are set down as modelled; the others tumble", minimum=0.0, maximum=1.0
    )
    stretch: float = param(
        0.03, "greatest stretch of an instance along each of its axes, as a share", minimum=0.0, maximum=0.5
    )
    keep_texture: float = param(
        0.8, "share of instances in their own textures and colours; the others have any", minimum=0.0, maximum=1.0
    )
    hue: float = param(0.02, "greatest turn of the hue of the own textures, in turns", minimum=0.0, maximum=0.5)
    brightness: float = param(
        0.2, "greatest change of their brightness, as a natural logarithm", minimum=0.0, maximum=2.0
    )
    texture_px: int = param(256, "pixels along each side of a texture when it is rendered", minimum=16, maximum=1024)
    also: tuple[str, ...] = param((), "classes that every instance belongs to as well (a mug is a cup)")
    resembles: tuple[str, ...] = param((), "classes that it is a hard look-alike of, when it is no class itself")


@dataclasses.dataclass(frozen=True)
class AddObjectParams(ObjectParams):
    """Parameters of `perception-sim add-object`."""

    mesh: str = param("", "the mesh: an OBJ (with MTL and textures), STL, GLB, glTF or PLY file; a file is one object")
    name: str = param("", "name of the class; by default the file's")
    output: str = param("objects", "directory that the object's folder is made in; presets name it in object_dirs")
    textures: tuple[str, ...] = param(
        (),
        """pictures for the surfaces that have none of their own (or for all, if every one has); of several, each
        instance wears one""",
    )
    unit: str = param("m", "unit of the mesh's coordinates; of no account with a size or height", choices=tuple(UNITS))
    up: str = param("auto", "axis of the mesh that is up; auto: y for GLB and glTF, else z", choices=("auto", "z", "y"))
    triangles: int = param(10_000, "triangles at most; more are decimated", minimum=12, maximum=200_000)
    materials: int = param(8, "materials at most; the smallest others become plain colours", minimum=1, maximum=32)
    hulls: int = param(16, "convex hulls for collisions at most; 1 has no hollow", minimum=1, maximum=64)
    concavity: float = param(
        0.04, "how far a hull may bridge a hollow, over the longest side", minimum=0.01, maximum=1.0
    )
    preview: bool = param(True, "render preview.png: views, variations, collision hulls; and test that it stands")


@dataclasses.dataclass(frozen=True)
class SimCameraParams:
    """Parameters of sim_camera_node."""

    preset: str = param("demo", "difficulty: a preset's name, or the path of a YAML file")
    seed: int = param(700_001, "fixes scenes, camera path and noise", minimum=0, maximum=2**53)
    rate: float = param(10.0, "frames a second, of each camera", minimum=0.1, maximum=1000.0)
    width: int = param(320, "image width in pixels", minimum=32, maximum=4096)
    height: int = param(240, "image height in pixels", minimum=32, maximum=4096)
    scene_seconds: float = param(6.0, "how long a scene lasts, in seconds", minimum=0.5, maximum=86_400.0)
    cameras: tuple[str, ...] = param(
        ("",),
        """names of the cameras, which see one world at the same times: topics are <name>/image and so on. One camera
        without a name has image and so on""",
    )
    mounts: tuple[float, ...] = param(
        (),
        """four numbers for each camera after the first mount it on a rig with that one: metres to the right, down and
        forward in the first camera's optical frame, and degrees turned to the right. Without them every camera goes
        its own way""",
        minimum=-360.0,
        maximum=360.0,
    )
    fixed_optics: bool = param(
        False,
        """keep field of view and lens from scene to scene: for readers that take camera_info only once, and without the
        pause in which another lens is made ready""",
    )
    frame_id: str = param(
        "sim_camera_optical_frame",
        """frame of the camera's optical axes (x right, y down, z forward); that of a camera with a name is
        <name>_optical_frame""",
    )
    frame_prefix: str = param("", "put before the cameras' frames, to tell robots apart")
    world_frame: str = param("world", "frame of the world (z up), which camera_pose and /tf refer to")
    publish_tf: bool = param(True, "publish the cameras' frames on /tf, where tf2_msgs is installed")
    encoding: str = param("bgr8", "encoding of the image", choices=("bgr8", "rgb8"))
    depth: str = param(
        "none",
        """depth/image, aligned with the image: 16UC1 is millimetres with 0 for no distance, 32FC1 is metres with +Inf
        where there is nothing and NaN where the lens sees nothing (REP 117, REP 118)""",
        choices=("none", "16UC1", "32FC1"),
    )
    publish_clock: bool = param(False, "publish /clock; stamps then are simulated time, a period apart from each other")
    clock_rate: float = param(
        0.0,
        "ticks of /clock a second of simulated time, rounded to a whole number for each frame; 0 is one for each frame",
        minimum=0.0,
        maximum=10_000.0,
    )
    clock_start: float = param(0.0, "simulated time at the start, in seconds", minimum=0.0, maximum=2e9)
    real_time_factor: float = param(
        1.0,
        "seconds of simulated time a second, with publish_clock; 0 is as fast as frames can be made",
        minimum=0.0,
        maximum=1000.0,
    )
    max_frames: int = param(0, "end after so many frames of each camera; 0 is never", minimum=0)

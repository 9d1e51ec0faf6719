"""A robot: a camera driver, and live detections on its images. Of models, only signed ones are taken.

ros2 launch perception_suite robot.launch.py camera:=usb_cam model_root:=models model:=detector trust:=trust

The driver keeps the names of its topics, below the namespace `camera`. With camera:=none the images are those of
another launch file, on the topic of image:=.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import ComposableNodeContainer, Node
from launch_ros.descriptions import ComposableNode

from perception_common.launching import actions, arguments
from perception_infer.launching.drivers import CAMERA, DRIVERS, NONE, Driver, hearing

REQUIRED = {"camera": "the camera's driver; none: the images come from elsewhere"}
OF_MODEL = {
    "model_root": "model repository",
    "model": "name of the model in it",
    "trust": "folder of public keys: bundles signed with one of them are taken",
}
OF_CAMERA = {
    "image": "image topic, such as /camera/image_raw or camera/image_raw/compressed; the driver's when empty",
    "camera_info": "topic of the calibration, for places in space; the driver's when empty",
    "depth": "true: places in space (detections_3d) by the camera's depth image",
    "depth_image": "topic of the depth image; the driver's when empty, of realsense",
    "camera_params_file": "ROS parameter file of the driver",
    "camera_parameters": 'parameters of the driver as YAML, stronger than the file: "{video_device: /dev/video2}"',
    "camera_enclave": "SROS2 enclave of the driver; the root's when empty",
}
CHOICES = arguments.CHOICES | {"depth": arguments.BOOLEAN}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite robot.launch.py` runs."""
    described = OF_MODEL | OF_CAMERA | arguments.SHARED | arguments.OF_SEVERAL
    described |= arguments.of_each({"infer": "infer_node"})
    return LaunchDescription(
        [
            *arguments.declare(REQUIRED, {"camera": (*DRIVERS, NONE)}, required=True),
            *arguments.declare(described, CHOICES),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    topics = (given["image"], given["camera_info"], arguments.truth("depth", given), given["depth_image"])
    heard = hearing(given["camera"], *topics)
    parameters = heard.parameters | {name: given[name] for name in OF_MODEL if given[name]}
    infer = actions.node(given, "infer_node", "infer", parameters, heard.remappings)
    driver = DRIVERS.get(given["camera"])
    # The transport setting comes first, since drivers need it too.
    return [*actions.transport(), *([_camera(driver, given, heard.of_driver)] if driver else []), *infer]


def _camera(driver: Driver, given: dict, parameters: dict) -> Node:
    file = given["camera_params_file"]
    values = parameters | arguments.mapping("camera_parameters", given["camera_parameters"])
    if given["use_sim_time"]:
        values["use_sim_time"] = arguments.truth("use_sim_time", given)
    words = ["--log-level", given["log_level"]] if given["log_level"] else []
    words += ["--enclave", given["camera_enclave"]] if given["camera_enclave"] else []
    process = {
        "namespace": arguments.joined(given["namespace"], CAMERA),
        "output": "screen",
        "emulate_tty": True,
        "respawn": arguments.truth("respawn", given),
        "respawn_delay": arguments.number("respawn_delay", given, "seconds"),
    }
    if driver.executable:
        words = [*(["--params-file", file] if file else []), *actions.parameter_words(values), *words]
        return Node(package=driver.package, executable=driver.executable, ros_arguments=words, **process)
    component = ComposableNode(
        package=driver.package,
        plugin=driver.plugin,
        namespace=process["namespace"],
        parameters=[*([file] if file else []), actions.typed(values)],
    )
    return ComposableNodeContainer(
        package="rclcpp_components",
        executable="component_container_mt",
        name="container",
        composable_node_descriptions=[component],
        ros_arguments=words,
        **process,
    )

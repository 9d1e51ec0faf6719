"""A model of ours in NVIDIA's graph: image encoder, TensorRT or Triton, and decoder, in one container, over NITROS.

perception-train export --layout isaac --output isaac/detector
ros2 launch perception_suite isaac.launch.py model:=isaac/detector image_width:=1280 image_height:=720

All parameters come from the exported folder. Wants Isaac ROS 4 (isaac_ros_dnn_image_encoder, isaac_ros_tensor_rt or
isaac_ros_triton, isaac_ros_yolov8 or isaac_ros_unet; isaac_ros_image_proc for convert:=true).
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction
from launch_ros.actions import ComposableNodeContainer, LoadComposableNodes
from launch_ros.descriptions import ComposableNode

from perception_common.launching import actions, arguments
from perception_infer.launching.isaac import INFERENCE, Camera, Component, components

REQUIRED = {
    "model": "folder that `perception-train export --layout isaac` has written",
    "image_width": "width of the camera's images in pixels: the encoder wants to know it",
    "image_height": "their height",
}
OPTIONS = {
    "image": "image topic; image when empty",
    "camera_info": "topic of the calibration, with the stamps of the images; camera_info when empty",
    "convert": "true: turn images of other encodings into rgb8 first (isaac_ros_image_proc)",
    "inference": "what runs the graph; tensor_rt when empty",
    "engine": "file of the TensorRT engine; when empty, one in the cache that is named after graph, TensorRT and GPU",
    "container": "component container that the nodes are loaded into; one of their own when empty",
}
OF_COMPONENT = {
    f"{name}_parameters": f"parameters of the {name} as YAML, stronger than those of the folder: {{name: value}}"
    for name in ("encoder", "inference", "decoder")
}
SHARED = {name: arguments.SHARED[name] for name in ("namespace", "log_level", "use_sim_time")}
CHOICES = arguments.CHOICES | {"convert": arguments.BOOLEAN, "inference": ("", *INFERENCE)}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite isaac.launch.py` runs."""
    required = arguments.declare(REQUIRED, required=True)
    further = arguments.declare(OPTIONS | OF_COMPONENT | SHARED, CHOICES)
    return LaunchDescription([*required, *further, OpaqueFunction(function=_load)])


def _load(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    topics = {"image": given["image"], "info": given["camera_info"]}
    camera = Camera(
        *(arguments.whole(name, given) for name in ("image_width", "image_height")),
        rgb=not arguments.truth("convert", given),
        **{name: topic for name, topic in topics.items() if topic},
    )
    further = {name.partition("_")[0]: arguments.mapping(name, given[name]) for name in OF_COMPONENT}
    folder = Path(given["model"]).expanduser().resolve()
    chain = components(folder, camera, given["inference"], given["engine"], further)
    nodes = [_node(given, component) for component in chain]
    if given["container"]:
        return [LoadComposableNodes(target_container=given["container"], composable_node_descriptions=nodes)]
    container = ComposableNodeContainer(
        package="rclcpp_components",
        executable="component_container_mt",
        name="isaac",
        namespace=given["namespace"],
        composable_node_descriptions=nodes,
        ros_arguments=["--log-level", given["log_level"]] if given["log_level"] else [],
        output="screen",
        emulate_tty=True,
    )
    return [*actions.transport(), container]


def _node(given: dict, component: Component) -> ComposableNode:
    time = {"use_sim_time": arguments.truth("use_sim_time", given)} if given["use_sim_time"] else {}
    return ComposableNode(
        package=component.package,
        plugin=component.plugin,
        name=component.name,
        namespace=given["namespace"],
        parameters=[actions.typed(component.parameters | time)],
        remappings=list(component.remappings.items()),
        extra_arguments=[{"use_intra_process_comms": True}],
    )

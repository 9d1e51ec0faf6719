"""Live detections: the inference node. On a robot: infer.launch.py remappings:="{image: /camera/image_raw}"."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

NODE = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "node.launch.py"))


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite infer.launch.py` runs; arguments are those of node.launch.py."""
    return LaunchDescription([IncludeLaunchDescription(NODE, launch_arguments=[("executable", "infer_node")])])

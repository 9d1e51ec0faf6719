"""The trainer: trains, and announces every model that it exports on the topic `checkpoint`."""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

NODE = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "node.launch.py"))


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite train.launch.py` runs; arguments are those of node.launch.py."""
    return LaunchDescription([IncludeLaunchDescription(NODE, launch_arguments=[("executable", "train_node")])])

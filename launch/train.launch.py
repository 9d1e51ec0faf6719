"""The trainer: trains, and announces every model that it exports on the topic `checkpoint`."""

from launch import LaunchDescription

from perception_common.launching import actions


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite train.launch.py` runs."""
    return actions.single("train_node")

"""Live detections: the inference node. On a robot: infer.launch.py remappings:="{image: /camera/image_raw}"."""

from launch import LaunchDescription

from perception_common.launching import actions


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite infer.launch.py` runs."""
    return actions.single("infer_node")

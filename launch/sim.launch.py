"""The simulated robot: a camera in the synthetic world, live detections, and their score against the ground truth.

Start train.launch.py beside it, and every model that the trainer announces is swapped in.
"""

from pathlib import Path

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

NODE = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "node.launch.py"))
NODES = {"camera": "sim_camera_node", "infer": "infer_node", "evaluate": "evaluate_node"}
SHARED = {
    "namespace": "namespace of all three nodes; none when empty",
    "log_level": "debug, info, warn, error or fatal; ROS decides when empty",
    "use_sim_time": "true to take the time from /clock",
}
OF_EACH = {
    "params_file": "ROS parameter file of the {} node",
    "parameters": 'parameters of the {} node as YAML, stronger than the file: "{{name: value}}"',
    "remappings": 'names to remap in the {} node as YAML: "{{name: other}}"',
}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite sim.launch.py` runs."""
    described = dict(SHARED)
    described |= {f"{node}_{name}": text.format(node) for node in NODES for name, text in OF_EACH.items()}
    arguments = [DeclareLaunchArgument(name, default_value="", description=text) for name, text in described.items()]
    return LaunchDescription([*arguments, *(_include(node) for node in NODES)])


def _include(node: str) -> GroupAction:
    # In a group, since what an include sets would otherwise hold for the next one too. SHARED passes by itself.
    own = [(name, LaunchConfiguration(f"{node}_{name}")) for name in OF_EACH]
    return GroupAction([IncludeLaunchDescription(NODE, launch_arguments=[("executable", NODES[node]), *own])])

"""The simulated robot: a camera in the synthetic world, live detections, and their score against the ground truth.

Start train.launch.py beside it, and every model that the trainer announces is swapped in.

With several cameras (camera_parameters:="{cameras: [left, right]}"), listen:=left is the one that the others look
through. With sim_clock:=true the camera publishes /clock and the others follow it.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    SetLaunchConfiguration,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

NODE = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "node.launch.py"))
NODES = {"camera": "sim_camera_node", "infer": "infer_node", "evaluate": "evaluate_node"}
SHARED = {
    "namespace": "namespace of all three nodes; none when empty",
    "log_level": "debug, info, warn, error or fatal; ROS decides when empty",
    "use_sim_time": "true to take the time from /clock",
}
OF_CAMERA = {
    "sim_clock": "true: the camera publishes /clock, and all nodes take the time from it",
    "listen": "name of the camera whose images are looked at and scored, where cameras have names",
}
# What the other nodes take from a camera, by the name without a camera's.
FROM_CAMERA = ("image", "ground_truth")
OF_EACH = {
    "params_file": "ROS parameter file of the {} node",
    "parameters": 'parameters of the {} node as YAML, stronger than the file: "{{name: value}}"',
    "remappings": 'names to remap in the {} node as YAML: "{{name: other}}"',
}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite sim.launch.py` runs."""
    described = SHARED | OF_CAMERA
    described |= {f"{node}_{name}": text.format(node) for node in NODES for name, text in OF_EACH.items()}
    arguments = [DeclareLaunchArgument(name, default_value="", description=text) for name, text in described.items()]
    return LaunchDescription([*arguments, OpaqueFunction(function=_set), *(_include(node) for node in NODES)])


def _set(context: LaunchContext) -> list:
    """What this file and its arguments mean for the nodes' own arguments, which stay stronger."""
    given = context.launch_configurations
    # The simulated robot runs on the machine that trains: nobody else writes to its models.
    changes = [_under("infer_parameters", {"require_signature": False}, given)]
    if _truth(given["sim_clock"]):
        changes.append(SetLaunchConfiguration("use_sim_time", given["use_sim_time"] or "true"))
        changes.append(_under("camera_parameters", {"publish_clock": True}, given))
    if given["listen"]:
        names = {topic: f"{given['listen']}/{topic}" for topic in FROM_CAMERA}
        changes += [_under(f"{node}_remappings", names, given) for node in NODES if node != "camera"]
    return changes


def _truth(text: str) -> bool:
    value = yaml.safe_load(text or "false")
    if not isinstance(value, bool):
        raise RuntimeError(f"launch argument 'sim_clock' is {text!r}, and has to be true or false")
    return value


def _under(argument: str, values: dict, given: dict) -> SetLaunchConfiguration:
    """Values below those that the user gave as YAML."""
    own = yaml.safe_load(given[argument] or "{}")
    if not isinstance(own, dict):
        raise RuntimeError(f'launch argument {argument!r} is {given[argument]!r}, and has to be "{{name: value, ...}}"')
    return SetLaunchConfiguration(argument, yaml.safe_dump(values | own, default_flow_style=True))


def _include(node: str) -> GroupAction:
    # In a group, since what an include sets would otherwise hold for the next one too. SHARED passes by itself.
    own = [(name, LaunchConfiguration(f"{node}_{name}")) for name in OF_EACH]
    return GroupAction([IncludeLaunchDescription(NODE, launch_arguments=[("executable", NODES[node]), *own])])

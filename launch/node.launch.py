"""Start one node of the suite. The other launch files include this one, so that all take the same arguments.

A node's parameters and their defaults are declared in its code alone (config/ lists them); nothing is passed here but
what the user sets.
"""

import os
from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import Node

# Beside launch/ in the checkout and in the installed share directory alike.
TRANSPORT_PROFILE = Path(__file__).resolve().parent.parent / "config" / "fastdds_shm.xml"
PROFILE_VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
# What Humble's Fast DDS reads; newer ones warn about it.
OLD_PROFILE_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"

EXECUTABLES = ("sim_camera_node", "infer_node", "evaluate_node", "train_node")
OPTIONS = {
    "namespace": "namespace of the node; none when empty",
    "params_file": "ROS parameter file; start from a copy of one in config/",
    "parameters": 'parameters as YAML, stronger than the file: parameters:="{name: value}"',
    "remappings": 'names to remap as YAML: remappings:="{image: /camera/image_raw}"',
    "log_level": "debug, info, warn, error or fatal; ROS decides when empty",
    "use_sim_time": "true to take the time from /clock",
    "respawn": "true to start the node again whenever it ends, unless all is shut down",
    "respawn_delay": "seconds before it is started again; launch decides when empty",
}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite node.launch.py` runs."""
    what = DeclareLaunchArgument("executable", choices=EXECUTABLES, description="which node to start")
    options = [DeclareLaunchArgument(name, default_value="", description=text) for name, text in OPTIONS.items()]
    return LaunchDescription([what, *options, OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list:
    given = {name: context.launch_configurations[name] for name in OPTIONS}
    parameters: list = [given["params_file"]] if given["params_file"] else []
    if given["use_sim_time"]:
        parameters.append({"use_sim_time": _yaml("use_sim_time", given["use_sim_time"], bool)})
    if given["parameters"]:
        parameters.append(_yaml("parameters", given["parameters"], dict))
    remappings = _yaml("remappings", given["remappings"], dict) if given["remappings"] else {}
    node = Node(
        package="perception_suite",
        executable=context.launch_configurations["executable"],
        namespace=given["namespace"] or None,
        parameters=parameters,
        remappings=[(str(name), str(target)) for name, target in remappings.items()],
        ros_arguments=["--log-level", given["log_level"]] if given["log_level"] else [],
        output="screen",
        emulate_tty=True,
        respawn=_yaml("respawn", given["respawn"] or "false", bool),
        respawn_delay=_seconds("respawn_delay", given["respawn_delay"]),
    )
    return [*_transport(), node]


def _transport() -> list:
    """Room for camera images in shared memory, unless the user has chosen a profile."""
    if os.environ.get(PROFILE_VARIABLE) or os.environ.get(OLD_PROFILE_VARIABLE):
        return []
    name = OLD_PROFILE_VARIABLE if os.environ.get("ROS_DISTRO") == "humble" else PROFILE_VARIABLE
    return [SetEnvironmentVariable(name, str(TRANSPORT_PROFILE))]


def _yaml(argument: str, text: str, kind: type):
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        value = None
    if not isinstance(value, kind):
        words = "true or false" if kind is bool else '"{name: value, ...}"'
        raise RuntimeError(f"launch argument '{argument}' is {text!r}, and has to be {words}")
    return value


def _seconds(argument: str, text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < float("inf"):
        raise RuntimeError(f"launch argument '{argument}' is {text!r}, and has to be a number of seconds, 0 or more")
    return value

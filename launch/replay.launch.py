"""A recording instead of a robot: `ros2 bag play`, live detections, and their score against the truth in the recording.

ros2 launch perception_suite replay.launch.py bag:=RECORDING image:=/camera/image_raw model_root:=MODELS model:=NAME

The player begins when the model is loaded, and when the recording ends all ends. `perception-infer replay` looks at
every frame; here those are left out that come while the model is busy, as on the robot.
"""

from pathlib import Path

import yaml
from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
    RegisterEventHandler,
    SetLaunchConfiguration,
    Shutdown,
    TimerAction,
)
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.ros_adapters import get_ros_node

NODE = PythonLaunchDescriptionSource(str(Path(__file__).resolve().parent / "node.launch.py"))
NODES = {"infer": "infer_node", "evaluate": "evaluate_node"}
REQUIRED = {
    "bag": "recording: a rosbag2 directory",
    "image": "image topic in it, such as /camera/image_raw or /camera/image_raw/compressed",
}
OPTIONS = {
    "ground_truth": "topic in it with what is true; ground_truth beside the images when empty",
    "topics": "further topics to play, separated by spaces, such as depth images",
    "model_root": "model repository",
    "model": "name of the model in it",
    "output": "JSON file of the results; none when empty",
    "rate": "how fast to play; as it was recorded when empty",
    "loop": "true to begin again at the end, until interrupted",
    "use_sim_time": "false for this machine's time; otherwise the player publishes /clock, and the nodes go by it",
    "namespace": "namespace of both nodes; none when empty",
    "log_level": "debug, info, warn, error or fatal; ROS decides when empty",
}
OF_EACH = {
    "params_file": "ROS parameter file of the {} node",
    "parameters": 'parameters of the {} node as YAML, stronger than the file: "{{name: value}}"',
    "remappings": 'names to remap in the {} node as YAML: "{{name: other}}"',
}
COMPRESSED = "/compressed"
PLAYER = "bag_player"
#: How often a second the player tells the time: the ages of images are not known better than that.
CLOCK_HZ = "100"
#: From the player's start to its first message, in which it and the nodes find each other.
DISCOVERY_SECONDS = "1.0"
POLL_SECONDS = 0.5
#: For the last results, and the nodes' last reports of themselves, which come once a second.
LAST_SECONDS = 2.0


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite replay.launch.py` runs."""
    described = OPTIONS | {f"{node}_{name}": text.format(node) for node in NODES for name, text in OF_EACH.items()}
    return LaunchDescription(
        [
            *(DeclareLaunchArgument(name, description=text) for name, text in REQUIRED.items()),
            *(DeclareLaunchArgument(name, default_value="", description=text) for name, text in described.items()),
            OpaqueFunction(function=_set),
            RegisterEventHandler(OnProcessExit(on_exit=_on_exit)),
            *(_include(node) for node in NODES),
            OpaqueFunction(function=_play_when_awaited),
        ]
    )


def _set(context: LaunchContext) -> list:
    """What the arguments mean for the nodes' own, which stay stronger."""
    given = context.launch_configurations
    # What cannot be played is told before anything is started.
    _command(given)
    image, compressed = _image(given)
    infer = {name: given[name] for name in ("model_root", "model") if given[name]}
    # A recording is played on one's own machine, with one's own models.
    infer["require_signature"] = False
    evaluate = {"output": given["output"]} if given["output"] else {}
    if compressed:
        infer["image_transport"] = evaluate["image_transport"] = "compressed"
    return [
        SetLaunchConfiguration("use_sim_time", "true" if _simulates(given) else "false"),
        _under("infer_parameters", infer, given),
        _under("infer_remappings", {"image": image}, given),
        _under("evaluate_parameters", evaluate, given),
        _under("evaluate_remappings", {"image": image, "ground_truth": _ground_truth(given)}, given),
    ]


def _play_when_awaited(context: LaunchContext) -> list:
    """Start the player once the node asks for images, which it does when its model is loaded."""
    given = context.launch_configurations
    asking = get_ros_node(context).get_subscriptions_info_by_topic(given["image"])
    if any(one.node_name == NODES["infer"] for one in asking):
        return [ExecuteProcess(cmd=_command(given), name=PLAYER, output="screen")]
    return [TimerAction(period=POLL_SECONDS, actions=[OpaqueFunction(function=_play_when_awaited)])]


def _command(given: dict) -> list:
    """Results that were recorded, too, are not played: they would mix with those of now."""
    words = ["ros2", "bag", "play", given["bag"], "--disable-keyboard-controls", "--delay", DISCOVERY_SECONDS]
    if given["rate"]:
        words += ["--rate", given["rate"]]
    if _truth("loop", given):
        words.append("--loop")
    if _simulates(given):
        words += ["--clock", CLOCK_HZ]
    return [*words, "--topics", given["image"], _ground_truth(given), *given["topics"].split()]


def _on_exit(event: ProcessExited, context: LaunchContext) -> list:
    """All end together, and with the recording the nodes have time to finish."""
    name = event.process_name.rpartition("-")[0]
    # Others may have included this file beside processes of their own.
    if context.is_shutdown or name not in (PLAYER, *NODES.values()):
        return []
    if name == PLAYER and event.returncode == 0:
        return [TimerAction(period=LAST_SECONDS, actions=[Shutdown(reason="the recording has ended")])]
    return [Shutdown(reason=f"{name} has ended")]


def _image(given: dict) -> tuple:
    """The topic as the nodes call it, and whether its images are compressed."""
    topic = given["image"]
    return topic.removesuffix(COMPRESSED), topic.endswith(COMPRESSED)


def _ground_truth(given: dict) -> str:
    return given["ground_truth"] or _image(given)[0].rpartition("/")[0] + "/ground_truth"


def _simulates(given: dict) -> bool:
    return not given["use_sim_time"] or _truth("use_sim_time", given)


def _truth(argument: str, given: dict) -> bool:
    value = yaml.safe_load(given[argument] or "false")
    if not isinstance(value, bool):
        raise RuntimeError(f"launch argument '{argument}' is {given[argument]!r}, and has to be true or false")
    return value


def _under(argument: str, values: dict, given: dict) -> SetLaunchConfiguration:
    """Values below those that the user gave as YAML."""
    own = yaml.safe_load(given[argument] or "{}")
    if not isinstance(own, dict):
        raise RuntimeError(f'launch argument {argument!r} is {given[argument]!r}, and has to be "{{name: value, ...}}"')
    return SetLaunchConfiguration(argument, yaml.safe_dump(values | own, default_flow_style=True))


def _include(node: str) -> GroupAction:
    # In a group, since what an include sets would otherwise hold for the next one too.
    own = [(name, LaunchConfiguration(f"{node}_{name}")) for name in OF_EACH]
    return GroupAction([IncludeLaunchDescription(NODE, launch_arguments=[("executable", NODES[node]), *own])])

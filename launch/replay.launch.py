"""A recording instead of a robot: `ros2 bag play`, live detections, and their score against the truth in the recording.

ros2 launch perception_suite replay.launch.py bag:=RECORDING image:=/camera/image_raw model_root:=MODELS model:=NAME

The player begins when the model is loaded, and when the recording ends all ends. `perception-infer replay` looks at
every frame; here those are left out that come while the model is busy, as on the robot.
"""

from functools import partial

from launch import LaunchContext, LaunchDescription
from launch.actions import ExecuteProcess, OpaqueFunction, RegisterEventHandler, Shutdown, TimerAction
from launch.event_handlers import OnProcessExit
from launch.events.process import ProcessExited
from launch_ros.ros_adapters import get_ros_node

from perception_common import topics
from perception_common.launching import actions, arguments

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
}
SHARED = arguments.SHARED | {
    "use_sim_time": "false for this machine's time; otherwise the player publishes /clock, and the nodes go by it"
}
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
    described = OPTIONS | SHARED | arguments.OF_SEVERAL | arguments.of_each(NODES)
    choices = arguments.CHOICES | {"loop": arguments.BOOLEAN}
    return LaunchDescription(
        [
            *arguments.declare(REQUIRED, required=True),
            *arguments.declare(described, choices),
            OpaqueFunction(function=_begin),
        ]
    )


def _begin(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    given["use_sim_time"] = "true" if _simulates(given) else "false"
    image, compressed = arguments.image_topic(given["image"])
    infer = {name: given[name] for name in ("model_root", "model") if given[name]}
    # A recording is played on one's own machine, with one's own models.
    infer["require_signature"] = False
    evaluate = {"output": given["output"]} if given["output"] else {}
    if compressed:
        infer["image_transport"] = evaluate["image_transport"] = "compressed"
    seen = {topics.IMAGE.name: image}
    heard = seen | {topics.GROUND_TRUTH.name: _ground_truth(given)}
    return [
        RegisterEventHandler(OnProcessExit(on_exit=_on_exit)),
        *actions.node(given, NODES["infer"], "infer", infer, seen),
        *actions.node(given, NODES["evaluate"], "evaluate", evaluate, heard),
        OpaqueFunction(function=partial(_play_when_awaited, given["image"], _command(given))),
    ]


def _play_when_awaited(image: str, command: list, context: LaunchContext) -> list:
    """Start the player once the node asks for images, which it does when its model is loaded."""
    asking = get_ros_node(context).get_subscriptions_info_by_topic(image)
    if any(one.node_name == NODES["infer"] for one in asking):
        return [ExecuteProcess(cmd=command, name=PLAYER, output="screen")]
    again = OpaqueFunction(function=partial(_play_when_awaited, image, command))
    return [TimerAction(period=POLL_SECONDS, actions=[again])]


def _command(given: dict) -> list:
    """Results that were recorded, too, are not played: they would mix with those of now."""
    words = ["ros2", "bag", "play", given["bag"], "--disable-keyboard-controls", "--delay", DISCOVERY_SECONDS]
    if given["rate"]:
        words += ["--rate", given["rate"]]
    if arguments.truth("loop", given):
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


def _ground_truth(given: dict) -> str:
    beside = arguments.image_topic(given["image"])[0].rpartition("/")[0]
    return given["ground_truth"] or f"{beside}/{topics.GROUND_TRUTH.name}"


def _simulates(given: dict) -> bool:
    return not given["use_sim_time"] or arguments.truth("use_sim_time", given)

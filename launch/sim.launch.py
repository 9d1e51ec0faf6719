"""The simulated robot: a camera in the synthetic world, live detections, and their score against the ground truth.

Start train.launch.py beside it, and every model that the trainer announces is swapped in.

With own_camera:=false images and ground truth come from another simulator (docs/simulators.md).

With several cameras (camera_parameters:="{cameras: [left, right]}"), listen:=left is the one that the others look
through. With sim_clock:=true the camera publishes /clock and the others follow it.
"""

from launch import LaunchContext, LaunchDescription
from launch.actions import OpaqueFunction

from perception_common import topics
from perception_common.launching import actions, arguments

NODES = {"camera": "sim_camera_node", "infer": "infer_node", "evaluate": "evaluate_node"}
OF_CAMERA = {
    "own_camera": "false: another simulator has the camera, and knows what is true; true when empty",
    "sim_clock": "true: the camera publishes /clock, and all nodes take the time from it",
    "listen": "name of the camera whose images are looked at and scored, where cameras have names",
}
# What the other nodes take from a camera, by the name without a camera's.
FROM_CAMERA = [topic.name for topic in (topics.IMAGE, topics.GROUND_TRUTH, topics.CAMERA_INFO, topics.DEPTH)]


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite sim.launch.py` runs."""
    described = OF_CAMERA | arguments.SHARED | arguments.OF_SEVERAL | arguments.of_each(NODES)
    choices = arguments.CHOICES | dict.fromkeys(("own_camera", "sim_clock"), arguments.BOOLEAN)
    return LaunchDescription([*arguments.declare(described, choices), OpaqueFunction(function=_start)])


def _start(context: LaunchContext) -> list:
    given = dict(context.launch_configurations)
    # The simulated robot runs on the machine that trains: nobody else writes to its models.
    parameters: dict = {"infer": {"require_signature": False}, "camera": {}, "evaluate": {}}
    if arguments.truth("sim_clock", given):
        given["use_sim_time"] = given["use_sim_time"] or "true"
        parameters["camera"]["publish_clock"] = True
    seen = {topic: f"{given['listen']}/{topic}" for topic in FROM_CAMERA} if given["listen"] else {}
    names = {"camera": {}, "infer": seen, "evaluate": seen}
    others = bool(given["own_camera"]) and not arguments.truth("own_camera", given)
    roles = [role for role in NODES if not (others and role == "camera")]
    nodes = [actions.node(given, NODES[role], role, parameters[role], names[role]) for role in roles]
    return [action for node in nodes for action in node]

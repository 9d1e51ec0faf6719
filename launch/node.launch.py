"""One node of the suite, by name: `ros2 launch perception_suite node.launch.py executable:=evaluate_node`."""

from launch import LaunchDescription
from launch.actions import OpaqueFunction

from perception_common.launching import actions, arguments

WHICH = {"executable": "which node to start"}


def generate_launch_description() -> LaunchDescription:
    """What `ros2 launch perception_suite node.launch.py` runs."""
    described = arguments.SHARED | {name: text.format("the node") for name, text in arguments.OF_EACH.items()}
    return LaunchDescription(
        [
            *arguments.declare(WHICH, {"executable": actions.NODES}, required=True),
            *arguments.declare(described),
            OpaqueFunction(function=_start),
        ]
    )


def _start(context) -> list:
    given = context.launch_configurations
    return actions.node(given, given["executable"])

"""What the launch files start: our nodes and commands, and what their processes need."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, List  # noqa: UP035

from ..ros import dds
from .arguments import OF_EACH, SHARED, declare, joined, mapping, number, truth

PACKAGE = "perception_suite"
NODES = ("sim_camera_node", "infer_node", "evaluate_node", "train_node")
#: Those with states, which wait for somebody to configure and activate them where ``autostart`` is false.
LIFECYCLE = ("infer_node", "train_node")
#: From SIGINT to SIGTERM, where the user does not say (`sigterm_timeout`). On a busy machine a node's last results take
#: longer than launch's 5 seconds.
PATIENCE_SECONDS = "15"


def single(executable: str) -> Any:
    """The description of a launch file that starts one node."""
    from launch import LaunchDescription
    from launch.actions import OpaqueFunction

    described = {name: text.format(executable) for name, text in OF_EACH.items()}
    start = OpaqueFunction(function=lambda context: node(context.launch_configurations, executable))
    return LaunchDescription([*declare(SHARED | described), start])


def node(
    given: Mapping[str, str],
    executable: str,
    role: str = "",
    parameters: Mapping[str, Any] | None = None,
    remappings: Mapping[str, str] | None = None,
) -> list[Any]:
    """What starts a node of ours.

    Args:
        given: the launch configurations.
        executable: one of `NODES`.
        role: what its arguments begin with in a launch file of several nodes (``infer``).
        parameters: of the launch file; weaker than those of the user.
        remappings: likewise.

    Raises:
        RuntimeError: an argument is not valid; told before anything is started.
    """
    from launch.substitutions import LaunchConfiguration
    from launch_ros.actions import Node

    label = {name: f"{role}_{name}" if role else name for name in OF_EACH}
    own = {name: given.get(label[name], "") for name in OF_EACH}
    values = dict(parameters or {}) | mapping(label["parameters"], own["parameters"])
    if executable in LIFECYCLE and given.get("autostart"):
        values["autostart"] = truth("autostart", given)
    if given.get("use_sim_time"):
        values["use_sim_time"] = truth("use_sim_time", given)
    names = dict(remappings or {}) | mapping(label["remappings"], own["remappings"])
    words = ["--params-file", own["params_file"]] if own["params_file"] else []
    words += parameter_words(values)
    if given.get("log_level"):
        words += ["--log-level", given["log_level"]]
    if enclave := own["enclave"] or _enclave(given, executable):
        words += ["--enclave", enclave]
    start = Node(
        package=PACKAGE,
        executable=executable,
        # Else a prefix would be the name of the process in the log.
        exec_name=executable,
        namespace=given.get("namespace") or None,
        remappings=[(str(name), str(target)) for name, target in names.items()],
        ros_arguments=words,
        prefix=own["prefix"] or None,
        output="screen",
        emulate_tty=True,
        respawn=truth("respawn", given),
        respawn_delay=number("respawn_delay", given, "seconds"),
        sigterm_timeout=LaunchConfiguration("sigterm_timeout", default=PATIENCE_SECONDS),
    )
    return [*transport(), start]


def parameter_words(values: Mapping[str, Any]) -> list[str]:
    """Parameters as ROS arguments, stronger than those of parameter files before them.

    JSON is YAML, so a text stays a text whatever it looks like: launch_ros makes a number of a model called 8. A list
    without elements is left out, since ROS has no type for it.
    """
    kept = {name: value for name, value in values.items() if value != []}
    return [word for name, value in kept.items() for word in ("-p", f"{name}:={json.dumps(value)}")]


def typed(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters for a composable node, whose texts stay texts: launch_ros would read them as YAML."""
    from launch_ros.parameter_descriptions import ParameterValue

    def one(value: Any) -> Any:
        if isinstance(value, str):
            return ParameterValue(value, value_type=str)
        if isinstance(value, list) and value and all(isinstance(entry, str) for entry in value):
            return ParameterValue(value, value_type=List[str])  # noqa: UP006 -- launch knows this one only
        return value

    return {name: one(value) for name, value in values.items() if value != []}


def transport() -> list[Any]:
    """Room for camera images in shared memory, unless the user has chosen a profile."""
    from launch.actions import SetEnvironmentVariable

    chosen = dict(os.environ)
    dds.enable(chosen)
    return [SetEnvironmentVariable(name, text) for name, text in chosen.items() if os.environ.get(name) != text]


def in_turn(steps: Sequence[Any], then: Iterable[Any]) -> list[Any]:
    """Run processes one after the other, then do the rest; when one fails, all is shut down with the reason."""
    from launch.actions import RegisterEventHandler
    from launch.event_handlers import OnProcessExit

    actions = list(then)
    for step in reversed(steps):
        go_on = OnProcessExit(target_action=step, on_exit=partial(_go_on, actions))
        actions = [RegisterEventHandler(go_on), step]
    return actions


def _go_on(actions: list[Any], event: Any, context: Any) -> list[Any]:
    from launch.actions import Shutdown

    if context.is_shutdown:
        return []
    if event.returncode == 0:
        return actions
    return [Shutdown(reason=f"{event.process_name} has failed with exit status {event.returncode}")]


def program(name: str, *words: object) -> Any:
    """A process that runs a command of the suite (``perception-sim``), wherever the package is installed."""
    from launch.actions import ExecuteProcess
    from launch_ros.substitutions import ExecutableInPackage

    command = [ExecutableInPackage(name, PACKAGE), *map(str, words)]
    # Without a terminal: its progress is then a line now and then.
    return ExecuteProcess(cmd=command, name=name, output="screen")


def _enclave(given: Mapping[str, str], executable: str) -> str:
    place = given.get("enclaves", "")
    return joined(place, executable) if place else ""

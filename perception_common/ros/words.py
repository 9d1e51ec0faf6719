"""What a node's program is asked beside ROS's own arguments: ``--help``, ``--version`` and what it is to print."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence

import rclpy
from rclpy.node import Node
from rclpy.utilities import remove_ros_args

from .. import __version__
from ..arguments import Parser
from ..errors import UserError
from ..params import about
from ..security import enclave_of
from ..shipped import schema_file
from ..yaml_files import reference_yaml
from . import secured
from .parameters import NodeParameters
from .policy import Interface, default_enclave, policy_text


def answered(name: str, params: type, words: Sequence[str], interface: Interface | None = None) -> bool:
    """Read the words of a command line that are not ROS's; whether they asked for something that is done now.

    Args:
        name: of the node and its program.
        params: the dataclass of its parameters.
        words: the command line, the program first.
        interface: of the node, of which a security policy can be made.

    Raises:
        UserError: ROS's own arguments are not valid, or a parameter is not.
        SystemExit: after ``--help`` and ``--version``, and for words that nobody knows.
    """
    if os.environ.get("NO_COLOR"):
        # What writes the log lines knows its own variable only, and reads it once, before the arguments.
        os.environ.setdefault("RCUTILS_COLORIZED_OUTPUT", "0")
    parser = Parser(
        name,
        allow_abbrev=False,
        description=about(params),
        epilog="Parameters, names and topics are ROS's own: --ros-args -p NAME:=VALUE -r FROM:=TO --params-file FILE.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    parser.add_argument(
        "--print-config",
        action="store_true",
        help="print every parameter as it would be, with --ros-args, as a ROS parameter file, and exit",
    )
    if interface is not None:
        parser.add_argument(
            "--print-policy",
            action="store_true",
            help="print the security policy (SROS2) that the node needs as it would be, with --ros-args, and exit",
        )
    with _refusing():
        others = remove_ros_args(list(words))[1:]
    asked = parser.parse_args(others)
    if asked.print_config:
        print(_effective(name, params, words), end="")
    elif interface is not None and asked.print_policy:
        print(_policy(name, params, words, interface), end="")
    else:
        return False
    return True


def initialise(words: Sequence[str], **how: object) -> None:
    """``rclpy.init`` with a clear line for arguments that it does not take, and for security that is not to be had."""
    secured.require(words)
    with _refusing():
        rclpy.init(args=list(words), **how)  # type: ignore[arg-type]


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # rclpy has one exception type per kind of mistake; all are the user's here
        raise UserError(f"ROS arguments are not valid: {error}") from error


def _effective(name: str, params: type, words: Sequence[str]) -> str:
    with _idle(name, words) as node:
        values = vars(NodeParameters(node, params).value)
        return reference_yaml(params, node.get_name(), values, schema_file(name))


def _policy(name: str, params: type, words: Sequence[str], interface: Interface) -> str:
    with _idle(name, words) as node:
        cameras = getattr(NodeParameters(node, params).value, "cameras", ()) or ("",)
        chosen = enclave_of(words)
        return policy_text(
            interface, node.get_name(), default_enclave(name) if chosen == "/" else chosen, cameras, node
        )


@contextlib.contextmanager
def _idle(name: str, words: Sequence[str]) -> Iterator[Node]:
    """A node that does nothing: the real one would load models, or open a world."""
    initialise(words)
    try:
        with secured.told(words):
            node = Node(name, enable_rosout=False, start_parameter_services=False)
        yield node
    finally:
        rclpy.try_shutdown()

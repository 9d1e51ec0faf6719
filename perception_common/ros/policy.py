"""Security policies (SROS2) made of what a node declares.

Those in ``config/security`` are for the names that nodes have by default; a node's program prints that of its own
start with ``--print-policy``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rclpy.node import Node

from .ends import Publication, Subscription

_PARAMETERS = (
    "describe_parameters",
    "get_parameter_types",
    "get_parameters",
    "list_parameters",
    "set_parameters",
    "set_parameters_atomically",
)
_LIFECYCLE = ("change_state", "get_available_states", "get_available_transitions", "get_state", "get_transition_graph")
_Row = tuple[str, str, str, str]


@dataclass(frozen=True)
class Interface:
    """What a node has to do with others: its ends of topics, services of its own, and whether it has a lifecycle.

    ``names`` is what ``<name>`` in a topic's name stands for.
    """

    ends: tuple[Publication | Subscription, ...]
    services: tuple[str, ...] = ()
    lifecycle: bool = False
    names: tuple[str, ...] = ("",)


def default_enclave(node: str) -> str:
    """The enclave in which a node of the suite is unless it is told another one."""
    return f"/perception/{node}"


def policy_text(
    interface: Interface, node: str, enclave: str, cameras: Sequence[str] = ("",), running: Node | None = None
) -> str:
    """A policy file with one enclave, which allows what a node does and nothing else.

    Args:
        interface: of the node.
        node: its name.
        enclave: path of the enclave.
        cameras: their names; "" for the one without.
        running: a node of that name, whose namespace and remappings hold; None for relative names, below ``/``.
    """
    topic: Callable[[str], str] = running.resolve_topic_name if running else str
    service: Callable[[str], str] = running.resolve_service_name if running else str
    namespace = running.get_namespace() if running else "/"
    prefixes = [f"{camera}/" if camera else "" for camera in cameras]
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- What {node} may do, for `ros2 security`; docs/security.md says how to use it. -->",
        '<policy version="0.2.0">',
        "  <enclaves>",
        f'    <enclave path="{enclave}">',
        "      <profiles>",
        f'        <profile ns="{namespace}" node="{node}">',
        *_groups([*_topics(interface, prefixes, topic), *_services(interface, service)]),
        "        </profile>",
        "      </profiles>",
        "    </enclave>",
        "  </enclaves>",
        "</policy>",
    ]
    return "\n".join(lines) + "\n"


def _topics(interface: Interface, prefixes: Sequence[str], resolve: Callable[[str], str]) -> Iterator[_Row]:
    """Rows of kind, what is done, when, and name."""
    for end in interface.ends:
        how = "publish" if isinstance(end, Publication) else "subscribe"
        for prefix in prefixes if end.per_camera else ("",):
            for name in interface.names if "<name>" in end.topic.name else ("",):
                full = resolve(prefix + end.topic.named(name).name)
                yield "topic", how, end.when, full
                for appended, when in end.variants:
                    yield "topic", how, when, full + appended
    yield "topic", "subscribe", "use_sim_time is true", resolve("/clock")
    for name in ("/parameter_events", "/rosout"):
        yield "topic", "publish", "", resolve(name)
    if interface.lifecycle:
        yield "topic", "publish", "", resolve("~/transition_event")


def _services(interface: Interface, resolve: Callable[[str], str]) -> Iterator[_Row]:
    names = [f"~/{name}" for name in (*_PARAMETERS, *(_LIFECYCLE if interface.lifecycle else ()))]
    for name in (*interface.services, *names):
        yield "service", "reply", "", resolve(name)
    yield "service", "reply", "the distribution is Jazzy or later", resolve("~/get_type_description")


def _groups(rows: Sequence[_Row]) -> Iterator[str]:
    for group in dict.fromkeys(row[:2] for row in rows):
        kind, how = group
        # No name twice, and what is always done first.
        conditions: dict[str, str] = {}
        for *_, when, name in sorted((row for row in rows if row[:2] == group), key=lambda row: bool(row[2])):
            conditions.setdefault(name, when)
        yield f'          <{kind}s {how}="ALLOW">'
        for condition in dict.fromkeys(conditions.values()):
            if condition:
                yield f"            <!-- where {condition} -->"
            yield from (
                f"            <{kind}>{name}</{kind}>" for name, when in conditions.items() if when == condition
            )
        yield f"          </{kind}s>"

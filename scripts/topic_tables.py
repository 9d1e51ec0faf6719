"""Tables of the nodes' topics, from what is declared beside the nodes: for the site, and in short for docs/nodes.md."""

from __future__ import annotations

from collections.abc import Sequence

from perception_common.ros.ends import Publication, Subscription
from perception_infer.ros.ends import EVALUATE_NODE, INFER_NODE
from perception_sim.ros.ends import SIM_CAMERA_NODE
from perception_train.ros.ends import METRICS_NAMES, TRAIN_NODE

End = Publication | Subscription
ENDS: dict[str, Sequence[End]] = {
    "sim_camera_node": SIM_CAMERA_NODE,
    "infer_node": INFER_NODE,
    "train_node": TRAIN_NODE,
    "evaluate_node": EVALUATE_NODE,
}
_INTRODUCTION = """
Names are relative: they follow the node's namespace and can be remapped. With several `cameras`, those marked *each
camera* stand below every camera's name. Quality of service can be changed with parameters such as
`qos_overrides./image.subscription.reliability`. *Latched* is transient local: who joins late hears the last message.
"""


def every_topic() -> str:
    """What each node publishes and subscribes, with all that is known of it."""
    parts = [_INTRODUCTION.strip()]
    for node, ends in ENDS.items():
        parts += [f"## {node}"]
        for kind, title in ((Publication, "publishes"), (Subscription, "subscribes")):
            rows = [_row(end) for end in ends if isinstance(end, kind)]
            head = [f"| {title} | type | quality of service | what |", "| --- | --- | --- | --- |"]
            parts += ["\n".join([*head, *rows])] if rows else []
    metrics = ", ".join(f"`{name}`" for name in METRICS_NAMES)
    parts.append(f"`metrics/<name>` are {metrics}: those that the task has.")
    return "\n\n".join(parts) + "\n"


def in_short() -> str:
    """One table of all nodes."""
    lines = ["| node | topic | type | quality of service |", "| --- | --- | --- | --- |"]
    for node, ends in ENDS.items():
        for index, end in enumerate(ends):
            word = "pub" if isinstance(end, Publication) else "sub"
            other = "".join(f" or `{end.topic.name}{ending}`" for ending, _ in end.variants)
            name = f"{word} `{end.topic.name}`{other}" + (f", where {end.when}" if end.when else "")
            first = f"| {node} |" if index == 0 else "| |"
            lines.append(f"{first} {name} | {_kind(end)} | {_quality(end)} |")
    return "\n".join(lines) + "\n"


def _row(end: End) -> str:
    notes = [part for part in (end.when and f"where {end.when}", "each camera" if end.per_camera else "") if part]
    notes += [f"or `{end.topic.name}{ending}` where {when}" for ending, when in end.variants]
    what = cell(end.topic.doc) + (f" *({'; '.join(notes)})*" if notes else "")
    return f"| `{end.topic.name}` | {_kind(end)} | {_quality(end)} | {what} |"


def _kind(end: End) -> str:
    return end.topic.type.replace("/msg/", "/")


def _quality(end: End) -> str:
    profile = end.profile
    words = [profile.reliability.name.lower().replace("_", " ")]
    words += ["latched"] if profile.durability.name == "TRANSIENT_LOCAL" else []
    return ", ".join([*words, f"keep last {profile.depth}"])


def escaped(text: str) -> str:
    """Text in which Markdown sees no markup but code."""
    signs = {"<": "&lt;", ">": "&gt;"} | {sign: f"\\{sign}" for sign in "*_[]"}
    return text if "`" in text else text.translate({ord(sign): shown for sign, shown in signs.items()})


def cell(text: str) -> str:
    """The same in a table."""
    return escaped(text).replace("|", "\\|")

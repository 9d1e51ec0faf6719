"""Draw docs/images/data_way.svg, the way of the data through the suite (the picture of docs/architecture.md).

The drawing follows the scheme of what shows it: on the site that of the page, elsewhere that of the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "docs" / "images" / "data_way.svg"
WIDTH, HEIGHT = 984, 436
BOX_WIDTH, BOX_HEIGHT, STEP = 166, 62, 192
Point = tuple[float, float]

STYLE = """
svg { --ink: #24292f; --soft: #57606a; --paper: #ffffff; --lane: #f3f4f6; --line: #3f51b5; }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6e8ee; --soft: #a5adba; --paper: #1e2129; --lane: #2a2e38; --line: #8c9eff; }
}
text { font-family: system-ui, sans-serif; fill: var(--md-default-fg-color, var(--ink)); }
.name { font-size: 14px; font-weight: 600; }
.what, .word { font-size: 11.5px; fill: var(--md-default-fg-color--light, var(--soft)); }
.lane { fill: var(--md-code-bg-color, var(--lane)); }
.title { font-size: 13px; font-weight: 600; fill: var(--md-default-fg-color--light, var(--soft)); }
.box { fill: var(--md-default-bg-color, var(--paper)); stroke: var(--md-typeset-a-color, var(--line)); }
.way { fill: none; stroke: var(--md-typeset-a-color, var(--line)); stroke-width: 1.6; }
.head { fill: var(--md-typeset-a-color, var(--line)); }
"""


def box(column: float, row: float, name: str, what: str) -> str:
    """A station: its name, and what it does in one or two lines."""
    x, y = place(column, row)
    lines = what.split("\n")
    middle = x + BOX_WIDTH / 2
    parts = [f'<rect class="box" x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>']
    parts.append(text("name", middle, y + 20, name))
    parts += [text("what", middle, y + 37 + 15 * index, line) for index, line in enumerate(lines)]
    return "\n".join(parts)


def place(column: float, row: float) -> Point:
    """The upper left corner of a station."""
    return 25 + STEP * column, 44 + 152 * row


def side(column: float, row: float, where: str, along: float = 0.5) -> Point:
    """A point on a station's left, right, upper or lower side."""
    x, y = place(column, row)
    return {
        "left": (x, y + BOX_HEIGHT * along),
        "right": (x + BOX_WIDTH, y + BOX_HEIGHT * along),
        "upper": (x + BOX_WIDTH * along, y),
        "lower": (x + BOX_WIDTH * along, y + BOX_HEIGHT),
    }[where]


def way(points: Sequence[Point], word: str = "", at: Point | None = None) -> str:
    """An arrow along points, with a word."""
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    parts = [f'<path class="way" d="{path}" marker-end="url(#head)"/>']
    if word and at is not None:
        parts.append(text("word", at[0], at[1], word))
    return "\n".join(parts)


def text(kind: str, x: float, y: float, words: str, anchor: str = "middle") -> str:
    """A line of text."""
    return f'<text class="{kind}" x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(words)}</text>'


def lane(row: float, title: str) -> str:
    """The background of a row of stations."""
    y = 44 + 152 * row - 34
    ground = f'<rect class="lane" x="8" y="{y:g}" width="{WIDTH - 16}" height="{BOX_HEIGHT + 52}" rx="8"/>'
    return ground + "\n" + text("title", 24, y + 20, title, "start")


def straight(column: float, row: float) -> str:
    """An arrow from a station to its right neighbour."""
    return way([side(column, row, "right"), side(column + 1, row, "left")])


def drawing() -> str:
    """The whole picture."""
    (x0, y0), (x1, y1) = side(4, 0, "lower"), side(3, 1, "upper", 0.75)
    (x2, y2), (x3, y3) = side(2, 1, "lower"), side(0, 2, "upper", 0.75)
    (x4, y4), (x5, y5) = side(3, 2, "upper"), side(1, 0, "lower", 0.3)
    parts = [
        lane(0, "workstation"),
        lane(1, "robot"),
        lane(2, "recordings"),
        box(0, 0, "synthetic world", "scenes, lens, sensor,\nexact labels"),
        box(1, 0, "dataset", "COCO, masks; also yours:\nIsaac Sim, YOLO, KITTI…"),
        box(2, 0, "trainer", "any architecture, CPU,\none GPU or many"),
        box(3, 0, "export", "ONNX in fp32, fp16, int8;\nproven to answer alike"),
        box(4, 0, "bundle", "graph, weights, proof,\nhashes, signature"),
        *(straight(column, 0) for column in range(4)),
        box(0, 1, "camera", "any driver, or the\nsimulated world"),
        box(2, 1, "infer_node", "the newest image, one\nworker, one letterbox"),
        box(3, 1, "model server", "verify, build the engine,\nprove, swap, roll back"),
        box(4, 1, "evaluate_node", "live score, latency,\nwhat was lost where"),
        way([side(0, 1, "right"), side(2, 1, "left")], "image", (place(1, 1)[0] + BOX_WIDTH / 2, place(1, 1)[1] + 24)),
        way([(x0, y0), (x0, y0 + 42), (x1, y0 + 42), (x1, y1)], "checkpoint: announced or fetched", (x1 + 50, y0 + 36)),
        way([side(3, 1, "left"), side(2, 1, "right")]),
        way(
            [(x2 + 50, y2), (x2 + 50, y2 + 38), (side(4, 1, "lower")[0], y2 + 38), side(4, 1, "lower")],
            "detections, label_info, model_status",
            (x2 + 226, y2 + 33),
        ),
        way([(x2 - 40, y2), (x2 - 40, y2 + 38), (x3, y2 + 38), (x3, y3)], "ros2 bag record", (x3 + 150, y2 + 33)),
        box(0, 2, "recording", "rosbag2, MCAP,\nROS 1"),
        box(1, 2, "replay", "every frame scored,\nversions compared, gated"),
        box(2, 2, "harvest", "the frames that are\nworth a label"),
        box(3, 2, "labels", "Label Studio, CVAT;\nfine-tune or adapt"),
        *(straight(column, 2) for column in range(3)),
        way(
            [(x4, y4), (x4, y4 - 24), (x5 - 30, y4 - 24), (x5 - 30, y0 + 30), (x5, y0 + 30), (x5, y5)],
            "a few real pictures",
            (x5 + 30, y0 + 46),
        ),
    ]  # fmt: skip
    head = '<marker id="head" markerWidth="9" markerHeight="9" refX="7" refY="3.5" orient="auto">'
    defs = f'<defs>{head}<path class="head" d="M0 0 L8 3.5 L0 7 z"/></marker></defs>'
    body = "\n".join(parts)
    view = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {view}>\n<style>{STYLE}</style>\n{defs}\n{body}\n</svg>\n'


if __name__ == "__main__":
    TARGET.write_text(drawing(), encoding="utf-8")
    print(TARGET.relative_to(TARGET.parents[2]))

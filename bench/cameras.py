"""Several cameras on one model: what each gets.

``python -m bench.cameras --bundle MODEL_REPO/NAME/VERSION --cameras 4 --rate 5``

Every camera is a process of its own, with its listener. What counts: how far the share of any camera is from a fair
one, and how old results are when they arrive.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from perception_common import cli, durable
from perception_common.errors import UserError
from perception_common.machine import memory_of
from perception_infer.benchmark.surroundings import MIB, Camera, picture_file, real_node
from perception_infer.evaluation.summary import percentiles
from perception_infer.models import open_bundle
from perception_infer.running import RunningParams

#: A share may differ from the mean of all by so much of it.
FAIR = 0.1
_SIZE = (640, 480)
_FIRST_SECONDS, _WARM_UP_SECONDS = 60.0, 2.0


def main() -> int:
    """Stream, and tell what came of it; status 1 when a camera got too little or too much."""
    parser = argparse.ArgumentParser(prog="python -m bench.cameras", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bundle", type=Path, required=True, help="MODEL_REPO/NAME/VERSION")
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rate", type=float, default=5.0, help="of each camera, in Hz")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    wish = parser.parse_args()
    result = measure(wish.bundle, [f"camera{row}" for row in range(1, wish.cameras + 1)], wish.rate, wish.seconds)
    _show(result)
    if wish.json:
        durable.write_text(wish.json, json.dumps(result, indent=1) + "\n")
    return 0 if result["fair"] else 1


def measure(directory: Path, names: list[str], rate: float, seconds: float) -> dict[str, Any]:
    """Results per second and their ages, for each camera.

    Raises:
        UserError: a process ended, or the node does not answer.
    """
    # Here, because it chooses the transport.
    from perception_infer.ros.bench_world import Stream

    bundle = open_bundle(directory)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        picture = picture_file(bundle, _SIZE, folder)
        cameras = {name: Camera(stack, folder, name) for name in names}
        listed = {"cameras": f"[{', '.join(names)}]"}
        node, _ = stack.enter_context(real_node(RunningParams(), bundle, folder, **listed))

        def all_stream(wish: Stream) -> dict[str, dict[str, Any]]:
            for camera in cameras.values():
                camera.begin(wish)
            return {name: camera.end(wish, node) for name, camera in cameras.items()}

        all_stream(Stream(picture, rate, _FIRST_SECONDS, until_first=True))
        all_stream(Stream(picture, rate, _WARM_UP_SECONDS))
        heard = all_stream(Stream(picture, rate, seconds))
        memory = memory_of(node.process.pid) / MIB
    silent = [name for name, each in heard.items() if not each["received"]]
    if silent:
        raise UserError(f"nothing was answered to {', '.join(silent)} within {seconds:.0f} s")
    mean = sum(each["received"] for each in heard.values()) / len(heard)
    shown = {
        name: {
            "sent": each["sent"],
            "received": each["received"],
            "of_fair_share": each["received"] / mean,
            "rate_hz": each["rate_hz"],
            **{f"age_ms_{key}": value for key, value in percentiles(each["ms"]).items()},
        }
        for name, each in heard.items()
    }
    fair = all(abs(each["of_fair_share"] - 1.0) <= FAIR for each in shown.values())
    return {"rate_hz": rate, "seconds": seconds, "cameras": shown, "memory_mib": memory, "fair": fair}


def _show(result: dict[str, Any]) -> None:
    table = Table("camera", "sent", "answered", "of a fair share", "Hz", "age p50 (p99), ms")
    for name, each in result["cameras"].items():
        age = f"{each['age_ms_p50']:.1f} ({each['age_ms_p99']:.1f})"
        share = f"{each['of_fair_share']:.3f}"
        table.add_row(name, str(each["sent"]), str(each["received"]), share, f"{each['rate_hz']:.2f}", age)
    console = Console()
    console.print(table)
    console.print(f"resident memory of the node: {result['memory_mib']:.0f} MiB")


if __name__ == "__main__":
    raise SystemExit(cli.guard(main, "bench.cameras"))

"""What is measured of a node, whoever made it: latency at a moderate rate, frames a second in saturation, memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from perception_common.errors import UserError
from perception_common.machine import memory_of
from perception_infer.benchmark.partner import Child
from perception_infer.benchmark.surroundings import MIB, Camera
from perception_infer.evaluation.summary import percentiles

#: A saturated node answers less than so much of what is sent, and its camera is not so much faster that taking the
#: messages costs what the model needs.
SATURATED, FLOODED = 0.9, 0.7
#: A saturating camera sends so many times as many images as are answered.
PACE = 1.2
_FASTER, _TRIES, _TRY_SECONDS = 2.0, 12, 3.0
_FIRST_HZ, _FIRST_SECONDS, _WARM_UP_SECONDS = 10.0, 180.0, 2.0

#: Ratios of ours to theirs, what they are made of, and their limits: at least, or at most.
LIMITS: dict[str, tuple[str, float | None, float | None]] = {
    "frames_per_second": ("saturated_hz", 1.8, None),
    "latency_p50": ("p50_ms", None, 0.5),
    "latency_p99": ("p99_ms", None, None),
    "memory": ("memory_mib", None, None),
}


def saturating_rate(answered: Callable[[float], float], first: float) -> float:
    """The camera's rate in Hz at which a node is saturated and not flooded.

    Args:
        answered: how many frames a second are answered at a rate of the camera.
        first: the rate to begin with.

    Raises:
        UserError: nothing is answered, or no rate is enough.
    """
    rate, low, high = first, 0.0, math.inf
    for _ in range(_TRIES):
        got = answered(rate)
        if got <= 0.0:
            raise UserError(f"no result came at {rate:.1f} Hz", fix="measure for longer, or on a machine that is idle")
        if got > SATURATED * rate:
            low = rate
        elif got < FLOODED * rate:
            high = rate
        else:
            return rate
        wish = _FASTER * rate if math.isinf(high) else PACE * got
        rate = wish if low < wish < high else math.sqrt(low * high)
    raise UserError(
        f"the node could not be saturated; the last try was at {rate:.0f} Hz", fix="leave less else running"
    )


def measure(
    node: Child, started: float, camera: Camera, picture: str, rate: float, seconds: float, saturating: float | None
) -> dict[str, float]:
    """The figures of a node that was just started, which are those of `summary`.

    Args:
        node: the process.
        started: when it was started, as Unix time.
        camera: camera and listener.
        picture: file of the camera's picture.
        rate: of the camera for the latency, in Hz.
        seconds: for each figure.
        saturating: of the camera for the throughput; None looks for it.

    Raises:
        UserError: the node ended or does not answer.
    """
    from perception_infer.ros.bench_world import Stream

    def stream(hz: float, time: float, until_first: bool = False) -> dict[str, Any]:
        return camera.stream(Stream(picture, hz, time, until_first), node)

    first = stream(_FIRST_HZ, _FIRST_SECONDS, until_first=True)
    if not first["received"]:
        raise UserError(f"{node.name} answered nothing within {_FIRST_SECONDS:.0f} s: {node.last_words()}")
    stream(rate, _WARM_UP_SECONDS)
    calm = stream(rate, seconds)
    if not calm["received"]:
        raise UserError(f"{node.name} answered nothing for {seconds:.0f} s: {node.last_words()}")
    if saturating is None:
        saturating = saturating_rate(lambda hz: stream(hz, _TRY_SECONDS)["rate_hz"], 2 * rate)
    ages, full = percentiles(calm["ms"]), stream(saturating, seconds)
    return {
        "first_s": first["first_unix_s"] - started,
        "sent": calm["sent"],
        "received": calm["received"],
        "p50_ms": ages["p50"],
        "p99_ms": ages["p99"],
        "saturating_hz": saturating,
        "saturated_hz": full["rate_hz"],
        "memory_mib": memory_of(node.process.pid) / MIB,
    }


def summary(turns: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, Any]:
    """Medians over the turns of what each of ``ours`` and ``theirs`` shows, and of the ratios with their limits."""
    told: dict[str, Any] = {
        who: {name: median(turn[who][name] for turn in turns) for name in turns[0][who]} for who in turns[0]
    }
    if "theirs" in told:
        told["ratios"] = {}
        for name, (figure, least, most) in LIMITS.items():
            value = median(turn["ours"][figure] / turn["theirs"][figure] for turn in turns)
            limits = {key: limit for key, limit in (("at_least", least), ("at_most", most)) if limit is not None}
            met = (least is None or value >= least) and (most is None or value <= most)
            told["ratios"][name] = {"value": value, **limits, **({"met": met} if limits else {})}
    return told


def outside(environment: Mapping[str, str], prefix: Path, paths: Sequence[str] = ()) -> dict[str, str]:
    """The environment for a program of another Python environment: as it was before this process was started.

    Args:
        environment: this process's.
        prefix: where this process's Python environment lies.
        paths: directories that come first on the other's PYTHONPATH.
    """
    told = dict(environment)
    for name in ("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "VIRTUAL_ENV", "PYTHONHOME"):
        told.pop(name, None)
    libraries = [path for path in told.pop("LD_LIBRARY_PATH", "").split(":") if path]
    own = [path for path in libraries if not Path(path).is_relative_to(prefix)]
    if own:
        told["LD_LIBRARY_PATH"] = ":".join(own)
    modules = [*paths, *filter(None, [told.get("PYTHONPATH", "")])]
    if modules:
        told["PYTHONPATH"] = ":".join(modules)
    return told

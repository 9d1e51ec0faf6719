"""sim_camera_node: cameras that move through the synthetic world, with ground truth. Wiring only."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from rclpy.duration import Duration
from rclpy.node import Node
from std_msgs.msg import Float64

from perception_common.errors import UserError
from perception_common.ros.compat import steady_clock
from perception_common.ros.diagnostics import OK, WARN, Diagnostics
from perception_common.ros.node import run
from perception_common.ros.parameters import NodeParameters

from ..live import LiveWorld
from ..live.clock import SimTime
from ..live.meter import RateMeter
from ..live.path import read_mounts
from ..params import SimCameraParams
from . import ends
from .clock import ClockTopic
from .topics import CameraTopics, Transforms

# How often it is asked for a frame that may come as soon as it can.
_SOON_S = 0.001
_FAREWELL_S = 1.0
_SLOW = 0.95


class SimCameraNode(Node):
    """Publishes images and ground truth of every camera, `/clock` if asked for, and ``rate``; see `SimCameraParams`."""

    def __init__(self) -> None:
        super().__init__("sim_camera_node")
        # The world is built once, from what holds at start.
        self._declared = NodeParameters(self, SimCameraParams)
        self._declared.lock()
        p = self._params = self._declared.value
        if p.real_time_factor != 1.0 and not p.publish_clock:
            raise UserError("'real_time_factor' is of simulated time", where=self.get_name(), fix="set publish_clock")
        self._wanted = p.rate * p.real_time_factor
        self._world = LiveWorld(
            p.preset, p.seed, p.width, p.height, p.scene_seconds, p.cameras, read_mounts(p.mounts), p.fixed_optics
        )
        self._cameras = [CameraTopics(self, name, p) for name in p.cameras]
        self._transforms = Transforms(self) if p.publish_tf else None
        times = SimTime(p.rate, p.clock_start, p.clock_rate)
        self._sim_clock = ClockTopic(self, times, p.real_time_factor) if p.publish_clock else None
        self._rate = ends.RATE.create(self)
        self._meter = RateMeter(self._wanted)
        self._published, self._late, self._waited = 0, 0, 0
        self._due: float | None = None
        for camera in self._cameras:
            camera.describe(self._world.classes, self.get_clock().now().to_msg())
        self._diagnostics = Diagnostics(self, "perception_sim", self._report)
        # Steady timers: with use_sim_time the node's own clock may be the one that waits for frames. They keep an
        # absolute schedule, so that a late frame does not delay those after it.
        steady = steady_clock()
        self._schedule = [
            self.create_timer(1.0 / self._wanted if self._wanted else _SOON_S, self._tick, clock=steady),
            self.create_timer(1.0, self._publish_rate, clock=steady),
        ]
        self.get_logger().info(f"preset {p.preset}, seed {p.seed}: {p.width}x{p.height} at {p.rate:g} Hz")

    @property
    def finished(self) -> bool:
        """Whether all the frames that were asked for are published."""
        return 0 < self._params.max_frames <= self._published

    def close(self) -> None:
        """Free the world; called once before the node is destroyed."""
        # First, because its rate is that of now.
        self._diagnostics.close()
        if self.finished:
            # The last frame counts as much as any other: readers get the time to take it.
            end = time.monotonic() + _FAREWELL_S
            for publisher in self.publishers:
                publisher.wait_for_all_acked(Duration(seconds=max(end - time.monotonic(), 0.0)))
        self._world.close()

    def _tick(self) -> None:
        # World time follows the frames, so that a run is the same whatever else the machine does.
        t = self._published / self._params.rate
        if self.finished:
            return
        if not self._world.order(t):
            # Not waited for here, so that the node can be stopped meanwhile.
            self._waited += 1
            return
        self._watch_schedule()
        frames = [self._world.frame(t, c.name, c.wants_labels, c.wants_depth) for c in self._cameras]
        with self._world.times.stage("publish"):
            # Rendering stands for the light on its way: the picture is taken when it is there.
            stamp = self._sim_clock.frame(self._published) if self._sim_clock else self.get_clock().now().to_msg()
            poses = [camera.publish(frame, stamp) for camera, frame in zip(self._cameras, frames, strict=True)]
            if self._transforms is not None:
                self._transforms.publish(poses)
        self._world.times.next_frame()
        self._published += 1
        self._meter.count()

    def _watch_schedule(self) -> None:
        """Count the frames that could not be made because the ones before took too long."""
        if self._wanted == 0.0:
            return
        period, now = 1.0 / self._wanted, time.monotonic()
        due = now if self._due is None else self._due
        skipped = max(0, int((now - due) / period))
        self._late += skipped
        self._due = due + (skipped + 1) * period

    def _publish_rate(self) -> None:
        self._rate.publish(Float64(data=self._meter.rate()))

    def _report(self) -> tuple[bytes, str, Mapping[str, Any]]:
        p, rate, stages = self._params, self._meter.rate(), self._world.times.means()
        values = {
            "preset": p.preset,
            "rate": rate,
            "rate_wanted": self._wanted,
            **({"real_time_factor": rate / p.rate} if p.publish_clock else {}),
            "frames_published": self._published,
            "frames_late": self._late,
            "waits_for_scene": self._waited,
            **{f"{stage}_ms": milliseconds for stage, milliseconds in stages.items()},
        }
        if self._published == 0:
            return OK, "building the first scene", values
        if rate >= _SLOW * self._wanted:
            return OK, "publishing", values
        costs = ", ".join(f"{stage} {milliseconds:.0f}" for stage, milliseconds in stages.items())
        return WARN, f"cannot keep its rate: {rate:.3g} of {self._wanted:g} Hz; ms a frame: {costs}", values


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until it is stopped or has published ``max_frames``."""
    return run(
        SimCameraNode,
        "sim_camera_node",
        SimCameraParams,
        args,
        done=lambda node: isinstance(node, SimCameraNode) and node.finished,
        interface=ends.SIM_CAMERA,
    )


if __name__ == "__main__":
    raise SystemExit(main())

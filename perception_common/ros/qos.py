"""The quality-of-service profiles of the suite's topics."""

from __future__ import annotations

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth: int, reliability: ReliabilityPolicy, durability: DurabilityPolicy) -> QoSProfile:
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=reliability, durability=durability)


#: Camera images: the newest one, lost rather than late.
NEWEST = _profile(1, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
#: What a camera offers: a few frames may wait for a slow reader.
SENSOR = _profile(5, ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE)
#: Results that a reader must not miss.
RESULTS = _profile(10, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
#: Pictures for viewers, which ask for reliable.
PICTURE = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)
#: The present state, also for those who join late.
LATCHED = _profile(1, ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL)
#: Simulated time: reliable, so that readers of either kind get it.
CLOCK = RESULTS
#: What a node says of itself once a second, and what collects it.
REPORTS = RESULTS
#: Coordinate frames, as tf2's own broadcaster offers them.
TRANSFORMS = _profile(100, ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE)

"""What train_node publishes; it listens to nothing."""

from __future__ import annotations

from perception_common import topics
from perception_common.ros import qos
from perception_common.ros.diagnostics import DIAGNOSTICS
from perception_common.ros.ends import Publication
from perception_common.ros.policy import Interface

from ..training.records import METRICS as VALIDATED

CHECKPOINT = Publication(topics.CHECKPOINT, qos.LATCHED)
METRICS = Publication(topics.METRICS, qos.RESULTS)

#: What ``<name>`` stands for, by the event of training that brings it.
METRICS_OF = {
    "step": ("loss", "loss_box", "loss_cls", "loss_dfl", "lr", "images_per_second", "progress"),
    "validation": VALIDATED,
}
METRICS_NAMES = tuple(name for names in METRICS_OF.values() for name in names)
#: The service by which a bundle is exported now.
EXPORT = "~/export"

TRAIN_NODE = (CHECKPOINT, METRICS, DIAGNOSTICS)

TRAIN = Interface(TRAIN_NODE, services=(EXPORT,), lifecycle=True, names=METRICS_NAMES)

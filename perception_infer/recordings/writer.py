"""Results as a recording: what a model finds in the frames of another one. rosbag2 in MCAP, written without ROS."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from perception_common import durable, topics
from perception_common.errors import UserError

from ..contract.detections import Result, Segmentation
from ..contract.geometry import Pixels
from ..draw import draw_detections, draw_mask
from ..models import Bundle
from . import messages
from .frames import beside
from .types import COMPRESSED_IMAGE, ros2_types

#: The file is RESULTS.mcap whatever the directory is called: its bytes hold its name.
RESULTS = "results"
#: The newest that all of Humble to Lyrical read: from 9 on, qualities of service are words in a list, and Humble wants
#: numbers in a text. Foxglove opens the .mcap file alone and never looks at metadata.yaml.
_VERSION: Literal[8] = 8
#: As image_transport publishes it.
_OVERLAY = topics.Topic(f"{topics.OVERLAY.name}/compressed", COMPRESSED_IMAGE, topics.OVERLAY.doc)


class ResultBag:
    """Takes up what is found in frames; see `result_bag`."""

    def __init__(
        self,
        path: Path,
        writer: Any,
        topic: str,
        bundle: Bundle,
        thresholds: npt.NDArray[np.float32],
        overlay: bool,
    ) -> None:
        self._path, self._writer, self._bundle, self._thresholds = path, writer, bundle, thresholds
        self._store = ros2_types()
        self._segments = bundle.manifest.task == "segmentation"
        self._told = False
        results, latched = _qos(10, latched=False), _qos(1, latched=True)

        def connect(result: topics.Topic, qos: Any) -> Any:
            where = beside(topic, result.name)
            return writer.add_connection(where, result.type, typestore=self._store, offered_qos_profiles=[qos])

        self._label_info = connect(topics.LABEL_INFO, latched)
        self._model_status = connect(topics.MODEL_STATUS, latched)
        self._found = connect(topics.MASK if self._segments else topics.DETECTIONS, results)
        self._overlay = connect(_OVERLAY, results) if overlay else None

    def add(self, stamp: int, time: int, frame_id: str, rgb: Pixels, found: Result) -> None:
        """Write what was found in a frame; of detections those that reach their class's threshold.

        Args:
            stamp: of the image's header, in nanoseconds.
            time: when the image was received; results get the same.
            frame_id: of the image's header.
            rgb: uint8 [H, W, 3], to draw on.
            found: of the bundle's task, best first.

        Raises:
            UserError: it cannot be written.
        """
        header = messages.header_of(stamp, frame_id)
        if not self._told:
            self._tell(header, time)
        names = self._bundle.manifest.classes
        drawn = None
        if isinstance(found, Segmentation):
            self._write(self._found, time, messages.mask_message(header, found.mask))
            if self._overlay is not None:
                drawn = draw_mask(rgb, found.mask)
        else:
            kept = found[found.scores >= self._thresholds[found.labels]]
            class_ids = [names[label] for label in kept.labels.tolist()]
            message = messages.detections_message(header, kept.boxes, kept.scores, class_ids)
            self._write(self._found, time, message)
            if self._overlay is not None:
                drawn = draw_detections(rgb, kept.boxes, kept.labels, names, kept.scores)
        if drawn is not None:
            self._write(self._overlay, time, messages.jpeg_message(header, drawn))

    def _tell(self, header: Any, time: int) -> None:
        """Say which model answers, as infer_node does before its first result."""
        manifest, lowest = self._bundle.manifest, float(self._thresholds.min())
        labels = messages.label_info_message(header, manifest.classes, lowest, background=self._segments)
        self._write(self._label_info, time, labels)
        status = messages.vision_info_message(header, manifest.name, self._bundle.uri, manifest.version)
        self._write(self._model_status, time, status)
        self._told = True

    def _write(self, connection: Any, time: int, message: Any) -> None:
        data = self._store.serialize_cdr(message, connection.msgtype)
        with durable.told(self._path):
            self._writer.write(connection, time, data)


@contextmanager
def result_bag(
    path: Path, topic: str, bundle: Bundle, thresholds: npt.NDArray[np.float32], overlay: bool = False
) -> Iterator[ResultBag]:
    """A new recording that becomes ``path`` by one rename when the block succeeds; nothing is left when it raises.

    Topics stand beside the images, named as infer_node's: ``label_info`` and ``model_status`` (once), ``detections`` or
    ``mask``, and ``overlay/compressed``. The same results give the same bytes.

    Args:
        path: a directory that does not exist yet.
        topic: of the images.
        bundle: the model.
        thresholds: float32 [classes], the score that a detection of each class must reach.
        overlay: write pictures with what was found in them, too.

    Raises:
        UserError: ``path`` exists, or cannot be written.
    """
    refuse_existing(path)
    ros2_types()
    from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer

    with durable.new_directory(path) as work:
        # rosbags makes a directory of its own, and names the file after it.
        folder = work / RESULTS
        writer = Writer(folder, version=_VERSION, storage_plugin=StoragePlugin.MCAP)
        # By chunks, inside of the file: every reader of MCAP knows it, and masks shrink to a hundredth.
        writer.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        try:
            with durable.told(path):
                writer.open()
                bag = ResultBag(path, writer, topic, bundle, thresholds, overlay)
            yield bag
            with durable.told(path):
                writer.close()
        except BaseException:
            with suppress(Exception):
                writer.abort()
            raise
        with durable.told(path):
            for file in sorted(folder.iterdir()):
                file.rename(work / file.name)
            folder.rmdir()


def refuse_existing(path: Path) -> None:
    """Raise a `UserError` if there is anything at ``path``, if only a link to nowhere."""
    if os.path.lexists(path):
        raise UserError("there is something already", where=path, fix="remove it, or choose another directory")


def _qos(depth: int, latched: bool) -> Any:
    """Reliable, keep last: as infer_node offers it (perception_common/ros/qos.py)."""
    from rosbags.interfaces import Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime

    # RMW_DURATION_INFINITE, what `ros2 bag record` writes where no limit is set.
    never = QosTime(9223372036, 854775807)
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=depth,
        reliability=QosReliability.RELIABLE,
        durability=QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE,
        deadline=never,
        lifespan=never,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=never,
        avoid_ros_namespace_conventions=False,
    )

"""The transport setting without which most camera frames are lost between processes.

Fast DDS's default shared-memory segment (512 KB) is smaller than one camera image; best-effort images
then travel as UDP fragments and are mostly lost. The profile shipped in ``config/`` enlarges the
segment. It takes effect only when set before the first participant is created.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from ..shipped import config_file
from . import leftovers

PROFILE = "fastdds_shm.xml"
VARIABLE = "FASTDDS_DEFAULT_PROFILES_FILE"
# What Humble's Fast DDS reads; newer ones warn about it.
_LEGACY_VARIABLE = "FASTRTPS_DEFAULT_PROFILES_FILE"


def profile_path() -> Path | None:
    """The shipped profile: in the source tree, or in the installed share directory."""
    return config_file(PROFILE)


def in_force(environment: MutableMapping[str, str] = os.environ) -> bool:
    """Whether some Fast DDS profile is chosen (ours or the user's own)."""
    return bool(environment.get(VARIABLE) or environment.get(_LEGACY_VARIABLE))


def enable(environment: MutableMapping[str, str] = os.environ) -> None:
    """Choose the shipped profile unless the user chose one; call before ``rclpy.init``."""
    path = profile_path()
    if not in_force(environment) and path is not None:
        environment[_LEGACY_VARIABLE if environment.get("ROS_DISTRO") == "humble" else VARIABLE] = str(path)


def begin() -> int:
    """Make this process ready for Fast DDS; call before ``rclpy.init``.

    The profile is chosen, and what killed processes left in shared memory is removed.

    Returns:
        how many segments that were.
    """
    enable()
    return leftovers.remove()

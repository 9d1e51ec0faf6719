"""Starting secured where the environment asks for it (SROS2), or not at all, with a clear line."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator, Sequence

from rclpy.utilities import get_rmw_implementation_identifier

from .. import security
from ..errors import UserError
from .compat import RCL_ERROR

_FIX = (
    "does the enclave's policy allow it (--print-policy tells what is needed), are its permissions for this "
    "ROS_DOMAIN_ID, are its certificates valid, and was this ROS built with security?"
)


def require(words: Sequence[str]) -> None:
    """Refuse what would run unsecured; called before ``rclpy.init``.

    Raises:
        UserError: see `security.require`.
    """
    security.require(words, get_rmw_implementation_identifier())


@contextlib.contextmanager
def told(words: Sequence[str] = sys.argv) -> Iterator[None]:
    """What ROS refuses under security, such as a topic that the policy does not name, is told in one line.

    Args:
        words: the command line, for the enclave's name.

    Raises:
        UserError: with ROS's own words.
    """
    try:
        yield
    except RCL_ERROR as error:
        if security.state() == security.OFF:
            raise
        # Without the places in ROS's sources.
        reason = re.sub(r", at /\S+", "", str(error))
        raise UserError(
            f"ROS refuses to run secured: {reason}", where=f"enclave {security.enclave_of(words)}", fix=_FIX
        ) from error

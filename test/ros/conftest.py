"""Fixtures of the nodes' tests. Without ROS they are not asked for: the modules skip themselves."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from infer_client import Start


@pytest.fixture(scope="module")
def start(module_processes: Any) -> Start:
    """Start infer_node in a namespace, with parameters."""
    from infer_client import NODE

    def begin(namespace: str, **parameters: object) -> subprocess.Popen[bytes]:
        told = {"require_signature": "trust" in parameters} | parameters
        process: subprocess.Popen[bytes] = module_processes.node(NODE, namespace=namespace, **told)
        return process

    return begin

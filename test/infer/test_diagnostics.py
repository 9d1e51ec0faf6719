"""How infer_node says that it is: well, with something to look at, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from perception_infer.ros.frames import FrameCounts
from perception_infer.ros.report import Times, diagnostics
from perception_infer.serving import ServerStatus

SERVING = ServerStatus(name="cones", version=3, signer="workshop")


def said(state: str, server: ServerStatus | None, **more: Any) -> tuple[str, str]:
    health, message, _ = diagnostics(state, "cones", server, FrameCounts(), 0, Times(), **more)
    return health, message


@pytest.mark.parametrize(
    ("state", "server", "health", "message"),
    [
        ("unconfigured", None, "ok", "unconfigured"),
        ("inactive", ServerStatus(), "ok", "waiting for model 'cones'"),
        ("active", ServerStatus(), "warn", "waiting for model 'cones'"),
        ("active", ServerStatus(loading=True), "warn", "waiting for model 'cones', loading"),
        ("inactive", SERVING, "ok", "inactive, cones v3 loaded"),
        ("active", SERVING, "ok", "serving cones v3"),
        ("active", ServerStatus(name="cones", version=3, pinned=True), "ok", "serving cones v3, not signed, pinned"),
    ],
)
def test_a_node_that_serves_or_was_not_asked_to_is_well(
    state: str, server: ServerStatus | None, health: str, message: str
) -> None:
    assert said(state, server) == (health, message)


def test_problems_are_told_behind_what_serves() -> None:
    assert said("active", SERVING, problems=["dark", "late"]) == ("warn", "serving cones v3; dark; late")


def test_why_it_failed_counts_until_it_is_configured_again() -> None:
    assert said("unconfigured", None, failure="no such model") == ("error", "no such model")
    assert said("unconfigured", None, failure="no such model", problems=["no image"]) == (
        "error",
        "no such model; no image",
    )
    assert said("inactive", SERVING, failure="no such model") == ("ok", "inactive, cones v3 loaded")

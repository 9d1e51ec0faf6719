"""infer_node with signed bundles over real DDS: what it takes, refuses, shows and remembers."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from bundles import scene, write_detector

pytest.importorskip("rclpy", reason="ROS 2 is not installed")

from infer_client import RECTANGLES, Start, World

from perception_infer.commands.history import HistoryParams, history
from perception_infer.models import open_bundle
from perception_train.signing.command import sign_bundle
from perception_train.signing.signer import Signer, generate

PICTURE = scene((320, 240), RECTANGLES)


def signer(folder: Path) -> Signer:
    """A new key in a folder that can be trusted."""
    return Signer.load(str(generate(str(folder / "trainer"))[1]))


def stop(process: Any) -> int:
    process.send_signal(signal.SIGTERM)
    return int(process.wait(20))


def test_signed_models_serve_and_others_do_not(world: World, start: Start, tmp_path: Path) -> None:
    models, state = tmp_path / "models", tmp_path / "state"
    own, strange = signer(tmp_path / "trust"), signer(tmp_path / "elsewhere")
    sign_bundle(open_bundle(write_detector(models)), own)
    parameters = {"model_root": models, "model": "rectangles", "trust": tmp_path / "trust", "state": state}
    client, process = world.client("/trusting"), start("/trusting", **parameters)
    client.answer(PICTURE)
    values = client.diagnostics(lambda v: v["serving_version"] == "1")
    assert (values["signed_by"], values["message"]) == ("trainer", "serving rectangles v1")
    # Unsigned first, and then signed with somebody else's key of the same name.
    second = write_detector(models)
    client.announce(second)
    assert "not signed" in client.diagnostics(lambda v: v["refused"] == "1")["last_error"]
    sign_bundle(open_bundle(second), strange)
    client.announce(second)
    assert "not trusted here" in client.diagnostics(lambda v: v["refused"] == "2")["last_error"]
    third = write_detector(models)
    sign_bundle(open_bundle(third), own)
    client.announce(third)
    client.diagnostics(lambda v: v["loads"] == "2")
    client.answer(PICTURE)
    assert client.diagnostics(lambda v: v["swaps"] == "1")["serving_version"] == "3"
    assert stop(process) == 0
    told = history(HistoryParams(state=str(state)))["events"]
    assert [(event["kind"], event["version"]) for event in told] == [
        ("serves", 1), ("refused", 2), ("refused", 2), ("serves", 3), ("ended", 0),
    ]  # fmt: skip
    assert (told[0]["node"], told[0]["signer"]) == ("/trusting/infer_node", "trainer")
    # Before the next start somebody puts the second version, well signed now, in the place of the newest.
    shutil.rmtree(third)
    sign_bundle(open_bundle(second), own, again=True)
    again = start("/trusting", **parameters)
    client.answer(PICTURE)
    client.diagnostics(lambda v: v["serving_version"] == "1")
    assert stop(again) == 0
    why = [event["why"] for event in history(HistoryParams(state=str(state)))["events"][5:] if event["version"] == 2]
    assert len(why) == 1 and "older than the accepted v3" in why[0]


def test_unsigned_models_are_taken_by_explicit_word_only_and_shown(
    world: World, start: Start, module_processes: Any, tmp_path: Path
) -> None:
    write_detector(tmp_path)
    client = world.client("/open")
    refused = start("/open", model_root=tmp_path, model="rectangles", require_signature=True)
    assert refused.wait(60) == 2
    log = module_processes.log(refused)
    assert "no trusted keys are given" in log and "require_signature" in log and "Traceback" not in log
    process = start("/open", model_root=tmp_path, model="rectangles", require_signature=False)
    client.answer(PICTURE)
    values = client.diagnostics(lambda v: v["serving_version"] == "1")
    assert (values["signed_by"], values["message"]) == ("", "serving rectangles v1, not signed")
    assert stop(process) == 0

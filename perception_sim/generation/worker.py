"""A worker process of `perception_sim.generation.generate`: scene numbers in, answers out, one JSON value a line.

Started as ``python -m perception_sim.generation.worker``. The first line it reads is the plan. It ends when its
input ends, so it never outlives the process that started it. Workers on a cluster answer in the same way.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import msgspec

from perception_common.errors import UserError

from ..presets import parse_preset
from .producer import Plan, Producer


class Answer(msgspec.Struct):
    """What a worker says about a scene: its record, or what went wrong."""

    record: msgspec.Raw = msgspec.field(default_factory=msgspec.Raw)
    user_error: dict[str, str | None] | None = None
    failure: str | None = None


_ANSWER = msgspec.json.Decoder(Answer)


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan as JSON values."""
    values = {field.name: getattr(plan, field.name) for field in dataclasses.fields(plan)}
    return {**values, "output": str(plan.output), "preset": {"name": plan.preset.name, **plan.preset.as_dict()}}


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that `plan_to_json` wrote."""
    preset = dict(values["preset"])
    return Plan(**{**values, "output": Path(values["output"]), "preset": parse_preset(preset.pop("name"), preset)})


def record_of(producer: Producer, output: Path, scene: int) -> bytes:
    """Make a scene; its record as one line of JSON, with the SHA-256 of every file in ``sha256``."""
    record = producer.make(scene)
    names = [name for shot in record["shots"] for name in shot["sizes"]]
    record["sha256"] = {name: hashlib.sha256((output / name).read_bytes()).hexdigest() for name in names}
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode()


def record_in(line: bytes) -> bytes:
    """The record in an answer.

    Raises:
        UserError: it tells of one.
        RuntimeError: it tells of a failure.

    """
    answer = _ANSWER.decode(line)
    if answer.user_error is not None:
        told = answer.user_error
        raise UserError(told["what"] or "", where=told["where"], fix=told["fix"])
    if answer.failure is not None:
        raise RuntimeError(f"a worker failed:\n{answer.failure}")
    return bytes(answer.record)


class Maker:
    """Makes scenes of the plan that `plan_to_json` wrote and answers; the renderer is made with the first scene."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._producer: Producer | None = None

    def answer(self, scene: int) -> bytes:
        """Make a scene and return what `record_in` reads, one line of JSON."""
        try:
            return b'{"record":' + self._make(scene) + b"}"
        except UserError as error:
            return json.dumps({"user_error": {"what": error.what, "where": error.where, "fix": error.fix}}).encode()
        except Exception:
            return json.dumps({"failure": traceback.format_exc()}).encode()

    def close(self) -> None:
        """Free the renderer."""
        if self._producer is not None:
            self._producer.close()

    def _make(self, scene: int) -> bytes:
        if self._producer is None:
            self._producer = Producer(plan_from_json(self._plan))
        return record_of(self._producer, Path(self._plan["output"]), scene)


def main() -> int:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not end up among the answers
    maker = Maker(json.loads(sys.stdin.readline()))
    try:
        for line in sys.stdin:
            answers.write(maker.answer(int(line)) + b"\n")
            answers.flush()
    except BrokenPipeError:
        return 1
    maker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

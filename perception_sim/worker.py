"""A worker process of `perception_sim.generate`: scene numbers in, records out, one JSON value a line.

Started as ``python -m perception_sim.worker``. The first line it reads is the plan. It ends when its
input ends, so it never outlives the process that started it.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from perception_common.errors import UserError

from .presets import parse_preset
from .producer import Plan, Producer


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """A plan as JSON values."""
    return {**dataclasses.asdict(plan), "output": str(plan.output)}


def plan_from_json(values: dict[str, Any]) -> Plan:
    """The plan that `plan_to_json` wrote."""
    preset = dict(values["preset"])
    return Plan(**{**values, "output": Path(values["output"]), "preset": parse_preset(preset.pop("name"), preset)})


def main() -> int:
    """Serve until the input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print must not end up among the answers
    try:
        producer = Producer(plan_from_json(json.loads(sys.stdin.readline())))
        for line in sys.stdin:
            _answer(answers, {"record": producer.make(int(line))})
        producer.close()
    except UserError as error:
        _answer(answers, {"user_error": {"what": error.what, "where": error.where, "fix": error.fix}})
    except BrokenPipeError:
        return 1
    except Exception:
        _answer(answers, {"failure": traceback.format_exc()})
        return 1
    return 0


def _answer(answers: TextIO, value: dict[str, Any]) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


if __name__ == "__main__":
    sys.exit(main())

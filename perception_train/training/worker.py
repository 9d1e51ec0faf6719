"""The training process: told what to do on stdin, answers with events on stdout, one JSON object a line.

The first line holds the parameters, later ones a command: ``pause``, ``go``, ``export`` or ``stop``.
When stdin ends (the parent is gone), training stops with a checkpoint.
"""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
import traceback
from typing import Any

from perception_common.cli import vars_of
from perception_common.errors import UserError
from perception_common.params import build

from .config import TrainParams

#: Exit status after a mistake of the user's, which trying again does not mend.
USER_ERROR = 2


def main() -> int:
    """Run one training as the parent says."""
    # Ctrl-C in a terminal reaches the whole process group; the parent decides what happens here.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    events = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    # What libraries print must not mix with the events.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def emit(event: dict[str, Any]) -> None:
        try:
            events.write(json.dumps(event) + "\n")
        except BrokenPipeError:
            # The parent is gone; stdin has ended too, which stops the run.
            return

    try:
        params = build(TrainParams, json.loads(sys.stdin.readline())["params"], "the training process")
        # Imported late: torch takes seconds, and wrong parameters are told at once.
        from ..evaluation.observer import observed
        from .loop import Trainer

        trainer = Trainer(params, observed(params, emit))
        threading.Thread(target=_obey, args=(trainer,), daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: trainer.stop())
        trainer.fit()
    except UserError as error:
        emit({"event": "error", "message": str(error)})
        return USER_ERROR
    except Exception as error:
        traceback.print_exc()
        emit({"event": "error", "message": f"internal failure: {type(error).__name__}: {error}"})
        return 1
    return 0


def request(params: TrainParams) -> str:
    """The first line of stdin for these parameters."""
    names = {field.name for field in dataclasses.fields(TrainParams)}
    return json.dumps({"params": {name: value for name, value in vars_of(params).items() if name in names}}) + "\n"


def _obey(trainer: Any) -> None:
    actions = {
        "pause": trainer.pause,
        "go": lambda: trainer.pause(False),
        "export": trainer.export,
        "stop": trainer.stop,
    }
    for line in sys.stdin:
        action = actions.get(line.strip())
        if action is None:
            print(f"unknown command {line.strip()!r}", file=sys.stderr)
        else:
            action()
    trainer.stop()


if __name__ == "__main__":
    sys.exit(main())

"""`perception-infer history` tells what this robot served, when and why, and what it refused."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from perception_common.errors import UserError
from perception_common.params import param

from ..history import Event, History, history_file
from ..trust_params import StateParams

_TIME_OF_DAY = ("%H:%M:%S", "%H:%M")
_COLUMNS = ("time", "node", "model", "what", "why")


@dataclass(frozen=True)
class HistoryParams(StateParams):
    """Parameters of `perception-infer history`."""

    model_root: str = param("", "model repository of the node (empty: every one that is known)")
    model: str = param("", "name of the model (empty: all)")
    at: str = param(
        "", "what served at this time: 14:02 of the last 24 hours, or a date and time such as 2026-03-01T14:02 (local)"
    )
    since: str = param("", "events since this time, told in the same way")
    limit: int = param(50, "of more events than these, the newest are told", minimum=1, maximum=1_000_000)
    forget: str = param(
        "",
        "forget which versions of this model were accepted, so that a trainer may begin again at 1; needs model_root",
    )


def history(params: HistoryParams) -> dict[str, Any]:
    """Tell events as a table, or what served at a time; or forget accepted versions.

    Raises:
        UserError: there is no history, it cannot be read, or a time is none.
    """
    file = history_file(params.state)
    if not file.is_file():
        raise UserError("there is no history yet", where=file, fix="name the folder of the node's parameter 'state'")
    if params.forget and not params.model_root:
        raise UserError("it is not clear of which model repository", fix="--model-root, as the node has it")
    root = Path(params.model_root).expanduser() if params.model_root else None
    kept = History(file, root, lambda line: print(line, file=sys.stderr))
    try:
        if params.forget:
            count = kept.forget(params.forget)
            print(f"forgot {count} accepted versions of {params.forget}; a node that runs has to be started again")
            return {"model": params.forget, "forgotten": count}
        if params.at:
            events = kept.serving(time_ns(params.at), params.model)
        else:
            since = time_ns(params.since) if params.since else 0
            events = kept.events(params.model, since, limit=params.limit)
    finally:
        kept.close()
    if not events:
        print("nothing served then" if params.at else "nothing happened then")
    else:
        _print(events)
    return {"events": [asdict(event) for event in events]}


def time_ns(text: str, now: datetime | None = None) -> int:
    """Nanoseconds since 1970 of a local time of day (of the last 24 hours) or an ISO 8601 date and time.

    Raises:
        UserError: it is neither.
    """
    now = now or datetime.now()
    for form in _TIME_OF_DAY:
        try:
            told = datetime.strptime(text, form)  # a local time, as people say it
        except ValueError:
            continue
        moment = datetime.combine(now.date(), told.time())
        return int((moment if moment <= now else moment - timedelta(days=1)).timestamp() * 1e9)
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1e9)
    except (ValueError, OverflowError, OSError):
        raise UserError(f"{text!r} is no time", fix="such as 14:02, or 2026-03-01T14:02") from None


def _print(events: list[Event]) -> None:
    rows = [_COLUMNS, *(_row(event) for event in events)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS) - 1)]
    for row in rows:
        print("  ".join([*(text.ljust(width) for text, width in zip(row, widths, strict=False)), row[-1]]).rstrip())


def _row(event: Event) -> tuple[str, ...]:
    moment = datetime.fromtimestamp(event.at_ns / 1e9)  # as the wall clock says
    model = f"{event.name} v{event.version}" if event.version else event.name
    what: str = event.kind
    if event.kind == "serves":
        model += f" {event.sha256[:12]}"
        what += f" on {event.backend}, " + (f"signed by {event.signer}" if event.signer else "not signed")
    # What others announced may hold anything, and this is a terminal.
    return tuple(
        "".join(letter if letter.isprintable() else "?" for letter in text)
        for text in (f"{moment:%Y-%m-%d %H:%M:%S}", event.node, model, what, event.why)
    )

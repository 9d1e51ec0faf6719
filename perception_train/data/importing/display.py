"""The report of an import, on stderr."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..readers.tally import Tally


def show_report(tally: Tally) -> None:
    """A table of everything that was left out, ignored or noted."""
    rows = tally.rows()
    if not rows:
        return
    table = Table(title="skipped, dropped, ignored and noted", title_justify="left")
    table.add_column("what", no_wrap=True)
    table.add_column("why")
    table.add_column("count", justify="right")
    table.add_column("for example", overflow="fold")
    for kind, reason, count, example in rows:
        table.add_row(kind, escape(reason), str(count), escape(example))
    Console(stderr=True).print(table)

"""Lines beyond a limit are counted, and the count is told."""

from __future__ import annotations

from perception_common.errors import shown
from perception_common.flood import FloodGate


def test_lines_beyond_the_limit_are_counted() -> None:
    clock = [0.0]
    gate = FloodGate(2, 10.0, lambda: clock[0])
    assert [gate(line) for line in "abcd"] == ["a", "b", None, None]
    clock[0] = 10.0
    assert gate("e") == "e (lines left out before this one, for there were too many: 2)"
    assert gate("f") == "f"
    assert gate("g") is None
    clock[0] = 25.0
    assert gate("h") == "h (lines left out before this one, for there were too many: 1)"


def test_what_others_say_is_short_and_plain() -> None:
    assert shown("file:///a") == "'file:///a'"
    assert shown("\x1b[2J\n\u202ex") == "'\\x1b[2J\\n\\u202ex'"
    assert len(shown("\0" * 1_000_000)) < 900

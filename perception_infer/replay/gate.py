"""What ``--gate`` says: conditions on the figures of a replay, all of which must hold.

    gate       conditions, separated by commas
    condition  FIGURE >= NUMBER          also <=, >, <, ==; of the candidate, the last model
               drop(FIGURE) <= NUMBER    how much worse the candidate is than the first model, whichever way is worse
               not worse(FIGURE)         the paired interval does not say with confidence that the candidate is worse
    figure     a name of `FIGURES` such as map50, or one of `CLASS_FIGURES` with its class such as recall[cone]

``drop`` and ``worse`` need a comparison. What is not known (null in replay.json) fails the gate and says why.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from perception_common.errors import UserError, did_you_mean

from ..evaluation.confusion import BACKGROUND
from .bootstrap import Interval
from .figures import CLASS_FIGURES, FIGURES, WITH_INTERVAL, Name, Summary

_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "==": operator.eq,
}
_NAME = re.compile(r"(\w+)\s*(?:\[([^\[\]]*)\])?")
_CALL = re.compile(r"(not\b)?\s*(\w+)\s*\((.*)\)")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
# The name of a class, in brackets, may hold any of the signs that separate.
_COMMA = re.compile(r",(?![^\[\]]*\])")
_PARTS = re.compile(r"((?:[^<>=!\[]|\[[^\]]*\])*)([<>=!]+)(.*)")


class Verdict(NamedTuple):
    """What became of one condition.

    Attributes:
        condition: as text.
        passed: whether it holds.
        value: what was held against the limit; None is unknown.
        text: condition and finding in a line for people.
    """

    condition: str
    passed: bool
    value: float | None
    text: str


@dataclass(frozen=True)
class Bound:
    """A figure, or with ``drop`` how much worse it has become, against a limit."""

    name: Name
    drop: bool
    sign: str
    limit: float

    def __str__(self) -> str:
        return f"{f'drop({self.name})' if self.drop else self.name} {self.sign} {self.limit:.12g}"

    def judge(self, summaries: Sequence[Summary], intervals: Mapping[str, Interval]) -> Verdict:
        """See `evaluate`."""
        judged = (summaries[0], summaries[-1]) if self.drop else (summaries[-1],)
        known = []
        for summary in judged:
            value = self.name.value(summary)
            if value is None:
                return _verdict(self, False, None, _why_unknown(self.name, summary))
            known.append(value)
        value = known[-1]
        if self.drop:
            # Without its last digits: 0.80 − 0.79 is a drop of 0.01, not of a hair more.
            value = round((known[0] - known[-1]) * (1 if self.name.kind.more_is_better else -1), 12)
        shown = self.name.shown(value)
        if self.drop:
            shown += f" ({self.name.shown(known[0])}, now {self.name.shown(known[-1])})"
        return _verdict(self, _OPERATORS[self.sign](value, self.limit), value, shown)


@dataclass(frozen=True)
class NotWorse:
    """The interval of a figure's difference does not lie wholly on the worse side of zero."""

    name: Name

    def __str__(self) -> str:
        return f"not worse({self.name})"

    def judge(self, summaries: Sequence[Summary], intervals: Mapping[str, Interval]) -> Verdict:
        """See `evaluate`."""
        interval = intervals.get(str(self.name))
        if interval is None or interval.difference is None:
            unknown = (s for s in (summaries[0], summaries[-1]) if self.name.value(s) is None)
            reason = next((_why_unknown(self.name, s) for s in unknown), "its difference is not known")
            return _verdict(self, False, None, reason)
        if interval.low is None or interval.high is None:
            return _verdict(self, False, interval.difference, "the frames are too few for an interval")
        shown = f"{interval.difference:+.4f}, interval {interval.low:+.4f} to {interval.high:+.4f}"
        return _verdict(self, not interval.is_worse, interval.difference, shown)


Condition = Bound | NotWorse
Gate = tuple[Condition, ...]


def parse_gate(text: str, comparing: bool = False) -> Gate:
    """The conditions of a text.

    Args:
        text: see above.
        comparing: whether there is a first model to hold the candidate against.

    Raises:
        UserError: it is none of ours, or needs a comparison and there is none.
    """
    gate = tuple(_condition(part.strip()) for part in _COMMA.split(text))
    for condition in gate:
        if not comparing and (isinstance(condition, NotWorse) or condition.drop):
            raise UserError(
                f"'{condition}' compares two models", where="--gate", fix="add --compare with the first one"
            )
    return gate


def require(gate: Gate, task: str, classes: Collection[str]) -> None:
    """Refuse what models of a task with these classes will never answer.

    Raises:
        UserError: a figure of another task, or an unknown class.
    """
    for name in (condition.name for condition in gate):
        has_it = name.kind.task in (None, task) if name.of is None else task in CLASS_FIGURES[name.figure]
        if not has_it:
            raise _wrong(f"a model for {task} has no '{name}'", "leave it out")
        known = {*classes, BACKGROUND} if task == "segmentation" else set(classes)
        if name.of is not None and name.of not in known:
            raise _wrong(f"no class '{name.of}' for '{name}'", did_you_mean(name.of, known))


def evaluate(gate: Gate, summaries: Sequence[Summary], intervals: Mapping[str, Interval]) -> tuple[Verdict, ...]:
    """What became of each condition.

    Args:
        gate: as parsed.
        summaries: replay.json of each model; the first is what the last, the candidate, is held against.
        intervals: of the last against the first, by figure; empty without a comparison.
    """
    return tuple(condition.judge(summaries, intervals) for condition in gate)


def _condition(text: str) -> Condition:
    parts = _PARTS.fullmatch(text)
    if parts is None:
        call = _CALL.fullmatch(text)
        if call is None or call[2] != "worse":
            raise _wrong(
                f"'{text}' is no condition", "write FIGURE >= NUMBER, such as map50>=0.8, or not worse(FIGURE)"
            )
        if call[1] is None:
            raise _wrong(f"'{text}' would ask for a worse model", f"write not {text}")
        name = _name(call[3])
        if name.of is None and name.figure not in WITH_INTERVAL:
            raise _wrong(f"there is no interval for '{name}'", did_you_mean(name.figure, WITH_INTERVAL))
        return NotWorse(name)
    left, sign, right = (part.strip() for part in parts.groups())
    if sign not in _OPERATORS:
        raise _wrong(f"'{sign}' in '{text}' compares nothing", "known are " + ", ".join(_OPERATORS))
    if _NUMBER.fullmatch(right) is None:
        raise _wrong(f"'{right}' in '{text}' is no number", "write one with a point, such as 0.8")
    call = _CALL.fullmatch(left)
    if call is not None and (call[2] != "drop" or call[1] is not None):
        raise _wrong(f"'{left}' has no value to compare", "write drop(FIGURE) <= NUMBER or not worse(FIGURE)")
    bound = Bound(_name(left if call is None else call[3]), call is not None, sign, float(right))
    if bound.name.kind.share and not (-1 if bound.drop else 0) <= bound.limit <= 1:
        raise _wrong(f"'{bound.name}' lies between 0 and 1, and '{text}' does not", "write 0.8 for 80 %")
    return bound


def _name(text: str) -> Name:
    found = _NAME.fullmatch(text.strip())
    figure, of = (text.strip(), None) if found is None else (found[1], found[2])
    if figure not in FIGURES and figure not in CLASS_FIGURES:
        raise _wrong(f"no figure '{figure}'", did_you_mean(figure, {*FIGURES, *CLASS_FIGURES}))
    if of is None and figure not in FIGURES:
        raise _wrong(f"'{figure}' is a figure of one class", f"write {figure}[CLASS]")
    if of is not None and figure not in CLASS_FIGURES:
        raise _wrong(f"'{figure}' has no classes", "figures of one class are " + ", ".join(CLASS_FIGURES))
    return Name(figure, None if of is None else of.strip())


def _wrong(what: str, fix: str) -> UserError:
    return UserError(what, where="--gate", fix=fix)


def _verdict(condition: Condition, passed: bool, value: float | None, detail: str) -> Verdict:
    return Verdict(str(condition), passed, value, f"{condition}: {detail}")


def _why_unknown(name: Name, summary: Summary) -> str:
    title = summary["model"]["title"]
    if name.kind.path[0] == "figures" and summary["figures"] is None:
        return f"not known of {title}, for there is no truth"
    if name.of is not None and name.of not in (*summary["classes"], BACKGROUND):
        return f"neither {title} nor the truth has the class; {did_you_mean(name.of, summary['classes'])}"
    return f"not known of {title}"

"""One declaration, checked everywhere."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from perception_common.errors import UserError
from perception_common.params import build, param


@dataclass(frozen=True)
class Example:
    """Parameters of an example."""

    rate: float = param(5.0, "how often", minimum=0.1, maximum=100.0, live=True)
    count: int = param(3, "how many", minimum=0)
    kind: str = param("a", "which", choices=("a", "b"))
    names: tuple[str, ...] = param((), "who")
    paths: tuple[str, ...] = param((), "where", alone=True)
    sizes: tuple[float, ...] = param((1.0, 2.0), "how large", maximum=9.0)
    active: bool = param(True, "whether")


def test_defaults_and_conversion() -> None:
    assert build(Example, {}) == Example()
    made = build(Example, {"rate": 7, "names": ["x", "y"], "sizes": [3]})
    assert made.rate == 7.0
    assert isinstance(made.rate, float)
    assert made.names == ("x", "y")
    assert made.sizes == (3.0,)


def test_a_text_alone_is_a_list_of_one_where_that_is_allowed() -> None:
    assert build(Example, {"paths": "a b"}).paths == ("a b",)
    assert build(Example, {"paths": ""}).paths == ()
    assert build(Example, {"paths": ["a", "b"]}).paths == ("a", "b")
    with pytest.raises(UserError, match="cannot be 3"):
        build(Example, {"paths": 3})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rat": 1.0}, "unknown parameter 'rat'.*did you mean 'rate'"),
        ({"zzz": 1}, "known are: active, count, kind"),
        ({"rate": 0.0}, "allowed is float, 0.1 to 100"),
        ({"rate": float("nan")}, "cannot be nan"),
        ({"rate": "fast"}, "cannot be 'fast'"),
        ({"rate": True}, "cannot be True"),
        ({"count": 1.5}, "allowed is int, at least 0"),
        ({"count": -1}, "cannot be -1"),
        ({"kind": "c"}, "one of 'a', 'b'"),
        ({"names": "x"}, "list of str"),
        ({"sizes": [1.0, 10.0]}, "at most 9"),
        ({"active": 1}, "allowed is bool"),
        ({"rate": None}, "cannot be None"),
    ],
)
def test_refusals_name_the_parameter_and_what_is_allowed(values: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        build(Example, values)
    assert "\n" not in str(caught.value)

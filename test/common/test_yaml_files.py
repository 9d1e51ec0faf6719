"""Files of parameters: what is read, what is refused, and what is written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from perception_common.errors import UserError
from perception_common.params import build, param, specs
from perception_common.yaml_files import MODELINE, load_yaml, reference_yaml


@dataclass(frozen=True)
class Example:
    """Parameters of an example."""

    rate: float = param(5.0, "how often", minimum=0.1, maximum=100.0, live=True)
    count: int = param(3, "how many", maximum=1 << 30)
    kind: str = param("a", "which", choices=("a", "b"))
    names: tuple[str, ...] = param((), "who")
    sizes: tuple[float, ...] = param((1.0, 2.0), "how large", maximum=9.0)
    active: bool = param(True, "whether")


def test_reference_reads_back_as_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(reference_yaml(Example))
    assert build(Example, load_yaml(path)) == Example()
    node = yaml.safe_load(reference_yaml(Example, "example_node"))
    values = node["/**/example_node"]["ros__parameters"]
    assert build(Example, values) == Example()
    assert set(specs(Example)) - set(values) == {"names"}


def test_values_stand_in_the_place_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(reference_yaml(Example, values={"kind": "b", "names": ("x: y", "#")}, schema="/a b/x.json"))
    assert build(Example, load_yaml(path)) == Example(kind="b", names=("x: y", "#"))
    assert path.read_text().startswith(f"{MODELINE}/a b/x.json\n# Parameters of an example.\n# how often")


def test_limits_are_told_with_all_their_digits() -> None:
    text = reference_yaml(Example)
    assert "how often (float; 0.1 to 100; live)" in text
    assert "how many (int; at most 1073741824)" in text


@pytest.mark.parametrize("text", ["1e-3", "1.0e-3", "+1E-3", ".1e-2", "0.001"])
def test_numbers_are_those_that_editors_take_for_numbers(tmp_path: Path, text: str) -> None:
    path = tmp_path / "small.yaml"
    path.write_text(f"value: {text}\nname: 1e3x\n")
    assert load_yaml(path) == {"value": 0.001, "name": "1e3x"}


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("rate: 1.0\nkind: a\nrate: 2.0\n")
    with pytest.raises(UserError, match=r"'rate' stands twice.*line 3") as caught:
        load_yaml(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00", "- x", "a: " + "[" * 1200])
def test_yaml_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_yaml(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_yaml(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the file"):
        load_yaml(tmp_path / "none.yaml")

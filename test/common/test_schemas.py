"""config/schemas: what an editor is told agrees with what the suite takes and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from perception_common.errors import UserError
from perception_common.params import Spec, check, specs
from perception_common.schemas import command_schema, node_schema
from perception_common.yaml_files import MODELINE, load_yaml
from perception_infer.ros.infer_params import InferParams
from perception_sim.presets import load_preset, parse_preset, preset_names
from perception_train.training.config import TrainParams

CONFIG = Path(__file__).resolve().parents[2] / "config"
FILES = sorted(CONFIG.glob("*.yaml"))
# Of every type what it is, and what it is not.
VALUES: tuple[Any, ...] = (True, 1, 0, -1, 0.5, 1e9, "", "auto", "no such thing", None, [], ["a"], [0.5], [1, "a"], {})


def accepts(schema: dict[str, Any], value: Any) -> bool:
    return jsonschema.Draft7Validator(schema).is_valid(value)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_names_a_schema_that_takes_it_and_no_misspelt_name(path: Path) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith(MODELINE)
    schema = json.loads((path.parent / first.removeprefix(MODELINE)).read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    content = load_yaml(path)
    assert accepts(schema, content)
    # One level down in presets, two in the files of nodes.
    inner = content
    while isinstance(first_value := next(iter(inner.values()), None), dict):
        inner = first_value
    inner["no_such_name"] = 1
    assert not accepts(schema, content)


def refuses(spec: Spec, value: Any) -> bool:
    # JSON has one kind of whole numbers: 1.0 is one.
    whole = isinstance(value, float) and value.is_integer() and spec.type is int
    try:
        check(spec, int(value) if whole else value)
    except UserError:
        return True
    return False


@pytest.mark.parametrize("cls", [InferParams, TrainParams])
def test_editors_and_the_suite_agree_on_every_value(cls: type) -> None:
    schema = command_schema(cls)
    for spec in specs(cls).values():
        limits = [limit for limit in (spec.minimum, spec.maximum) if limit is not None]
        beyond = [limit + step for limit in limits for step in (-1, 1)]
        tried = [*VALUES, *limits, *beyond, *(spec.choices or ())]
        validator = jsonschema.Draft7Validator(schema["properties"][spec.name])
        wrong = [value for value in tried if validator.is_valid(value) == refuses(spec, value)]
        assert wrong == [], spec.name


def test_files_of_nodes_may_hold_what_ros_takes() -> None:
    schema = node_schema(InferParams, "infer_node")
    text = """
    /**/infer_node: {ros__parameters: {threads: 1, use_sim_time: true, qos_overrides./image.subscription.depth: 3}}
    /robot/infer_node: {ros__parameters: {qos_overrides: {/image: {subscription: {depth: 3}}}}}
    infer_node: {ros__parameters: {model: detector}}
    /**: {ros__parameters: {use_sim_time: true}}
    other_node: {ros__parameters: {anything: 1}}
    """
    assert accepts(schema, yaml.safe_load(text))
    for wrong in ("thread: 1", "threads: many"):
        assert not accepts(schema, yaml.safe_load("/eyes/infer_node: {ros__parameters: {" + wrong + "}}"))


def preset_schema() -> dict[str, Any]:
    return json.loads((CONFIG / "schemas" / "preset.schema.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_taken_as_they_ship_and_as_they_are_kept(name: str) -> None:
    shipped = yaml.safe_load((CONFIG.parent / "perception_sim" / "presets" / f"{name}.yaml").read_text())
    assert accepts(preset_schema(), shipped)
    kept = load_preset(name).as_dict()
    del kept["name"]
    assert accepts(preset_schema(), json.loads(json.dumps(kept)))


@pytest.mark.parametrize(
    "text",
    [
        "camera: {fovy: 20}",
        "camera: {fovy: [20, 30]}",
        "camera: {fovy: {normal: [40, 3]}}",
        "camera: {fovy: {choice: [20, 40]}}",
        "camera: {lens: [none, plumb_bob]}",
        "camera: {lens: {none: 3, plumb_bob: 1}}",
        "content: {size: natural, objects: [1, 3]}",
        "content: {objects: {mixture: [[0.8, 0], [0.2, [1, 4]]]}}",
        "content: {classes: [ball], distractor_kinds: lookalikes}",
        "base: outdoor\ndescription: ours\ncontent:",
        "camra: {fovy: 20}",
        "camera: {fov: 20}",
        "camera: {fovy: 0.5}",
        "camera: {fovy: [20, 30, 40]}",
        "camera: {fovy: wide}",
        "camera: {fovy: natural}",
        "camera: {fovy: {gauss: [40, 3]}}",
        "camera: {lens: [nonee]}",
        "camera: {lens: {none: -1}}",
        "content: {negatives: 2.0}",
        "content: {objects: 2.5}",
        "- content",
    ],
)
def test_editors_and_the_suite_agree_on_presets(text: str) -> None:
    content = yaml.safe_load(text)
    try:
        assert isinstance(content, dict)
        parse_preset("mine", content)
        taken = True
    except (UserError, AssertionError):
        taken = False
    assert accepts(preset_schema(), content) == taken

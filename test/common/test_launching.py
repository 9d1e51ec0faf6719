"""Arguments of launch files: how their texts are read. What becomes of them is tested with launch itself."""

from __future__ import annotations

import re
import string

import pytest
import yaml

from perception_common.launching import arguments
from perception_common.launching.actions import LIFECYCLE, NODES, parameter_words


def test_parameters_keep_their_types_whatever_they_look_like() -> None:
    values = {"model": "8", "flag": False, "rate": 8.0, "classes": ["no", "1e3"], "path": "/a b/c: d", "none": []}
    words = parameter_words(values)
    assert set(words[::2]) == {"-p"}
    read = {name: yaml.safe_load(text) for name, _, text in (word.partition(":=") for word in words[1::2])}
    assert read == {name: value for name, value in values.items() if name != "none"}


@pytest.mark.parametrize(("text", "value"), [("", False), ("true", True), ("False", False), ("True", True)])
def test_words_that_are_true_or_false(text: str, value: bool) -> None:
    assert arguments.truth("respawn", {"respawn": text}) is value


@pytest.mark.parametrize("text", ["often", "2", "{a: 1}"])
def test_other_words_are_refused_by_the_name_of_their_argument(text: str) -> None:
    with pytest.raises(RuntimeError, match=re.escape(f"launch argument 'respawn' is {text!r}")):
        arguments.truth("respawn", {"respawn": text})


@pytest.mark.parametrize("text", ["[1]", "rate: [", "rate"])
def test_parameters_are_a_mapping(text: str) -> None:
    assert arguments.mapping("parameters", "{rate: 8.0}") == {"rate": 8.0}
    assert arguments.mapping("parameters", "") == {}
    with pytest.raises(RuntimeError, match="launch argument 'infer_parameters' is"):
        arguments.mapping("infer_parameters", text)


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_numbers(text: str) -> None:
    assert arguments.number("respawn_delay", {"respawn_delay": "2"}, "seconds") == 2.0
    assert arguments.number("respawn_delay", {}, "seconds") is None
    with pytest.raises(RuntimeError, match="has to be a number of seconds, 0 or more"):
        arguments.number("respawn_delay", {"respawn_delay": text}, "seconds")


@pytest.mark.parametrize("text", ["", "0", "1.5", "wide"])
def test_whole_numbers(text: str) -> None:
    assert arguments.whole("image_width", {"image_width": "1280"}) == 1280
    with pytest.raises(RuntimeError, match="has to be a whole number, 1 or more"):
        arguments.whole("image_width", {"image_width": text})


def test_names() -> None:
    assert arguments.image_topic("/camera/image_raw/compressed") == ("/camera/image_raw", True)
    assert arguments.image_topic("image") == ("image", False)
    assert [arguments.joined(place, "infer_node") for place in ("", "/", "robot", "/robot/")] == [
        "infer_node",
        "/infer_node",
        "robot/infer_node",
        "/robot/infer_node",
    ]


def test_every_node_of_a_file_has_its_own_arguments() -> None:
    found = arguments.of_each({"infer": "infer_node", "camera": "sim_camera_node"})
    assert set(found) == {f"{role}_{name}" for role in ("infer", "camera") for name in arguments.OF_EACH}
    assert all("infer_node" in text for name, text in found.items() if name.startswith("infer"))
    # Nothing is left to be filled in, and braces of examples are single ones.
    assert not [text for text in found.values() if "{{" in text]
    for text in arguments.OF_EACH.values():
        assert [name for _, name, _, _ in string.Formatter().parse(text) if name is not None] == [""]


def test_lifecycle_nodes_are_those_that_can_start_by_themselves() -> None:
    from perception_infer.ros.evaluate_params import EvaluateParams
    from perception_infer.ros.infer_params import InferParams
    from perception_sim.params import SimCameraParams
    from perception_train.ros.params import TrainNodeParams

    classes = dict(zip(NODES, (SimCameraParams, InferParams, EvaluateParams, TrainNodeParams), strict=True))
    assert {name for name, cls in classes.items() if hasattr(cls, "autostart")} == set(LIFECYCLE)

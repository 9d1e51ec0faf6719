"""The manifest: round trip, unknown keys, and every rule by a document that breaks it."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bundles import write_detector

from perception_common.errors import UserError
from perception_infer.contract.manifest import decode, encode

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return json.loads((write_detector(tmp_path_factory.mktemp("repository")) / "manifest.json").read_text())


def test_round_trip(document: Document) -> None:
    manifest = decode(json.dumps(document).encode())
    assert decode(encode(manifest)) == manifest
    assert json.loads(encode(manifest)) == document
    assert encode(decode(encode(manifest))) == encode(manifest)


def test_is_immutable(document: Document) -> None:
    with pytest.raises(AttributeError):
        decode(json.dumps(document).encode()).version = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    "path", [(), ("input",), ("suppression",), ("dataset",), ("variants", "fp32"), ("files", "model.onnx")]
)
def test_unknown_keys_are_errors_everywhere(document: Document, path: tuple[str, ...]) -> None:
    changed = copy.deepcopy(document)
    part = changed
    for key in path:
        part = part[key]
    part["suprise"] = 1
    with pytest.raises(UserError, match="suprise"):
        decode(json.dumps(changed).encode())


@pytest.mark.parametrize(
    "key", ["name", "version", "classes", "variants", "files", "thresholds", "suppression", "created"]
)
def test_missing_keys_are_errors(document: Document, key: str) -> None:
    changed = {name: value for name, value in document.items() if name != key}
    with pytest.raises(UserError, match=key):
        decode(json.dumps(changed).encode())


def put(*path: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        part: Any = document
        for key in path[:-1]:
            part = part[key]
        part[path[-1]] = value

    return change


BROKEN = {
    "another schema": (put("schema_version", value=2), "schema 2 is not supported"),
    "name with a slash": (put("name", value="../other"), "name"),
    "upper-case name": (put("name", value="Cones"), "name"),
    "version 0": (put("version", value=0), "version 0"),
    "version beyond int32": (put("version", value=1 << 31), "version"),
    "version as text": (put("version", value="1"), "int"),
    "no classes": (put("classes", value=[]), "classes"),
    "two equal classes": (put("classes", value=["a", "a", "b"]), "classes"),
    "an empty class": (put("classes", value=["a", " ", "b"]), "classes"),
    "too few thresholds": (put("thresholds", value=[0.5]), "thresholds must be 3"),
    "a threshold above 1": (put("thresholds", value=[0.5, 1.5, 0.5]), "thresholds"),
    "width 0": (put("input", "width", value=0), "input"),
    "batch 65": (put("input", "batch", value=65), "input"),
    "no suppression": (put("suppression", value=None), "suppresses"),
    "unknown task": (put("task", value="pose"), "task"),
    "no fp32": (lambda d: d["variants"].clear(), "fp32"),
    "precision under another key": (lambda d: d["variants"].update(fp16=d["variants"]["fp32"]), "precision"),
    "other tensors": (put("variants", "fp32", "outputs", 0, "shape", value=[1, 7, 4]), "tensors"),
    "graph not listed": (put("variants", "fp32", "file", value="other.onnx"), "not listed"),
    "file outside": (lambda d: d["files"].update({"../evil": d["files"]["model.onnx"]}), "not allowed"),
    "manifest in its own list": (
        lambda d: d["files"].update({"manifest.json": d["files"]["model.onnx"]}),
        "not allowed",
    ),
    "bad digest": (put("files", "model.onnx", "sha256", value="abc"), "sha256"),
    "negative size": (put("files", "model.onnx", "size", value=-1), "size"),
    "no weights": (lambda d: d["files"].pop("weights.safetensors"), "weights.safetensors"),
    "no parity file": (lambda d: d["files"].pop("parity.safetensors"), "parity.safetensors"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_every_rule_is_enforced_in_one_line(document: Document, case: str) -> None:
    change, told = BROKEN[case]
    changed = copy.deepcopy(document)
    change(changed)
    with pytest.raises(UserError, match=told) as caught:
        decode(json.dumps(changed).encode(), Path("here/manifest.json"))
    assert "here/manifest.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]", b'"x"', b"\xff\xfe", b'{"schema_version": 1}', b" " * ((1 << 20) + 1)]
)
def test_damaged_documents_are_refused(data: bytes) -> None:
    with pytest.raises(UserError):
        decode(data)

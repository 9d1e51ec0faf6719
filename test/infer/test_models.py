"""Bundles on disk: written whole, verified byte by byte, and found."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import bundles
import numpy as np
import pytest
from bundles import CLASSES, write_detector

from perception_common.errors import UserError
from perception_infer.models import ModelRepository, open_bundle, resolve_location
from perception_infer.trust import signature_line
from perception_train.export.bundle import Graph, write_bundle

FILES = ("manifest.json", "model.onnx", "parity.safetensors", "weights.safetensors")


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_detector(tmp_path_factory.mktemp("repository"))


@pytest.fixture
def bundle(original: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(original, tmp_path / "models" / original.parent.name / original.name))


def test_the_exact_file_set_is_pinned(original: Path) -> None:
    assert sorted(path.name for path in original.iterdir()) == list(FILES)
    assert sorted(path.name for path in original.parent.iterdir()) == ["1", "config.pbtxt"]
    assert (original / "manifest.json").stat().st_mode & 0o777 == 0o666 & ~_umask()


def test_opens(bundle: Path) -> None:
    opened = open_bundle(bundle)
    assert opened.manifest.classes == CLASSES
    assert opened.title == "rectangles v1"
    assert opened.uri == f"file://{bundle}/manifest.json"
    assert opened.read("model.onnx") == (bundle / "model.onnx").read_bytes()
    assert set(opened.parity()) == {"image", "fp32.boxes", "fp32.scores", "fp32.labels"}


@pytest.mark.parametrize("file", FILES)
def test_a_flipped_byte_is_refused(bundle: Path, file: str) -> None:
    data = bytearray((bundle / file).read_bytes())
    # In the manifest: a digit of a digest, so that the document stays well-formed.
    at = data.index(b'"sha256": "') + 11 if file == "manifest.json" else len(data) // 2
    data[at] = ord("1") if data[at] != ord("1") else ord("2")
    (bundle / file).write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        open_bundle(bundle)


@pytest.mark.parametrize("file", FILES)
def test_a_truncated_file_is_refused(bundle: Path, file: str) -> None:
    data = (bundle / file).read_bytes()
    (bundle / file).write_bytes(data[:-3])
    with pytest.raises(UserError):
        open_bundle(bundle)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_refused(bundle: Path, file: str) -> None:
    (bundle / file).unlink()
    with pytest.raises(UserError, match=r"missing|no manifest"):
        open_bundle(bundle)


@pytest.mark.parametrize("file", FILES)
def test_a_link_is_refused(bundle: Path, file: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (bundle / file).rename(elsewhere)
    (bundle / file).symlink_to(elsewhere)
    with pytest.raises(UserError, match="links"):
        open_bundle(bundle)


def test_what_is_not_listed_is_refused(bundle: Path) -> None:
    (bundle / "notes.txt").write_text("hello")
    with pytest.raises(UserError, match=r"does not list.*notes\.txt"):
        open_bundle(bundle)
    (bundle / "notes.txt").unlink()
    (bundle / "folder").mkdir()
    with pytest.raises(UserError, match="does not list"):
        open_bundle(bundle)


def test_a_pipe_does_not_hang_the_robot(bundle: Path) -> None:
    (bundle / "weights.safetensors").unlink()
    os.mkfifo(bundle / "weights.safetensors")
    with pytest.raises(UserError, match="special files"):
        open_bundle(bundle)


def test_a_signature_may_be_added_later(bundle: Path) -> None:
    (bundle / "manifest.sig").write_bytes(signature_line("0" * 16, b"x" * 64))
    opened = open_bundle(bundle)
    # Of a key that nobody here knows, it is worth nothing, and harms nothing.
    assert (opened.manifest.version, opened.signer) == (1, "")


def test_a_directory_of_another_name_is_refused(bundle: Path) -> None:
    with pytest.raises(UserError, match="must be called 'rectangles/1'"):
        open_bundle(bundle.rename(bundle.with_name("2")))


def test_a_linked_version_is_refused(bundle: Path) -> None:
    moved = bundle.rename(bundle.parent.parent / "1")
    bundle.symlink_to(moved)
    with pytest.raises(UserError, match="no bundle directory"):
        open_bundle(bundle)


def test_a_change_after_opening_is_noticed(bundle: Path) -> None:
    opened = open_bundle(bundle)
    (bundle / "model.onnx").write_bytes(b"something else")
    with pytest.raises(UserError, match="not what the manifest says"):
        opened.read("model.onnx")
    with pytest.raises(UserError, match="lists no file"):
        opened.read("../../secret")


def test_versions_rise_and_the_repository_finds_them(tmp_path: Path) -> None:
    repository = ModelRepository(tmp_path / "models")
    assert repository.names() == []
    assert repository.latest("rectangles") is None
    with pytest.raises(UserError, match="no model 'rectangles'"):
        repository.open("rectangles")
    first, second = (write_detector(repository.root, score=score) for score in (0.9, 0.8))
    shutil.rmtree(first)
    third = write_detector(repository.root)
    assert [int(path.name) for path in (first, second, third)] == [1, 2, 3]
    (repository.root / "rectangles" / ".partial-x").mkdir()
    (repository.root / "rectangles" / "04").mkdir()
    (repository.root / "rectangles" / "empty").mkdir()
    assert repository.versions("rectangles") == [2, 3]
    assert repository.names() == ["rectangles"]
    assert repository.open("rectangles").manifest.version == 3
    assert repository.open("rectangles", 2).manifest.version == 2
    with pytest.raises(UserError, match=r"no version 1.*there are 2, 3"):
        repository.open("rectangles", 1)


def test_two_writers_never_take_the_same_version(tmp_path: Path) -> None:
    written: list[Path] = []
    threads = [threading.Thread(target=lambda: written.append(write_detector(tmp_path))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(int(path.name) for path in written) == [1, 2, 3, 4, 5, 6]
    assert all(open_bundle(path) for path in written)


def test_a_failed_export_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="distinct"):
        write_detector(tmp_path, classes=("a", "a", "b"))
    with pytest.raises(UserError, match="name"):
        write_detector(tmp_path, name="../evil")
    assert list(tmp_path.rglob("*")) == []


def test_the_triton_configuration_follows_the_graph(tmp_path: Path) -> None:
    directory = write_detector(tmp_path)
    config = directory.parent / "config.pbtxt"
    text = config.read_text()
    assert 'backend: "onnxruntime"' in text
    assert 'name: "image" data_type: TYPE_UINT8 dims: [ 1, 256, 320, 3 ]' in text
    written = config.stat().st_ino
    write_detector(tmp_path)
    assert config.stat().st_ino == written, "written again though nothing changed"
    write_detector(tmp_path, size=(320, 320))
    assert "[ 1, 320, 320, 3 ]" in config.read_text()


def test_locations_inside_the_root_are_resolved(bundle: Path) -> None:
    root = bundle.parent.parent
    assert resolve_location(open_bundle(bundle).uri, root) == bundle
    assert resolve_location(f"file://localhost{bundle}/manifest.json", root) == bundle
    spaced = root / "with space" / "1"
    assert resolve_location((spaced / "manifest.json").as_uri(), root) == spaced


def test_a_linked_root_is_the_same_root(bundle: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(bundle.parent.parent)
    assert resolve_location(f"file://{link}/rectangles/1/manifest.json", link) == bundle


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///etc/passwd", "manifest.json"),
        ("file:///etc/manifest.json", "outside of model_root"),
        ("file://ROOT/../manifest.json", "outside of model_root"),
        ("file://ROOT/%2e%2e/manifest.json", "outside of model_root"),
        ("file://ROOT/out/manifest.json", "outside of model_root"),
        ("file://elsewhere/ROOT/manifest.json", "not a local file"),
        ("file:manifest.json", "absolute path"),
        ("ROOT/rectangles/1/manifest.json", "not a local file"),
        ("http://host/manifest.json", "not allowed.*fetch_from"),
        ("https://host/manifest.json", "not allowed.*fetch_from"),
        ("ftp://host/manifest.json", "not a local file"),
        ("file://[/manifest.json", "not a URI"),
        ("file://ROOT/a%00b/manifest.json", "absolute path"),
        ("file://ROOT/rectangles/1/manifest.json?x=1", "not a local file"),
        ("", "not a local file"),
    ],
)
def test_other_locations_are_refused_in_one_line(bundle: Path, uri: str, told: str) -> None:
    root = bundle.parent.parent
    (root / "out").symlink_to("/")
    with pytest.raises(UserError, match=told) as caught:
        resolve_location(uri.replace("ROOT", str(root)), root)
    assert "\n" not in str(caught.value)


def test_manifest_is_readable_json_for_people(original: Path) -> None:
    text = (original / "manifest.json").read_text()
    assert text.startswith("{\n  ")
    assert json.loads(text)["variants"]["fp32"]["metrics"] == {"map50": 1.0}


def test_parity_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    facts = bundles.model_facts()
    arrays = bundles.parity_arrays(0.9)
    arrays["fp32.boxes"] = np.zeros((3, 7, 4), np.float32)
    with pytest.raises(UserError, match=r"fp32\.boxes"):
        write_bundle(tmp_path, facts, {"fp32": Graph(b"", {})}, b"", arrays)


def _umask() -> int:
    value = os.umask(0)
    os.umask(value)
    return value

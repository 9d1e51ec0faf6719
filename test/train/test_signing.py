"""Keys and signatures on the side of the trainer: made, kept from others, and put on everything that is exported."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bundles import write_detector
from shapes import small_run

from perception_common.errors import UserError
from perception_infer.models import open_bundle
from perception_infer.trust import Trust
from perception_train.cli import main
from perception_train.training.config import TrainParams
from perception_train.training.loop import Trainer

Told = tuple[int, str]


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Told]]:
    """Exit status and everything that a command wrote."""

    def call(*words: object) -> Told:
        capfd.readouterr()
        status = main([str(word) for word in words])
        return status, "".join(capfd.readouterr())

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield call
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def key(tmp_path: Path, said: Callable[..., Told]) -> Path:
    """A private key; its public half lies beside it, in a folder that can be trusted."""
    assert said("keygen", "--output", tmp_path / "keys" / "trainer")[0] == 0
    return tmp_path / "keys" / "trainer.key"


def signers(models: Path, key: Path) -> list[str]:
    """Who signed each version, as a robot with this key sees it."""
    trust = Trust.folder(str(key.parent), required=False)
    return [open_bundle(directory, trust).signer for directory in sorted((models / "rectangles").glob("[0-9]"))]


def test_the_private_key_is_its_owner_s_alone_and_never_replaced(key: Path, said: Callable[..., Told]) -> None:
    assert key.stat().st_mode & 0o777 == 0o600
    before = key.read_bytes()
    status, told = said("keygen", "--output", key.with_suffix(""))
    assert status == 2 and "there is a key already" in told and told.count("\n") == 1
    key.unlink()
    # Also not when only its public half is left: robots trust it.
    assert said("keygen", "--output", key.with_suffix(""))[0] == 2
    assert not key.exists() and before


def test_versions_are_signed_once(tmp_path: Path, key: Path, said: Callable[..., Told]) -> None:
    models = tmp_path / "models"
    for _ in range(3):
        write_detector(models)
    of_model = ("--model-root", models, "--model", "rectangles", "--key", key)
    assert said("sign", *of_model)[0] == 0
    assert signers(models, key) == ["", "", "trainer"]
    status, told = said("sign", *of_model)
    assert status == 2 and "v3 is signed already" in told and "--again" in told
    assert said("sign", *of_model, "--all-versions")[0] == 0
    assert signers(models, key) == ["trainer"] * 3
    status, told = said("sign", *of_model, "--all-versions")
    assert status == 0 and "signed already" in told
    assert said("keygen", "--output", key.parent / "second")[0] == 0
    second = ("--key", key.parent / "second.key")
    assert said("sign", *of_model[:-2], *second, "--version", 1, "--again")[0] == 0
    assert signers(models, key) == ["second", "trainer", "trainer"]


def test_damaged_bundles_are_not_signed(tmp_path: Path, key: Path, said: Callable[..., Told]) -> None:
    directory = write_detector(tmp_path / "models")
    (directory / "model.onnx").write_bytes(b"damaged")
    status, told = said("sign", "--model-root", tmp_path / "models", "--model", "rectangles", "--key", key)
    assert status == 2 and "7 bytes instead of" in told and told.count("\n") == 1
    assert not (directory / "manifest.sig").exists()


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("sign",), "no key is given"),
        (("sign", "--key", "/nonexistent.key"), "cannot read the private key"),
        (("sign", "--key", "/dev/zero"), "not a private key"),
        (("sign", "--key", "K", "--version", 1, "--all-versions"), "both version and all_versions"),
        (("keygen",), "no name for the key"),
        (("keygen", "--output", "/proc/nothing/key"), "cannot write"),
        # Hours before there would be something to sign.
        (("run", "--signing-key", "/nonexistent.key", "--dataset", "/d", "--validation", "/v"), "the private key"),
        (("export", "--signing-key", "/nonexistent.key"), "the private key"),
        (("adapt", "--signing-key", "/nonexistent.key", "--images", "/d"), "the private key"),
    ],
)
def test_mistakes_are_told_in_one_line(said: Callable[..., Told], words: tuple[object, ...], text: str) -> None:
    status, told = said(*words)
    assert status == 2 and text in told and told.count("\n") == 1, told


def test_a_key_that_others_can_read_signs_nothing(tmp_path: Path, key: Path, said: Callable[..., Told]) -> None:
    key.chmod(0o644)
    status, told = said("sign", "--model-root", tmp_path, "--key", key)
    assert status == 2 and "open to other users" in told and "chmod 600" in told


@pytest.mark.slow
def test_what_a_run_exports_is_signed(shapes: Path, tmp_path: Path, key: Path) -> None:
    told = small_run(shapes, tmp_path, signing_key=str(key), report=False, tensorboard=False)
    summary = Trainer(TrainParams(**told), lambda event: None).fit()
    trust = Trust.folder(str(key.parent), required=True)
    assert summary["versions"] == [1]
    assert open_bundle(tmp_path / "models" / "shapes" / "1", trust).signer == "trainer"


def test_an_unusable_key_stops_a_run_before_it_starts(shapes: Path, tmp_path: Path) -> None:
    told = small_run(shapes, tmp_path, signing_key=str(tmp_path / "none.key"))
    with pytest.raises(UserError, match="cannot read the private key"):
        TrainParams(**told).require_usable()

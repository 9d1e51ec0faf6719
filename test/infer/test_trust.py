"""Signed bundles: what a robot takes, and what it does not, byte by byte."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from bundles import write_detector
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from servers import Bench, ask, at_rest, version

from perception_common.errors import UserError
from perception_infer.commands.verify import VerifyParams, verify
from perception_infer.models import ModelRepository, open_bundle
from perception_infer.trust import Trust
from perception_train.signing.command import sign_bundle
from perception_train.signing.signer import Signer, generate


def key_pair(folder: Path, name: str = "trainer") -> Signer:
    """A new key whose public half lies in ``folder``, the private one beside it."""
    _, private, public = generate(str(folder.parent / "private" / name))
    folder.mkdir(exist_ok=True)
    shutil.move(public, folder / public.name)
    return Signer.load(str(private))


@pytest.fixture
def signed(tmp_path: Path) -> Path:
    """A bundle signed with the key in ``tmp_path/trust``."""
    directory = write_detector(tmp_path / "models")
    sign_bundle(open_bundle(directory), key_pair(tmp_path / "trust"))
    return directory


def trusted(tmp_path: Path) -> Trust:
    return Trust.folder(str(tmp_path / "trust"), required=True)


def test_a_signed_bundle_is_taken_and_says_by_whom(signed: Path, tmp_path: Path) -> None:
    assert open_bundle(signed, trusted(tmp_path)).signer == "trainer"
    assert ModelRepository(tmp_path / "models", trusted(tmp_path)).open("rectangles").signer == "trainer"
    # Whoever trusts nobody in particular still opens it.
    assert open_bundle(signed).signer == ""


def test_the_signature_is_plain_ed25519_over_the_raw_manifest(signed: Path, tmp_path: Path) -> None:
    """So that other tools can check it: nothing is added to what is signed."""
    import base64

    _, _, told = (signed / "manifest.sig").read_text().split()
    key = load_pem_public_key((tmp_path / "trust" / "trainer.pub").read_bytes())
    key.verify(base64.b64decode(told), (signed / "manifest.json").read_bytes())  # type: ignore[union-attr,call-arg]


def test_every_changed_byte_of_the_manifest_is_refused_before_it_is_parsed(
    signed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def parsed(*_: object) -> None:
        raise AssertionError("an unverified manifest was parsed")

    raw, signature = (signed / "manifest.json").read_bytes(), (signed / "manifest.sig").read_bytes()
    trust = trusted(tmp_path)
    assert trust.check(raw, signature, signed) == "trainer"
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        with pytest.raises(UserError, match="the signature is wrong"):
            trust.check(bytes(changed), signature, signed)
    (signed / "manifest.json").write_bytes(raw[:-1] + b" ")
    monkeypatch.setattr("perception_infer.models.decode", parsed)
    with pytest.raises(UserError, match="signature is wrong"):
        open_bundle(signed, trust)


def test_every_changed_byte_of_the_signature_is_refused(signed: Path, tmp_path: Path) -> None:
    raw, signature = (signed / "manifest.json").read_bytes(), (signed / "manifest.sig").read_bytes()
    trust, said = trusted(tmp_path), set()
    for at in range(len(signature)):
        changed = bytearray(signature)
        changed[at] ^= 1
        with pytest.raises(UserError) as caught:
            trust.check(raw, bytes(changed), signed)
        said.add(str(caught.value).split(" [")[0].split(" key ")[0])
    assert said == {
        "manifest.sig is no signature",
        "the bundle is signed by the",
        "the signature is wrong: the manifest is not what 'trainer' signed",
    }


@pytest.mark.parametrize("file", ["model.onnx", "weights.safetensors", "parity.safetensors"])
def test_files_are_signed_through_the_manifest(signed: Path, tmp_path: Path, file: str) -> None:
    data = bytearray((signed / file).read_bytes())
    data[len(data) // 2] ^= 1
    (signed / file).write_bytes(data)
    with pytest.raises(UserError, match="SHA-256"):
        open_bundle(signed, trusted(tmp_path))


def test_unsigned_is_refused_where_signatures_are_required(tmp_path: Path) -> None:
    directory = write_detector(tmp_path / "models")
    key_pair(tmp_path / "trust")
    with pytest.raises(UserError, match=r"is not signed .*perception-train sign.*require_signature"):
        open_bundle(directory, trusted(tmp_path))
    assert open_bundle(directory, Trust.folder(str(tmp_path / "trust"), required=False)).signer == ""


def test_another_key_is_refused_and_counts_as_none_where_none_is_required(signed: Path, tmp_path: Path) -> None:
    key_pair(tmp_path / "others", "stranger")
    strict, lenient = (Trust.folder(str(tmp_path / "others"), required) for required in (True, False))
    with pytest.raises(UserError, match=r"signed by the key [0-9a-f]{16}, which is not trusted here"):
        open_bundle(signed, strict)
    assert open_bundle(signed, lenient).signer == ""


def test_a_signature_of_another_bundle_is_refused(signed: Path, tmp_path: Path) -> None:
    other = write_detector(tmp_path / "models")
    shutil.copy(signed / "manifest.sig", other / "manifest.sig")
    with pytest.raises(UserError, match="signature is wrong"):
        open_bundle(other, trusted(tmp_path))
    # A wrong signature of a known key is a forgery also where none is required.
    with pytest.raises(UserError, match="signature is wrong"):
        open_bundle(other, Trust.folder(str(tmp_path / "trust"), required=False))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_bytes(b""), "is no signature"),
        (lambda path: path.write_bytes(b"x" * 100_000), "is no signature"),
        (lambda path: path.symlink_to("/dev/zero"), "links and special files"),
        (lambda path: path.mkdir(), "links and special files"),
        (os.mkfifo, "links and special files"),
    ],
)
def test_what_is_no_signature_file(signed: Path, tmp_path: Path, make: object, said: str) -> None:
    (signed / "manifest.sig").unlink()
    make(signed / "manifest.sig")  # type: ignore[operator]
    with pytest.raises(UserError, match=said):
        open_bundle(signed, trusted(tmp_path))


def test_keys_that_are_none_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "trust"
    with pytest.raises(UserError, match=r"no trusted keys are given .*keygen"):
        Trust.folder("", required=True)
    assert Trust.folder("", required=False) == Trust()
    with pytest.raises(UserError, match="cannot read the trusted keys"):
        Trust.folder(str(folder), required=False)
    folder.mkdir()
    with pytest.raises(UserError, match="there is no trusted key"):
        Trust.folder(str(folder), required=True)
    (folder / "broken.pub").write_bytes(b"-----BEGIN PUBLIC KEY-----\nnonsense\n-----END PUBLIC KEY-----\n")
    with pytest.raises(UserError, match=r"not a public key in PEM \[.*broken.pub"):
        Trust.folder(str(folder), required=True)
    public = generate_private_key(SECP256R1()).public_key()
    (folder / "broken.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    with pytest.raises(UserError, match="not an ed25519 key"):
        Trust.folder(str(folder), required=True)
    (folder / "broken.pub").unlink()
    (folder / "endless.pub").symlink_to("/dev/zero")
    with pytest.raises(UserError, match="not a public key"):
        Trust.folder(str(folder), required=True)


def test_several_keys_are_told_apart(tmp_path: Path) -> None:
    signers = [key_pair(tmp_path / "trust", name) for name in ("first", "second")]
    for signer, name in zip(signers, ("first", "second"), strict=True):
        directory = write_detector(tmp_path / "models")
        sign_bundle(open_bundle(directory), signer)
        assert open_bundle(directory, trusted(tmp_path)).signer == name


def test_a_server_takes_signed_models_only(bench: Bench) -> None:
    folder = bench.root.parent
    signer = key_pair(folder / "trust")
    bench.write(2)
    sign_bundle(open_bundle(bench.root / "rectangles" / "1"), signer)
    server = bench.server(trust=trusted(folder))
    assert server.load_first()
    assert version(server) == 1
    assert "not signed" in bench.told[0]
    assert server.status().signer == "trainer"
    server.announce(bench.announcement(2))
    at_rest(server, refused=2)
    assert "not signed" in server.status().last_error
    ask(server)
    with pytest.raises(UserError, match="not signed"):
        server.choose(2)
    assert version(server) == 1


def test_an_encrypted_or_open_private_key_is_not_used(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, PrivateFormat

    path, key = tmp_path / "mine.key", Ed25519PrivateKey.generate()
    path.touch(0o600)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")))
    with pytest.raises(UserError, match="is encrypted"):
        Signer.load(str(path))
    path.chmod(0o640)
    with pytest.raises(UserError, match=r"open to other users .*chmod 600"):
        Signer.load(str(path))


def test_verify_judges_as_the_robot_would(signed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = VerifyParams(path=str(signed), trust=str(tmp_path / "trust"), require_signature=True, parity=False)
    assert verify(told)["bundles"][0]["signed_by"] == "trainer"
    assert "trainer" in capsys.readouterr().out
    (signed / "manifest.sig").unlink()
    with pytest.raises(UserError, match="1 of 1 bundles would be refused"):
        verify(told)
    assert "not signed" in capsys.readouterr().out

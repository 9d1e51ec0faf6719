"""Hostile bundles and announcements: nothing of them is accepted, executed or read."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest
from bundles import write_detector
from hostility import HOSTILE, accepted, relist, rogue_locations, served
from matrix import Fault, zero
from servers import Bench, at_rest
from waiting import until

from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.models import open_bundle, resolve_location
from perception_infer.serving import Announcement
from perception_infer.trust import ANYONE, Trust
from perception_train.signing.command import sign_bundle
from perception_train.signing.signer import Signer, generate

NONE_ACCEPTED = "0 accepted, one clear line each"


class Bomb:
    """What a pickle runs when it is read."""

    def __init__(self, proof: Path) -> None:
        self._proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self._proof),)


@pytest.mark.fault(
    HOSTILE,
    "a pickle where safetensors is expected",
    "weights and references replaced by a pickle that makes a directory, the manifest relisted",
    "0 pickles run, the bundle is refused",
)
def test_pickles_are_not_read(fault: Fault, tmp_path: Path) -> None:
    bundle, proof = write_detector(tmp_path / "models"), tmp_path / "proof"
    bomb = pickle.dumps(Bomb(proof))
    for name in ("weights.safetensors", "parity.safetensors"):
        (bundle / name).write_bytes(bomb)
    relist(bundle)
    assert accepted(served(bundle)) == 0
    fault.observe("pickles run", int(proof.exists()), zero)
    pickle.loads(bomb)  # the weakness
    fault.plant("read with pickle.loads", int(proof.exists()))


@pytest.mark.fault(
    HOSTILE,
    "names that lead elsewhere",
    "the manifest lists ../, absolute, hidden, empty, over-long and odd Unicode names; links and FIFOs in their places",
    NONE_ACCEPTED,
)
def test_names_lead_nowhere(fault: Fault, tmp_path: Path) -> None:
    (tmp_path / "secret.onnx").write_bytes(b"secret")
    bad = ["../../../secret.onnx", "/etc/passwd", ".hidden", "", "a" * 200, "mod\u202eel.onnx", "a/b", "a\\b", "a\0b"]
    attempts = []
    for number, name in enumerate(bad):
        bundle = write_detector(tmp_path / str(number))
        told = json.loads((bundle / MANIFEST_NAME).read_text())
        told["files"][name] = told["files"].pop("model.onnx")
        told["variants"]["fp32"]["file"] = name
        (bundle / MANIFEST_NAME).write_text(json.dumps(told))
        attempts.append(served(bundle))

    def replaced(folder: str, make: Callable[[Path], object]) -> Callable[[], None]:
        bundle = write_detector(tmp_path / folder)
        model = bundle / "model.onnx"
        shutil.move(model, tmp_path / "secret.onnx")
        make(model)
        return served(bundle)

    attempts += [
        replaced("link", lambda path: path.symlink_to(tmp_path / "secret.onnx")),
        replaced("fifo", os.mkfifo),
        replaced("folder", Path.mkdir),
    ]
    fault.observe(f"accepted of {len(attempts)}", accepted(*attempts), zero)
    fault.plant("no hostile name", accepted(served(write_detector(tmp_path / "good"))))


@pytest.mark.fault(
    HOSTILE,
    "external data in a graph",
    "an initializer that is read from ../../../secret, the manifest relisted",
    "refused before the backend reads the file",
)
def test_external_data_is_not_followed(fault: Fault, tmp_path: Path) -> None:
    bundle = write_detector(tmp_path / "models")
    plain = accepted(served(bundle))
    graph = onnx.load(str(bundle / "model.onnx"))
    tensor = graph.graph.initializer.add(name="secret", data_type=onnx.TensorProto.FLOAT, dims=[1])
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../secret")
    (tmp_path / "secret").write_bytes(struct.pack("<f", 1.0))
    (bundle / "model.onnx").write_bytes(graph.SerializeToString())
    relist(bundle)
    fault.observe("accepted", accepted(served(bundle)), zero)
    fault.plant("the same graph without external data", plain)


@pytest.mark.fault(
    HOSTILE,
    "oversized and deep headers",
    "a manifest of 2 MiB, one of 100,000 brackets, a safetensors header that says 2^62 bytes",
    NONE_ACCEPTED,
)
def test_oversized_headers(fault: Fault, tmp_path: Path) -> None:
    bundles = [write_detector(tmp_path / str(number)) for number in range(4)]
    path = bundles[0] / MANIFEST_NAME
    path.write_bytes(path.read_bytes() + b" " * (2 << 20))
    (bundles[1] / MANIFEST_NAME).write_bytes(b"[" * 100_000)
    (bundles[2] / "parity.safetensors").write_bytes(struct.pack("<Q", 1 << 62) + b"{}")
    relist(bundles[2])
    fault.observe("accepted of 3", accepted(*map(served, bundles[:3])), zero)
    fault.plant("an ordinary bundle", accepted(served(bundles[3])))


@pytest.mark.fault(
    HOSTILE,
    "a tampered byte",
    "each byte of the manifest, and 200 of every other file, changed in turn in a signed bundle",
    NONE_ACCEPTED,
)
def test_tampered_bytes(fault: Fault, tmp_path: Path) -> None:
    bundle = write_detector(tmp_path / "models")
    _, private, _ = generate(str(tmp_path / "trust" / "trainer"))
    sign_bundle(open_bundle(bundle), Signer.load(str(private)))
    trust, count, tried = Trust.folder(str(tmp_path / "trust"), required=True), 0, 0
    for name in sorted(path.name for path in bundle.iterdir()):
        path, raw = bundle / name, (bundle / name).read_bytes()
        step = 1 if name == MANIFEST_NAME else max(1, len(raw) // 200)
        for at in range(0, len(raw), step):
            path.write_bytes(raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :])
            count += accepted(lambda: open_bundle(bundle, trust))
            tried += 1
        path.write_bytes(raw)
    fault.observe(f"accepted of {tried}", count, zero)
    # A changed letter in a text that no rule looks at.
    raw = (bundle / MANIFEST_NAME).read_bytes()
    (bundle / MANIFEST_NAME).write_bytes(raw.replace(b'"created": "2', b'"created": "3'))
    fault.plant("signatures not looked at", accepted(lambda: open_bundle(bundle, ANYONE)))


@pytest.mark.fault(
    HOSTILE,
    "a wrong key, and no signature",
    "bundles signed by a key that is not trusted, signed for another version, and not signed",
    NONE_ACCEPTED,
)
def test_wrong_keys(fault: Fault, tmp_path: Path) -> None:
    bundles = [write_detector(tmp_path / "models") for _ in range(3)]
    own = Signer.load(str(generate(str(tmp_path / "trust" / "own"))[1]))
    strange = Signer.load(str(generate(str(tmp_path / "elsewhere" / "own"))[1]))
    sign_bundle(open_bundle(bundles[0]), own)
    sign_bundle(open_bundle(bundles[1]), strange)
    trust = Trust.folder(str(tmp_path / "trust"), required=True)
    attempts = [served(bundles[1], trust), served(bundles[2], trust)]
    count = accepted(*attempts)
    shutil.copy(bundles[0] / "manifest.sig", bundles[2] / "manifest.sig")
    fault.observe("accepted of 3", count + accepted(served(bundles[2], trust)), zero)
    fault.plant("the trusted key", accepted(served(bundles[0], trust)))


@pytest.mark.fault(
    HOSTILE,
    "an old version is brought back",
    "a signed version that was never accepted here takes the place of the newest, before a restart",
    "refused after the restart too",
)
def test_replayed_versions(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    bench.write(3)
    held = shutil.move(bench.root / "rectangles" / "2", tmp_path / "held")
    first = bench.server(tmp_path / "history.sqlite")
    first.load_first()
    first.close()
    shutil.rmtree(bench.root / "rectangles" / "3")
    shutil.move(held, bench.root / "rectangles" / "2")
    shutil.rmtree(bench.root / "rectangles" / "1")
    second = bench.server(tmp_path / "history.sqlite")
    fault.observe("accepted", int(second.load_first()), zero)
    fault.plant("a memory that ends with the process", int(bench.server().load_first()))


@pytest.mark.fault(
    HOSTILE,
    "a rogue publisher on checkpoint",
    "file:///etc/passwd, other schemes and hosts, queries, %2e%2e, NUL, over-long and http locations; a name with HTML",
    "0 locations outside of model_root resolved, the model serves on",
)
def test_rogue_locations(fault: Fault, bench: Bench, tmp_path: Path) -> None:
    bench.write(2)
    server = bench.server()
    server.load_first(1)
    outside = write_detector(tmp_path / "outside")
    (bench.root / "linked").symlink_to(outside.parent)
    good = (bench.root / "rectangles" / "2" / MANIFEST_NAME).as_uri()
    rogue = rogue_locations(good, bench.root, outside)
    count = accepted(*(lambda uri=uri: resolve_location(uri, bench.root) for uri in rogue))
    for uri in rogue:
        server.announce(Announcement("rectangles", uri, 2))
        until(lambda: not server.status().loading)
    server.announce(Announcement("<script>alert(1)</script>", good, 2))
    assert server.status().version == 1 and server.status().loads == 1
    fault.observe(f"accepted of {len(rogue)}", count, zero)
    fault.plant("a location in model_root", accepted(lambda: resolve_location(good, bench.root)))


@pytest.mark.fault(
    HOSTILE,
    "a model whose answers are not its trainer's",
    "the graph replaced by one that finds the same with other scores, the manifest relisted, not signed",
    "refused by parity, 0 of its answers published",
)
def test_a_changed_graph(fault: Fault, bench: Bench) -> None:
    bench.write()
    bench.write(answers_score=0.4)
    bench.write()
    server = bench.server()
    server.load_first(1)
    server.announce(bench.announcement(2))
    at_rest(server, refused=1)
    assert "differ" in server.status().last_error or "parity" in server.status().last_error, server.status().last_error
    fault.observe("loaded", server.status().loads - 1, zero)
    server.announce(bench.announcement(3))
    at_rest(server, loads=2)
    fault.plant("a graph that answers as its trainer's", server.status().loads - 1)

"""Broken bytes for everything that reads what others have written.

    python test/faults/fuzzing.py --minutes 10 --json FILE

gives each target so many minutes of one core. Where the package atheris is installed (coverage-guided, libFuzzer), it
chooses the bytes; otherwise seeds are damaged at random. A target fails with every exception but the one with which its
reader answers a mistake, and with every death; the bytes that did it are kept. Each becomes a test.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import random
import re
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE.parent / "train"))
sys.path.insert(0, str(HERE.parent / "train" / "readers"))
sys.path.insert(0, str(HERE.parents[1]))
_OURS = ["perception_common", "perception_infer", "perception_train", "rosbags"]


def _watched() -> contextlib.AbstractContextManager[None]:
    """What is imported meanwhile tells atheris which of its branches are taken; where that is there, and wanted."""
    if "--one" in sys.argv:
        with contextlib.suppress(ImportError):
            import atheris

            watched: contextlib.AbstractContextManager[None] = atheris.instrument_imports(include=_OURS)
            return watched
    return contextlib.nullcontext()


with _watched():
    from perception_common.errors import UserError
    from perception_common.images import ImageError, Raw, metres_from_raw, rgb_from_compressed, rgb_from_raw
    from perception_common.params import build
    from perception_common.yaml_files import load_yaml
    from perception_infer.contract.manifest import decode
    from perception_infer.models import resolve_location

ENCODINGS = (
    *("rgb8", "bgr8", "rgba8", "mono8", "mono16", "yuv422", "nv12", "nv21", "bayer_rggb8", "bayer_gbrg16", "32FC1"),
    *("16UC1", "8UC3", "spectral"),
)
_TOKENS = (
    *(b"\0", b"\xff" * 4, b"-1", b"1e400", b"NaN", b'"', b"{", b"[" * 50, b"]", b",", b"../", b"\xed\xa0\x80", b"%2e"),
    b"9" * 40,
)
_LARGEST = 1 << 16
_NOISE = re.compile(r"^#|JPEG|libpng")


@dataclass(frozen=True)
class Target:
    """A reader: inputs that it takes, and a call that may raise nothing for any bytes."""

    seeds: Callable[[Path], list[bytes]]
    run: Callable[[bytes, Path], None]


def manifests(data: bytes, _: Path) -> None:
    """What a manifest may hold; what is accepted has only names that lead nowhere."""
    with contextlib.suppress(UserError):
        manifest = decode(data)
        assert all("/" not in name and not name.startswith(".") for name in manifest.files)
        json.dumps(manifest.name)


def manifest_seeds(folder: Path) -> list[bytes]:
    from bundles import write_detector

    return [(write_detector(folder / "models") / "manifest.json").read_bytes()]


def raw_images(data: bytes, _: Path) -> None:
    """``sensor_msgs/Image``: sizes, encoding and step from the first bytes, the rest are pixels."""
    if len(data) < 15:
        return
    height, width, step, encoding, big = struct.unpack_from("<IIIBB", data)
    raw = Raw(height, width, ENCODINGS[encoding % len(ENCODINGS)], step, data[14:], bool(big & 1))
    for read in (rgb_from_raw, metres_from_raw):
        with contextlib.suppress(ImageError):
            found = read(raw)
            assert found.shape[:2] == (height, width)


def raw_seeds(_: Path) -> list[bytes]:
    return [struct.pack("<IIIBB", 4, 4, 4 * 8, kind, big) + bytes(range(256)) for kind in range(14) for big in (0, 1)]


def compressed_images(data: bytes, _: Path) -> None:
    """``sensor_msgs/CompressedImage``."""
    with contextlib.suppress(ImageError):
        found = rgb_from_compressed(data, "jpeg")
        assert found.ndim == 3 and found.dtype == np.uint8


def compressed_seeds(_: Path) -> list[bytes]:
    picture = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)
    return [cv2.imencode(kind, picture)[1].tobytes() for kind in (".jpg", ".png", ".webp", ".bmp")]


def locations(data: bytes, folder: Path) -> None:
    """Announced locations: whatever is accepted lies in the repository."""
    with contextlib.suppress(UserError):
        text = data.decode("utf-8", "surrogateescape")
        assert resolve_location(text, folder).is_relative_to(folder.resolve())


def location_seeds(folder: Path) -> list[bytes]:
    return [f"file://{folder}/name/1/manifest.json".encode(), b"http://host/name/1/manifest.json"]


def recordings(data: bytes, folder: Path) -> None:
    """A recording: the first byte says which storage it is."""
    from perception_infer.recordings.bag import Recording
    from perception_infer.recordings.decoding import DecodeError
    from perception_infer.recordings.frames import pixels_of
    from perception_infer.recordings.types import IMAGES

    path = folder / ("bag.mcap" if not data or data[0] % 2 else "bag.db3")
    path.write_bytes(data[1:])
    with contextlib.suppress(UserError), Recording(path) as recording:
        for message in recording.messages(list(recording.topics)):
            with contextlib.suppress(DecodeError, ImageError):
                decoded = message.decode()
                if message.type in IMAGES:
                    pixels_of(decoded)


def recording_seeds(folder: Path) -> list[bytes]:
    from recorded import Film, write_bag

    film, seeds = Film([np.full((8, 12, 3), 90, np.uint8)] * 2), []
    for mcap in (False, True):
        bag = write_bag(folder / f"seed{mcap}", film, raw=mcap, packed=True, mcap=mcap)
        files = sorted(path for path in bag.iterdir() if path.suffix in (".db3", ".mcap"))
        seeds += [bytes([mcap]) + path.read_bytes() for path in files]
    return seeds


def configurations(data: bytes, folder: Path) -> None:
    """YAML of parameters, for a node and for a command."""
    from perception_infer.replay.params import ReplayParams
    from perception_train.training.config import TrainParams

    path = folder / "config.yaml"
    path.write_bytes(data)
    for params in (TrainParams, ReplayParams):
        with contextlib.suppress(UserError):
            build(params, load_yaml(path), path)


def configuration_seeds(_: Path) -> list[bytes]:
    texts = sorted((HERE.parents[1] / "config").glob("perception-train-run.yaml"))
    return [
        *(path.read_bytes() for path in texts),
        yaml.safe_dump({"steps": 3, "dataset": ["a"], "model": "x"}).encode(),
    ]


def datasets(data: bytes, folder: Path) -> None:
    """A dataset of each format in turn, damaged as the bytes say, through the whole import."""
    from foreign import WRITERS
    from test_readers_fuzz import survive

    names = sorted(WRITERS)
    number = int.from_bytes(data[:8].ljust(8, b"\0"), "little")
    name = names[number % len(names)]
    fresh, work = folder / f"fresh-{name}", folder / "work"
    if not fresh.exists():
        WRITERS[name](fresh)
    work.mkdir(exist_ok=True)
    survive(name, fresh, work, number)


TARGETS: dict[str, Target] = {
    "manifest": Target(manifest_seeds, manifests),
    "image": Target(raw_seeds, raw_images),
    "compressed image": Target(compressed_seeds, compressed_images),
    "location": Target(location_seeds, locations),
    "recording": Target(recording_seeds, recordings),
    "configuration": Target(configuration_seeds, configurations),
    "dataset": Target(lambda _: [bytes(8)], datasets),
}


def damaged(data: bytes, rng: random.Random) -> bytes:
    """Some bytes flipped, cut, doubled, moved, or replaced by what readers stumble over."""
    made = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        at, length = rng.randrange(len(made) + 1), rng.randint(1, 64)
        kind = rng.randrange(6)
        if kind == 0 and made:
            made[at % len(made)] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at : at + length]
        elif kind == 2:
            made[at:at] = made[max(0, at - length) : at]
        elif kind == 3:
            made[at : at + rng.randint(0, 4)] = rng.choice(_TOKENS)
        elif kind == 4:
            made[at : at + 8] = rng.randbytes(8)
        elif rng.random() < 0.2:
            del made[at:]
    return bytes(made)


def shake(name: str, count: int, seed: int, folder: Path) -> None:
    """Give a target so many damaged seeds.

    Raises:
        AssertionError: with the bytes (in hexadecimal) that broke it.
    """
    target, rng = TARGETS[name], random.Random(seed)
    seeds = target.seeds(folder)
    for number in range(count):
        data = damaged(rng.choice(seeds), rng) if number >= len(seeds) else seeds[number]
        _told(target, data, folder)


def _told(target: Target, data: bytes, folder: Path) -> None:
    try:
        # Libraries print; nobody wants to read it.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            target.run(data, folder)
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error} for {data[:2000].hex()}") from error


def _one(name: str, seconds: float, output: Path) -> None:
    """Fuzz a target in this process until its time is over; figures go to ``output`` as they grow."""
    target, folder = TARGETS[name], Path(tempfile.mkdtemp())
    seeds, began, runs = target.seeds(folder), time.process_time(), 0
    told: dict[str, Any] = {"target": name, "engine": "atheris", "runs": 0, "cpu_s": 0.0}

    def note() -> None:
        told.update(runs=runs, cpu_s=round(time.process_time() - began, 1))
        output.write_text(json.dumps(told))

    def call(data: bytes) -> None:
        nonlocal runs
        runs += 1
        if runs % 200 == 0:
            note()
        if time.process_time() - began > seconds:
            note()
            # libFuzzer can end by the clock only.
            os._exit(0)
        target.run(data[:_LARGEST], folder)

    # What a reader imports late, too.
    with _watched():
        for seed in seeds:
            target.run(seed, folder)
    try:
        import atheris
    except ImportError:
        told["engine"] = "random damage"
        rng = random.Random(0)
        while True:
            call(damaged(rng.choice(seeds), rng))
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / str(number)).write_bytes(seed)
    kept = output.parent / f"{name.replace(' ', '-')}-"
    limits = [f"-max_len={_LARGEST}", "-rss_limit_mb=4096", "-timeout=20", f"-artifact_prefix={kept}"]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], call)
    atheris.Fuzz()


def main() -> int:
    """Fuzz targets one after the other, each in a process of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="of one core, for each target")
    parser.add_argument("--targets", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help=argparse.SUPPRESS)
    wish = parser.parse_args()
    if wish.one:
        _one(wish.one, wish.minutes * 60, wish.output)
        return 0
    folder, rows = Path(tempfile.mkdtemp(prefix="fuzzing-")), []
    for name in wish.targets:
        output = folder / f"{name.replace(' ', '-')}.json"
        words = ["--one", name, "--minutes", str(wish.minutes), "--output", str(output)]
        done = subprocess.run([sys.executable, __file__, *words], capture_output=True, text=True)
        row = json.loads(output.read_text()) if output.exists() else {"target": name, "runs": 0, "cpu_s": 0.0}
        crashed = (
            "Uncaught Python exception" in done.stdout + done.stderr
            or done.returncode not in (0, 1)
            or "ERROR: libFuzzer" in done.stderr
        )
        rows.append(row | {"crashes": int(crashed)})
        print(json.dumps(rows[-1]), flush=True)
        if crashed:
            # libFuzzer's own lines begin with a number, and a decoder of pictures complains of each of them.
            said = [line for line in (done.stdout + done.stderr).splitlines() if not _NOISE.search(line)]
            told = f"{name} ended with {done.returncode}; the bytes are in {folder}"
            print("\n".join([*said[-40:], told]), file=sys.stderr)
    if wish.json:
        wish.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    return int(any(row["crashes"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())

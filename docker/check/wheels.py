"""Whether every pinned version has a wheel for the machine, with one of the pinned hashes; asks the package index."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

_PATIENCE_S = 900
_ELF = {"aarch64": 183, "x86_64": 62}


class Machine(NamedTuple):
    """Python, processor, and the C library of the Ubuntu that an image has."""

    python: str
    processor: str
    glibc: str

    @property
    def platform(self) -> str:
        """In uv's words."""
        return f"{self.processor}-manylinux_{self.glibc}"


MACHINES = {
    "jetpack6": Machine("3.10", "aarch64", "2_35"),
    "jetpack7": Machine("3.12", "aarch64", "2_39"),
    "workstation": Machine("3.12", "x86_64", "2_39"),
}


class Unknown(Exception):
    """Why it could not be looked up, in one line."""


def install(uv: str, pins: Path, machine: Machine, target: Path, unpack: bool) -> str:
    """Ask for every wheel, and unpack them into ``target`` where ``unpack``; what is wrong, or nothing.

    Dependencies are resolved anew, so that a pin that is missing shows as well.

    Raises:
        Unknown: the index cannot be reached.
    """
    command = [uv, "pip", "install", "--quiet", "--no-progress", "--target", str(target), "--require-hashes"]
    command += ["--only-binary", ":all:", "--python-version", machine.python, "--python-platform", machine.platform]
    command += [*([] if unpack else ["--dry-run"]), "--requirement", str(pins)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
    if done.returncode == 0:
        return ""
    told = " ".join(done.stderr.split())
    if any(word in told for word in ("error sending request", "Failed to fetch", "dns error", "offline", "Network")):
        raise Unknown(told[:300])
    return f"{pins.name}: {told[:600]}"


def foreign(folder: Path, machine: Machine) -> list[str]:
    """Libraries in a folder that are for another processor."""
    wrong = []
    for path in folder.rglob("*.so*"):
        head = path.open("rb").read(20)
        if head[:4] == b"\x7fELF" and struct.unpack_from("<H", head, 18)[0] != _ELF[machine.processor]:
            wrong.append(f"{path.relative_to(folder)} is not for {machine.processor}")
    return wrong

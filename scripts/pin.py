#!/usr/bin/env python3
"""Write the exact versions that `make setup` installs: requirements/*.pins.txt (`make pins`).

Versions already pinned stay as they are unless `--upgrade` is given. The files hold names, versions, markers and the
hashes of the files that may be installed, and nothing about where packages come from.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("robot", "openvino", "sim", "train", "cluster", "objects", "dev")
# Without what is for developers of the suite only.
WORKSTATION = ("robot", "sim", "train", "cluster", "objects")
# What holds wherever these files are used, so that it need not be repeated in every line.
ALWAYS = ("sys_platform == 'linux'", "platform_python_implementation == 'CPython'", "python_full_version < '3.15'")
# The same in other words, as some packages say it.
IMPLIED = ("implementation_name != 'PyPy'",)
MACHINES = ("platform_machine == 'x86_64'", "platform_machine == 'aarch64'")
X86, ARM = MACHINES
# Python of Ubuntu 22.04 (JetPack 6) and 24.04 (JetPack 7).
JAMMY = ("python_full_version >= '3.10'", "python_full_version < '3.11'")
NOBLE = ("python_full_version >= '3.12'", "python_full_version < '3.13'")


class Set(NamedTuple):
    """Where one requirements file is to hold, and which of setup.py's extras it brings."""

    environment: tuple[str, ...]
    extras: tuple[str, ...] = EXTRAS
    constraint: str = ""


SETS = {
    # ROS 2 is on PyPI for this machine type only.
    "ros": Set((*ALWAYS, X86)),
    "sourced": Set(ALWAYS),
    "sourced-numpy1": Set(ALWAYS, constraint="numpy<2"),
    "uv": Set(ALWAYS, ()),
    # What docker/ installs, beside ROS 2 from apt.
    "jetpack6": Set((*ALWAYS[:2], *JAMMY, ARM), ("robot",)),
    "jetpack7": Set((*ALWAYS[:2], *NOBLE, ARM), ("robot",)),
    "workstation": Set((*ALWAYS[:2], *NOBLE, X86), WORKSTATION),
}


def pin(requirements: str, upgrade: bool) -> None:
    """Resolve one requirements file, with setup.py's extras or alone, for every Python of its set at once."""
    environment, extras, constraint_text = SETS[requirements]
    target = ROOT / "requirements" / f"{requirements}.pins.txt"
    with tempfile.TemporaryDirectory() as folder:
        names = ("pyproject.toml", "constraint.txt", "pins.txt", "pylock.toml")
        config, constraint, output, lock = (Path(folder) / name for name in names)
        config.write_text(uv_config(" and ".join(environment)), encoding="utf-8")
        constraint.write_text(constraint_text + "\n", encoding="utf-8")
        if target.exists():
            shutil.copyfile(target, output)
        command = ["uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", oldest(environment), "--no-header", "--no-annotate", "--no-emit-index-url"]
        sources = [str(ROOT / "requirements" / f"{requirements}.txt")]
        if extras:
            sources += [str(ROOT / "setup.py"), *(f"--extra={extra}" for extra in extras)]
        versions = ["--generate-hashes", "--constraint", str(constraint), "--output-file", str(output)]
        # uv reads `config` there
        subprocess.run([*command, *versions, *(["--upgrade"] if upgrade else []), *sources], check=True, cwd=folder)
        # That list has the hashes of every file on the index, and this one only of those for machines that we know.
        machines = [machine for machine in MACHINES if machine in environment] or MACHINES
        config.write_text(uv_config(*(" and ".join((*environment, machine)) for machine in machines)), encoding="utf-8")
        files = ["--format", "pylock.toml", "--constraint", str(output), "--output-file", str(lock)]
        subprocess.run([*command, *files, *sources], check=True, cwd=folder)
        fitting = set(re.findall(r'sha256 = "([0-9a-f]{64})"', lock.read_text(encoding="utf-8")))
        lines = output.read_text(encoding="utf-8").replace(" \\\n", "").splitlines()
    header = f"# Written by scripts/pin.py (`make pins`) for {', '.join(environment)}.\n"
    target.write_text(header + "".join(shorten(line, environment, fitting) for line in lines), encoding="utf-8")


def oldest(environment: tuple[str, ...]) -> str:
    """The oldest Python of a set."""
    return next((term.split("'")[1] for term in environment if term.startswith("python_full_version >=")), "3.10")


def pinned(folder: Path = ROOT / "requirements") -> dict[str, set[str]]:
    """The versions that are pinned for any Python and machine, by the package's name."""
    found: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.pins.txt")):
        for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE):
            found.setdefault(name, set()).add(version)
    return found


def uv_config(*environments: str) -> str:
    """What tells uv where the result is to hold."""
    return "[tool.uv]\nenvironments = [" + ", ".join(f'"{environment}"' for environment in environments) + "]\n"


def shorten(line: str, environment: tuple[str, ...], fitting: set[str]) -> str:
    """The line without those parts of its marker that always hold and with the fitting hashes, each on its own line.

    Empty where the line never applies.
    """
    pinned, *hashes = re.split(r" +--hash=sha256:", line)
    pinned, _, marker = pinned.partition(" ; ")
    if "== 'win32'" in marker and " or " not in marker:
        return ""
    kept = [term for term in re.split(r" and (?![^(]*\))", marker) if term and term not in (*environment, *IMPLIED)]
    parts = [pinned + (" ; " + " and ".join(kept) if kept else "")]
    parts += [f"    --hash=sha256:{value}" for value in hashes if value in fitting]
    if len(parts) == 1:
        raise ValueError(f"the index tells no hash of {pinned}")
    return " \\\n".join(parts) + "\n"


def main() -> int:
    """Pin every set of requirements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping the pins")
    parser.add_argument("sets", nargs="*", metavar="SET", help=f"which of {', '.join(SETS)} (default: all)")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.sets if name not in SETS]:
        parser.error(f"there is no set {unknown[0]!r}, but {', '.join(SETS)}")
    if shutil.which("uv") is None:
        print("pin: 'uv' is not on the PATH: install it first", file=sys.stderr)
        return 2
    try:
        for name in arguments.sets or SETS:
            pin(name, arguments.upgrade)
    except subprocess.CalledProcessError as error:
        print(f"pin: {error.cmd[0]} could not resolve the requirements (above)", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"pin: {error}: nothing that cannot be checked is installed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

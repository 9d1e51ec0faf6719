#!/usr/bin/env python3
"""Write the exact versions that `make setup` installs: requirements/*.pins.txt (`make pins`).

Versions already pinned stay as they are unless `--upgrade` is given. The files hold names, versions and markers, and
nothing about where packages come from.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = ("robot", "openvino", "sim", "train", "cluster", "objects", "dev")
# What holds wherever these files are used, so that it need not be repeated in every line.
ALWAYS = ("sys_platform == 'linux'", "platform_python_implementation == 'CPython'", "python_full_version < '3.15'")
# The same in other words, as some packages say it.
IMPLIED = ("implementation_name != 'PyPy'",)
# ROS 2 is on PyPI for this machine type only.
ROS = "platform_machine == 'x86_64'"


def pin(requirements: str, environment: tuple[str, ...], constraint_text: str, upgrade: bool) -> None:
    """Resolve setup.py's extras with one requirements file, for every supported Python at once."""
    target = ROOT / "requirements" / f"{requirements}.pins.txt"
    with tempfile.TemporaryDirectory() as folder:
        config, constraint, output = (Path(folder) / name for name in ("pyproject.toml", "constraint.txt", "pins.txt"))
        config.write_text(f'[tool.uv]\nenvironments = ["{" and ".join(environment)}"]\n', encoding="utf-8")
        constraint.write_text(constraint_text + "\n", encoding="utf-8")
        if target.exists():
            shutil.copyfile(target, output)
        command = ["uv", "pip", "compile", "--quiet", "--universal"]
        command += ["--python-version", "3.10", "--no-header", "--no-annotate", "--no-emit-index-url"]
        command += [f"--extra={extra}" for extra in EXTRAS] + (["--upgrade"] if upgrade else [])
        command += ["--constraint", str(constraint), "--output-file", str(output)]
        command += [str(ROOT / "setup.py"), str(ROOT / "requirements" / f"{requirements}.txt")]
        subprocess.run(command, check=True, cwd=folder)  # uv reads `config` there
        lines = [shorten(line, environment) for line in output.read_text(encoding="utf-8").splitlines()]
    header = f"# Written by scripts/pin.py (`make pins`) for {', '.join(environment)}.\n"
    target.write_text(header + "".join(lines), encoding="utf-8")


def shorten(line: str, environment: tuple[str, ...]) -> str:
    """The line without those parts of its marker that always hold, or nothing where it never applies."""
    pinned, _, marker = line.partition(" ; ")
    if "== 'win32'" in marker and " or " not in marker:
        return ""
    kept = [term for term in re.split(r" and (?![^(]*\))", marker) if term and term not in (*environment, *IMPLIED)]
    return pinned + (" ; " + " and ".join(kept) if kept else "") + "\n"


def main() -> int:
    """Pin both sets of requirements."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions instead of keeping the pins")
    upgrade = parser.parse_args().upgrade
    if shutil.which("uv") is None:
        print("pin: 'uv' is not on the PATH: install it first", file=sys.stderr)
        return 2
    try:
        pin("ros", (*ALWAYS, ROS), "", upgrade)
        pin("sourced", ALWAYS, "", upgrade)
        pin("sourced-numpy1", ALWAYS, "numpy<2", upgrade)
    except subprocess.CalledProcessError as error:
        print(f"pin: {error.cmd[0]} could not resolve the requirements (above)", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

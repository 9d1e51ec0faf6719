#!/usr/bin/env python3
"""Whether this checkout can be released (`make release-check`): each check is one line, and all are made.

`--quick` only reads files. Otherwise the tree has to be clean, wheel and sdist are built and installed into a fresh
environment with the pinned packages, their programs are run there, and colcon builds the package where it is installed.
Nothing but the package index is asked. Exit status: 0 nothing is wrong, 1 something is.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pin import ROOT

PROGRAMS = ("perception-sim", "perception-train", "perception-infer")
#: What the programs need to tell what they can do.
EXTRAS = "robot,sim,train"
# Not in one piece, so that this file names none.
_REGISTRIES = {
    "io": ("docker", "gcr", "ghcr", "nvcr", "quay"),
    "org": ("anaconda", "npmjs", "packages.ros", "pypi", "pythonhosted"),
    "com": ("developer.download.nvidia", "hub.docker", "pypi.nvidia", "repo.download.nvidia"),
}
_LOCAL = re.compile(r"(?<![\w.])/(?:root|Users/\w+|home/(?!me\b)\w+)/")
_UNDONE = re.compile(r"\b(?:T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")
_PATIENCE = 900.0
Check = Callable[[], Iterator[str]]


def git(*words: str) -> list[str]:
    """What git tells, in lines."""
    done = subprocess.run([shutil.which("git") or "git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def version() -> str:
    """The version, from the one place that holds it."""
    text = (ROOT / "perception_common" / "__init__.py").read_text(encoding="utf-8")
    return re.findall(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)[0]


def check_version() -> Iterator[str]:
    """One version everywhere, and CHANGELOG.md tells of it."""
    xml = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 -- our own
    if xml.findtext("version") != version():
        yield f"package.xml says {xml.findtext('version')}, perception_common {version()}"
    headings = re.findall(
        r"^## \[(.+?)\](?: - (.+))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    if [name for name, _ in headings][:2] != ["Unreleased", version()]:
        yield f"CHANGELOG.md: 'Unreleased' and then {version()} have to be its first headings"
    for name, date in headings[1:]:
        if not re.fullmatch(r"\d{4}-\d\d-\d\d", date) and (name, date) != (version(), "unreleased"):
            yield f"CHANGELOG.md: {name} has no date"


def check_licence() -> Iterator[str]:
    """The licence is there, and everywhere the same one."""
    if "Apache License" not in (ROOT / "LICENSE").read_text(encoding="utf-8"):
        yield "LICENSE is not the Apache License"
    xml = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 -- our own
    element = xml.find("license")
    if element is None or element.text != "Apache-2.0" or element.get("file") != "LICENSE":
        yield "package.xml: the licence is not Apache-2.0 with the file LICENSE"


def check_types() -> Iterator[str]:
    """Type checkers of others believe every package."""
    for package in sorted(path.parent for path in ROOT.glob("perception_*/__init__.py")):
        if not (package / "py.typed").is_file():
            yield f"{package.name} has no py.typed"


def check_words() -> Iterator[str]:
    """No file of the project names a package registry, a place on somebody's machine, or work that is left."""
    hosts = [f"{name}.{ending}" for ending, names in _REGISTRIES.items() for name in names]
    registry = re.compile(r"(?<![\w-])(?:" + "|".join(map(re.escape, hosts)) + r")(?![\w-])")
    here = re.compile(re.escape(str(ROOT)) + r"(?![\w.-])")
    wrong = {
        "a registry": registry,
        "a place of one machine": _LOCAL,
        "this machine": here,
        "work that is left": _UNDONE,
    }
    for name in git("ls-files"):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
        for what, pattern in wrong.items():
            for match in pattern.finditer(text):
                yield f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]} is {what}"


def check_tree() -> Iterator[str]:
    """All that is there is committed."""
    changed = git("status", "--porcelain")
    if changed:
        yield f"{len(changed)} files are changed or unknown to git, such as {changed[0][3:]}"


QUICK: tuple[Check, ...] = (check_version, check_licence, check_types, check_words)


class Built:
    """Wheel and sdist, built and tried in a folder.

    Args:
        folder: of all that is made.
        uv: the program.
    """

    def __init__(self, folder: Path, uv: str) -> None:
        self._folder, self._uv = folder, uv

    def checks(self) -> tuple[Check, ...]:
        """In this order."""
        return self.check_build, self.check_contents, self.check_programs, self.check_colcon

    def check_build(self) -> Iterator[str]:
        """An sdist, and from it a wheel, in an environment of their own."""
        pins = ROOT / "requirements" / "ros.pins.txt"
        yield from self._run(self._uv, "build", "--build-constraint", pins, "--out-dir", self._folder / "dist", ROOT)

    def check_contents(self) -> Iterator[str]:
        """The wheel holds every tracked file of the packages, all that is shared, and nothing else."""
        wheels, sdists = (list((self._folder / "dist").glob(pattern)) for pattern in ("*.whl", "*.tar.gz"))
        if len(wheels) != 1 or len(sdists) != 1:
            yield f"{len(wheels)} wheels and {len(sdists)} sdists were built"
            return
        inside = set(zipfile.ZipFile(wheels[0]).namelist())
        wanted = {name for name in git("ls-files") if re.match(r"perception_\w+/", name)}
        yield from (f"the wheel lacks {name}" for name in sorted(wanted - inside)[:5])
        code = {name for name in inside if not re.match(r"perception_suite-[^/]+\.(?:data|dist-info)/", name)}
        yield from (f"the wheel holds {name}, which git does not know" for name in sorted(code - wanted)[:5])
        shared = {name.partition("/share/")[2] for name in inside if ".data/data/share/" in name}
        for name in git("ls-files", "launch", "config"):
            if f"perception_suite/{name}" not in shared:
                yield f"the wheel does not share {name}"
        if "ament_index/resource_index/packages/perception_suite" not in shared:
            yield "the wheel is no package of ROS: its mark in the ament index is missing"
        with tarfile.open(sdists[0]) as archive:
            if not any(name.endswith("/LICENSE") for name in archive.getnames()):
                yield "the sdist lacks LICENSE"

    def check_programs(self) -> Iterator[str]:
        """In a fresh environment the programs tell their version and what they can do."""
        wheel = next((self._folder / "dist").glob("*.whl"), None)
        if wheel is None:
            return
        venv, pins = self._folder / "venv", ROOT / "requirements" / "sourced.pins.txt"
        yield from self._run(self._uv, "venv", "--quiet", "--python", sys.executable, venv)
        install = (self._uv, "pip", "install", "--quiet", "--python", venv / "bin" / "python", "--constraint", pins)
        failed = list(self._run(*install, f"{wheel}[{EXTRAS}]"))
        yield from failed
        for program in () if failed else PROGRAMS:
            path = venv / "bin" / program
            yield from self._run(path, "--help")
            done = subprocess.run(
                [path, "--version"], cwd=self._folder, capture_output=True, text=True, timeout=_PATIENCE
            )
            if done.stdout != f"{program} {version()}\n":
                yield f"{program} --version says {done.stdout.strip() or done.stderr.strip()[-200:]!r}"

    def check_colcon(self) -> Iterator[str]:
        """The package builds in a workspace."""
        if importlib.util.find_spec("colcon_core") is None:
            print("release-check: colcon is not installed: `colcon build` was NOT tried")
            return
        source = self._folder / "workspace" / "src" / "perception_suite"
        for name in git("ls-files"):
            if (ROOT / name).is_file():
                (source / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, source / name)
        environment = {"AMENT_PREFIX_PATH": os.environ.get("AMENT_PREFIX_PATH", sys.prefix)}
        words = (sys.executable, "-m", "colcon", "build", "--packages-select", "perception_suite")
        yield from self._run(*words, cwd=source.parents[1], **environment)

    def _run(self, *words: object, cwd: Path | None = None, **environment: str) -> Iterator[str]:
        done = subprocess.run(
            [*map(str, words)],
            cwd=cwd or self._folder,
            env=os.environ | environment,
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
        )
        if done.returncode != 0:
            shown = " ".join(str(word) for word in words[:3])
            yield f"`{shown} …` ends with {done.returncode}: {(done.stderr or done.stdout).strip()[-600:]}"


def wrong(checks: tuple[Check, ...]) -> int:
    """Make checks, tell what is wrong, and count it."""
    count = 0
    for check in checks:
        found = list(check())
        for line in found:
            print(f"release-check: {line}", file=sys.stderr)
        said = (check.__doc__ or "").splitlines()[0]
        print(f"release-check: {'FAILED' if found else 'ok'}: {said}", flush=True)
        count += len(found)
    return count


def main() -> int:
    """Make all checks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="read files only: nothing is built or installed")
    quick = parser.parse_args().quick
    count = wrong(QUICK)
    if not quick:
        count += wrong((check_tree,))
        uv = shutil.which("uv", path=f"{ROOT / '.cache/uv/bin'}{os.pathsep}{os.environ.get('PATH', '')}")
        if uv is None:
            print("release-check: uv is not on the PATH: `make setup` brings it", file=sys.stderr)
            return 1
        with tempfile.TemporaryDirectory(prefix="release-check-") as folder:
            count += wrong(Built(Path(folder), uv).checks())
    if count:
        print(f"release-check: {count} things are wrong: this cannot be released", file=sys.stderr)
    else:
        print(f"release-check: {version()} can be released" + (", as far as files tell" if quick else ""))
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())

"""requirements/*.pins.txt: exact, with hashes, complete, and obeyed by the set-up."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
PINS = sorted(REQUIREMENTS.glob("*.pins.txt"))
PIN = r"[a-z0-9][a-z0-9-]*==[0-9][\w.]*( ; [\w\s'\"().<>=*]+?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
EXTRAS = ("robot", "openvino", "sim", "train", "cluster", "objects", "dev")


def script(name: str) -> ModuleType:
    """A program of scripts/, as a module."""
    specification = importlib.util.spec_from_file_location(f"scripts_{name}", ROOT / "scripts" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_pins_are_exact_and_hashed_and_name_no_place(path: Path) -> None:
    header, _, pins = path.read_text().partition("\n")
    assert header.startswith("#")
    assert re.fullmatch(f"(?:{PIN})+", pins), "run `make pins`"


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_everything_that_is_asked_for_is_pinned(path: Path) -> None:
    pinned = {line.partition("==")[0] for line in path.read_text().splitlines()}
    asked = [line for line in path.with_name(path.name.replace(".pins", "")).read_text().splitlines() if line]
    extras = script("pin").SETS[path.name.removesuffix(".pins.txt")].extras
    if extras:
        code = (
            "import json, runpy, setuptools; told = {}; setuptools.setup = lambda **arguments: told.update(arguments);"
            "runpy.run_path('setup.py'); extras = told['extras_require'];"
            f"print(*told['install_requires'], *(name for extra in {extras} for name in extras[extra]), sep='\\n')"
        )
        asked += subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True).stdout.split(
            "\n"
        )
    names = {re.split(r"[\[;<>=~ ]", name)[0].lower() for name in asked if name and not name.startswith("#")}
    assert names
    assert names - pinned == set(), "run `make pins`"


def test_every_file_of_requirements_has_its_pins() -> None:
    assert {path.name.removesuffix(".pins.txt") for path in PINS} == set(script("pin").SETS)
    assert {path.stem for path in REQUIREMENTS.glob("*.txt") if path not in PINS} == set(script("pin").SETS)


def test_extras_that_are_installed_are_those_that_are_pinned() -> None:
    assert tuple(script("setup").EXTRAS.split(",")) == script("pin").EXTRAS == EXTRAS


def test_a_pin_keeps_the_hashes_of_the_machines_that_we_know() -> None:
    shorten = script("pin").shorten
    line = (
        "some==1.0 ; python_full_version < '3.11' and sys_platform == 'linux'    --hash=sha256:aa    --hash=sha256:bb"
    )
    linux = ("sys_platform == 'linux'",)
    expected = "some==1.0 ; python_full_version < '3.11' \\\n    --hash=sha256:bb\n"
    assert shorten(line, linux, {"bb", "cc"}) == expected
    assert shorten("some==1.0 ; sys_platform == 'win32'    --hash=sha256:aa", linux, {"aa"}) == ""
    with pytest.raises(ValueError, match=r"some==1\.0"):
        shorten(line, linux, {"cc"})


def write_wheel(folder: Path, name: str) -> str:
    """A package without contents; its hash."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as file:
        info = f"{name}-1.0.dist-info"
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nProvides-Extra: some\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


BACKEND = """
import pathlib, shutil

def build_editable(folder, config_settings=None, metadata_directory=None):
    return pathlib.Path(shutil.copy(pathlib.Path(__file__).with_name("project-1.0-py3-none-any.whl"), folder)).name
"""


def test_set_up_installs_what_the_hashes_name_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = shutil.which("uv", path=f"{ROOT / '.cache/uv/bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        pytest.skip("uv is not installed")
    module = script("setup")
    for name, value in {"ROOT": tmp_path, "VENV": tmp_path / "venv", "CACHE": tmp_path, "EXTRAS": "some"}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "UNFINISHED", tmp_path / "unfinished")
    for name, value in {
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(tmp_path),
        "UV_CACHE_DIR": str(tmp_path / "c"),
    }.items():
        monkeypatch.setenv(name, value)
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(tmp_path / "venv")], check=True)
    write_wheel(tmp_path, "project")
    sha256 = write_wheel(tmp_path, "wanted")
    (tmp_path / "backend.py").write_text(BACKEND)
    build = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (tmp_path / "pyproject.toml").write_text(build)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "ros.txt").write_text("wanted\n")
    pins = tmp_path / "requirements" / "ros.pins.txt"
    setup = module.Setup()
    setup.requirements = "ros"

    pins.write_text(f"wanted==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(module.Failure, match="could not be installed"):
        setup.install_packages([uv])
    assert not list((tmp_path / "venv").rglob("wanted-1.0.dist-info"))
    pins.write_text(f"wanted==1.0 \\\n    --hash=sha256:{sha256}\n")
    setup.install_packages([uv])
    assert list((tmp_path / "venv").rglob("wanted-1.0.dist-info"))

"""`make release-check`: this checkout passes what files tell, and whatever would be wrong is found."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = ("CHANGELOG.md", "LICENSE", "package.xml", "perception_common/__init__.py", "perception_common/py.typed")


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The script, of a checkout of its own with a few of our files, all of them known to git."""
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("release_check")
    checkout = tmp_path / "checkout"
    for name in FILES:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    monkeypatch.setattr(module, "ROOT", checkout)
    known = [str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()]
    monkeypatch.setattr(
        module, "git", lambda _, *places: [name for name in known if not places or name.startswith(places)]
    )
    yield module
    for name in ("release_check", "pin"):
        sys.modules.pop(name, None)


def test_nothing_that_files_tell_is_wrong() -> None:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("which files belong to the project is asked from git")
    program = [sys.executable, str(ROOT / "scripts" / "release_check.py"), "--quick"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("release-check: ok: ") == 4


def test_a_copy_of_it_passes(release: ModuleType) -> None:
    assert release.wrong(release.QUICK) == 0


@pytest.mark.parametrize(
    ("name", "old", "new", "told"),
    [
        ("package.xml", "<version>0.1.0", "<version>0.2.0", "package.xml says 0.2.0, perception_common 0.1.0"),
        ("CHANGELOG.md", "## [0.1.0]", "## [0.0.9]", "CHANGELOG.md: 'Unreleased' and then 0.1.0"),
        ("CHANGELOG.md", "## [0.1.0] - unreleased", "## [0.1.0] - soon", "CHANGELOG.md: 0.1.0 has no date"),
        ("package.xml", "Apache-2.0<", "MIT<", "package.xml: the licence is not Apache-2.0"),
        ("LICENSE", "Apache License", "Some License", "LICENSE is not the Apache License"),
        (
            "CHANGELOG.md",
            "# Changes",
            "# Changes\n\nfrom nv" + "cr.io/some",
            "CHANGELOG.md:3: nv" + "cr.io is a registry",
        ),
        ("CHANGELOG.md", "# Changes", "see /ro" + "ot/x", "CHANGELOG.md:1: /ro" + "ot/ is a place of one machine"),
        ("CHANGELOG.md", "# Changes", "# TO" + "DO", "CHANGELOG.md:1: TO" + "DO is work that is left"),
    ],
)
def test_what_is_wrong_is_found(
    release: ModuleType, capsys: pytest.CaptureFixture[str], name: str, old: str, new: str, told: str
) -> None:
    path = release.ROOT / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    assert release.wrong(release.QUICK) > 0
    captured = capsys.readouterr()
    assert told in captured.err
    assert "release-check: FAILED: " in captured.out


def test_the_place_of_the_checkout_is_found(release: ModuleType) -> None:
    (release.ROOT / "CHANGELOG.md").write_text(f"in {release.ROOT}/runs\n")
    assert list(release.check_words()) == [f"CHANGELOG.md:1: {release.ROOT} is this machine"]


def test_a_package_without_types_is_found(release: ModuleType) -> None:
    (release.ROOT / "perception_common" / "py.typed").unlink()
    assert list(release.check_types()) == ["perception_common has no py.typed"]


def test_a_wheel_that_lacks_something_or_holds_too_much_is_found(release: ModuleType, tmp_path: Path) -> None:
    built = release.Built(tmp_path, "uv")
    assert list(built.check_contents()) == ["0 wheels and 0 sdists were built"]
    (tmp_path / "dist").mkdir()
    data = "perception_suite-0.1.0.data/data/share"
    with zipfile.ZipFile(tmp_path / "dist" / "perception_suite-0.1.0-py3-none-any.whl", "w") as wheel:
        for name in ("perception_common/__init__.py", "perception_common/left_over.py", f"{data}/perception_suite/x"):
            wheel.writestr(name, "")
        wheel.writestr("perception_suite-0.1.0.dist-info/METADATA", "")
    with tarfile.open(tmp_path / "dist" / "perception_suite-0.1.0.tar.gz", "w:gz"):
        pass
    assert list(built.check_contents()) == [
        "the wheel lacks perception_common/py.typed",
        "the wheel holds perception_common/left_over.py, which git does not know",
        "the wheel is no package of ROS: its mark in the ament index is missing",
        "the sdist lacks LICENSE",
    ]


def test_a_program_that_fails_is_found(release: ModuleType, tmp_path: Path) -> None:
    built = release.Built(tmp_path, "uv")
    found = list(built._run(sys.executable, "-c", "import sys; sys.exit('so it is')"))
    assert len(found) == 1
    assert "ends with 1: so it is" in found[0]

"""Commands in the documentation are commands that exist, with flags that exist."""

from __future__ import annotations

import importlib
import itertools
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
COMMAND = re.compile(r"^\s*(?:\.venv/bin/)?(perception-(?:sim|train|infer)) (.+?)\s*$", re.MULTILINE)
# Its commands need the network that it adds; they are run by test_site_commands.py.
ADDS_ITS_OWN = ROOT / "docs" / "tutorials" / "add-an-architecture.md"
LINK = re.compile(r"\]\(([^)#]+)(?:#[^)]*)?\)")


def commands() -> list[tuple[str, str]]:
    texts = [page.read_text(encoding="utf-8") for page in PAGES if page != ADDS_ITS_OWN]
    return sorted({match.groups() for text in texts for match in COMMAND.finditer(text)})


def test_there_are_commands_to_check() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize(("program", "words"), commands())
def test_flags_of_documented_commands_exist(
    program: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # With --print-config a command reads its flags, prints its parameters and does nothing else.
    main = importlib.import_module(program.replace("-", "_") + ".cli").main
    # An ellipsis stands for flags of the reader's own.
    told = shlex.split(words.replace("…", ""))
    # What the shell does with the output is none of it.
    told = list(itertools.takewhile(lambda word: word not in (">", "|"), told))
    for flag, value in itertools.pairwise(told):
        if flag == "--config":
            Path(value).touch()
    try:
        status = main([*told, "--print-config"])
    except SystemExit as error:
        status = error.code
    assert status == 0, capsys.readouterr().err


# The site's own build looks at links, too, and at anchors; here for those who read the files as they are. The pages of
# the reference are made when the site is built, and the page that lists them leads there.
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    found = [(page.parent / target).resolve() for target in targets]
    missing = [str(path.relative_to(ROOT)) for path in found if not path.exists()]
    assert [path for path in missing if Path(path).parent != Path("docs/reference")] == []


def test_readme_names_the_two_commands() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text


@pytest.mark.parametrize("package", ["perception_infer", "perception_sim", "perception_train"])
def test_the_architecture_page_has_every_room(package: str) -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition(f"### Rooms of `{package}`")[2].partition("\n#")[0]
    told = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert all((ROOT / package / name).is_dir() or (ROOT / package / f"{name}.py").is_file() for name in told), told
    # Commands and launch arguments are told of on pages of their own; presets/ holds files.
    rooms = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")} - {"commands", "launching"}
    assert rooms <= told, rooms - told

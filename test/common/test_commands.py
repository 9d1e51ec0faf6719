"""Commands: what --print-config prints is what would hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from perception_common.cli import Command, main
from perception_common.params import build, param
from perception_common.yaml_files import MODELINE, load_yaml
from perception_infer.cli import main as perception_infer
from perception_infer.commands.run import RunParams


@dataclass(frozen=True)
class Example:
    """Parameters of an example."""

    rate: float = param(5.0, "how often", minimum=0.1)
    names: tuple[str, ...] = param((), "who")
    active: bool = param(True, "whether")


def program(*words: str) -> int:
    return main("program", "An example.", [Command("go", "go", Example, lambda params: {"rate": params.rate})], words)


def printed(capsys: pytest.CaptureFixture[str], path: Path) -> Example:
    path.write_text(capsys.readouterr().out)
    return build(Example, load_yaml(path))


def test_flags_stand_over_the_file_and_the_file_over_defaults(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("rate: 7\nnames: [a, b]\n")
    assert program("go", "--print-config") == 0
    assert printed(capsys, tmp_path / "out.yaml") == Example()
    assert program("go", "--config", str(file), "--rate", "1e-0", "--no-active", "--print-config") == 0
    assert printed(capsys, tmp_path / "out.yaml") == Example(1.0, ("a", "b"), False)
    # What was printed can be given again.
    assert program("go", "--config", str(tmp_path / "out.yaml"), "--print-config") == 0
    assert printed(capsys, tmp_path / "out.yaml") == Example(1.0, ("a", "b"), False)
    assert program("go", "--config", str(tmp_path / "out.yaml"), "--json", "-") == 0
    assert json.loads(capsys.readouterr().out) == {"rate": 1.0}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("go", "--ratte", "3"), "program go: unknown argument '--ratte': did you mean '--rate'?"),
        (("go", "--ratte=3"), "program go: unknown argument '--ratte': did you mean '--rate'?"),
        (("go", "--zzz"), "program go: unknown argument '--zzz'"),
        (("go", "somewhere"), "program go: unknown argument 'somewhere'"),
        (("go", "--rate", "often"), "program go: argument --rate: 'often' is not a number"),
        (("walk",), "program: argument COMMAND: invalid choice: 'walk'"),
        ((), "program: the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_is_one_line(words: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program(*words)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.startswith(told)
    assert said.err.count("\n") == 1
    assert said.err.endswith(" --help` tells what there is\n")


@pytest.mark.parametrize(
    ("text", "flags", "told"),
    [
        ("rat: 1", (), "program: unknown parameter 'rat' [{file}]: did you mean 'rate'?\n"),
        ("rate: 0", (), "program: parameter 'rate' cannot be 0.0 [{file}]: allowed is float, at least 0.1\n"),
        ("", ("--rate", "0"), "program: parameter 'rate' cannot be 0.0 [--rate]: allowed is float, at least 0.1\n"),
    ],
)
def test_what_would_be_refused_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, flags: tuple[str, ...], told: str
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    assert program("go", "--config", str(file), *flags, "--print-config") == 2
    assert capsys.readouterr() == ("", told.format(file=file))


def test_editors_find_the_schema_of_what_a_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    assert perception_infer(["run", "--print-config"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith(MODELINE)
    schema = json.loads(Path(first.removeprefix(MODELINE)).read_text())
    assert schema["title"] == (RunParams.__doc__ or "").split("\n")[0].rstrip(".")

"""Calls that run what a file says: none but those that were looked at, each for its reason.

Ruff's rules (S) look for most of them too; here is also what a `noqa` could hide, and what ruff does not know of.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("perception_common", "perception_infer", "perception_sim", "perception_train", "launch", "scripts", "bench")
# Modules of which nothing is called, and functions that are not.
MODULES = ("cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve")
FUNCTIONS = (
    "eval",
    "exec",
    "os.popen",
    "os.system",
    "pandas.read_pickle",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "torch.hub.load",
    "torch.jit.load",
    "torch.load",
    "torch.package.PackageImporter",
    "yaml.full_load",
    "yaml.full_load_all",
    "yaml.load",
    "yaml.load_all",
    "yaml.unsafe_load",
    "yaml.unsafe_load_all",
)
REVIEWED = {
    ("perception_sim/live/builder.py", "pickle.load"): "a pipe between two of our own processes",
    ("perception_sim/live/builder.py", "pickle.dump"): "the same",
    ("perception_sim/live/building.py", "pickle.load"): "the same",
    ("perception_sim/live/building.py", "pickle.dumps"): "the same",
    ("perception_train/training/checkpoint.py", "torch.load"): "weights_only=True, in the run's own directory",
    ("perception_train/data/readers/yolo_config.py", "yaml.load"): "BaseLoader: text, lists and mappings",
    ("perception_common/yaml_files.py", "yaml.load"): "a SafeLoader that refuses names that stand twice",
}
# What has to be said in every call, because the default does more than it should, or once did.
SAID = {
    "allow_pickle": (False, ("numpy.load",)),
    "weights_only": (True, ("torch.load", ".get_state_dict", ".load_state_dict_from_url")),
}


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """All calls with their names in full, whatever the modules are called here; ``.name`` of what is not a module's."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {one.asname: one.name for one in node.names if one.asname}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names |= {one.asname or one.name: f"{node.module}.{one.name}" for one in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            said = ast.unparse(node.func)
            first, dot, rest = said.partition(".")
            yield names.get(first, first) + dot + rest, node


def problems(source: str, file: str) -> list[str]:
    """What is wrong in a file."""
    found = []
    for name, call in calls(ast.parse(source)):
        last = "." + name.rpartition(".")[2]
        keywords = {one.arg: one.value.value for one in call.keywords if isinstance(one.value, ast.Constant)}
        if (name in FUNCTIONS or name.startswith(tuple(f"{module}." for module in MODULES))) and (
            (file, name) not in REVIEWED
        ):
            found.append(f"{file}:{call.lineno}: {name} is not allowed here")
        for keyword, (value, functions) in SAID.items():
            if (name in functions or last in functions) and keywords.get(keyword) is not value:
                found.append(f"{file}:{call.lineno}: {name} has to say {keyword}={value}")
        if any(one.arg == "shell" and keywords.get("shell") is not False for one in call.keywords):
            found.append(f"{file}:{call.lineno}: {name} must not ask a shell")
    return found


def sources() -> list[Path]:
    return [ROOT / "setup.py", *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py")))]


def test_nothing_runs_what_a_file_says() -> None:
    found = [problem for path in sources() for problem in problems(path.read_text(), str(path.relative_to(ROOT)))]
    assert found == []


def test_everything_that_was_reviewed_is_still_there() -> None:
    there = {(file, name) for file, _ in REVIEWED for name, _ in calls(ast.parse((ROOT / file).read_text()))}
    assert set(REVIEWED) - there == set()


def test_rules_of_the_linter_are_on() -> None:
    assert '"S",    # security' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "import torch; torch.load(path)",
        "import torch; torch.load(path, weights_only=False)",
        "from torch import load; load(path, weights_only=yes)",
        "import torch as t; t.load(path, weights_only=True)",  # another file than the reviewed one
        "import torch; torch.jit.load(path)",
        "weights.get_state_dict(progress=False)",
        "from torch.hub import load_state_dict_from_url as fetch; fetch(url)",
        "import numpy as np; np.load(path)",
        "import numpy as np; np.load(path, allow_pickle=True)",
        "import numpy as np; np.load(path, None, True)",
        "import pickle; pickle.loads(data)",
        "import pickle as p; p.Unpickler(file).load()",
        "from joblib import load; load(path)",
        "import dill; dill.load(file)",
        "import yaml; yaml.load(text, yaml.SafeLoader)",
        "import yaml; yaml.unsafe_load(text)",
        "import subprocess; subprocess.run(text, shell=True)",
        "import subprocess; subprocess.run(text, shell=wanted)",
        "import os; os.system(text)",
        "from os import system as run; run(text)",
        "eval(text)",
    ],
)
def test_what_is_wrong_is_found(line: str) -> None:
    assert problems(line, "perception_train/other.py")


def test_what_is_right_is_not() -> None:
    line = "import numpy as np; np.load(path, allow_pickle=False); model.eval(); subprocess.run(words, shell=False)"
    assert problems(line, "perception_train/other.py") == []
    line = "import torch; torch.load(path, map_location='cpu', weights_only=True)"
    assert problems(line, "perception_train/training/checkpoint.py") == []
    assert problems(line.replace("True", "False"), "perception_train/training/checkpoint.py")

"""The compose files, as far as they can be judged without docker: names that match, and what shared memory needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from dockerfiles import Dockerfile

_VARIABLE = re.compile(r"\$\{(\w+)(:?[-?])?")


def complaints(path: Path, file: Dockerfile, values: dict[str, str]) -> Iterator[str]:
    """What is wrong with a compose file, one line each.

    Args:
        path: the file.
        file: the Dockerfile that it builds.
        values: those of an .env file that it is used with.
    """
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, service in content["services"].items():
        where = f"{path.name}: {name}"
        yield from (f"{where}: {what}" for what in _of_service(service))
        build = service.get("build")
        if build is None:
            continue
        if (path.parent / build["context"] / build["dockerfile"]).resolve() != file.path.resolve():
            yield f"{where}: builds another Dockerfile"
        if build["target"] not in file.stages:
            yield f"{where}: {file.path.name} has no stage {build['target']!r}"
        declared = set(file.arguments) | {
            one.text.partition("=")[0]
            for stage in file.stages.values()
            for one in stage.instructions
            if one.name == "ARG"
        }
        for argument in sorted(set(build["args"]) ^ declared):
            yield f"{where}: argument {argument} is in one of compose file and Dockerfile only"
    for variable, operator in _VARIABLE.findall(path.read_text(encoding="utf-8")):
        if not operator and variable not in values and variable != "PWD":
            yield f"{path.name}: {variable} has no default, and is not in the .env file"


def _of_service(service: dict[str, Any]) -> Iterator[str]:
    for key, wanted, why in (
        ("network_mode", "host", "DDS finds nobody beyond it otherwise"),
        ("ipc", "host", "images travel through /dev/shm"),
        ("init", True, "children of children are to be reaped"),
        ("cap_drop", ["ALL"], "it needs none"),
        ("security_opt", ["no-new-privileges:true"], "nothing in it may become root"),
    ):
        if service.get(key) != wanted:
            yield f"{key} has to be {wanted!r}: {why}"
    if service.get("privileged"):
        yield "privileged: groups and devices suffice"
    for volume in service.get("volumes", ()):
        if volume["target"].startswith("/etc/") and not volume.get("read_only"):
            yield f"{volume['target']} can be written from inside"

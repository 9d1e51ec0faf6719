"""What our Dockerfile has to be, beside what hadolint looks at."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dockerfiles import Dockerfile, substitute

#: What is run; the other stages are steps towards it.
TARGETS = ("robot", "workstation")
_SECRET = re.compile(r"PASSW|SECRET|TOKEN|CREDENTIAL|PRIVATE_KEY", re.IGNORECASE)
_DOWNLOAD = re.compile(r"\b(curl|wget|git clone|pip3? install|add-apt-repository|apt-key)\b")


def complaints(file: Dockerfile, machines: dict[str, dict[str, str]]) -> Iterator[str]:
    """What is wrong, one line each.

    Args:
        file: the Dockerfile.
        machines: the values of each .env file, by its name.
    """
    yield from _bases(file, machines)
    for stage in file.stages.values():
        for one in stage.instructions:
            where = f"{file.path.name}:{one.line}"
            if one.name == "ADD":
                yield f"{where}: ADD fetches and unpacks; COPY says what is meant"
            if one.name in ("ARG", "ENV") and _SECRET.search(one.text.partition("=")[0]):
                yield f"{where}: {one.text.partition('=')[0]} would stay readable in the image"
            if one.name == "RUN":
                yield from (f"{where}: {what}" for what in _of_run(one.text))
            source = one.flag("from")
            if one.name == "COPY" and source and source not in file.stages:
                yield f"{where}: there is no stage {source!r}"
    for target in TARGETS:
        yield from _of_target(file, target)


def _bases(file: Dockerfile, machines: dict[str, dict[str, str]]) -> Iterator[str]:
    defaults = {name: value for name, value in file.arguments.items() if value is not None}
    for stage in file.stages.values():
        if stage.parent:
            continue
        where = f"{file.path.name}:{stage.line}"
        for name in re.findall(r"\$\{(\w+)\}", stage.image):
            if name not in file.arguments:
                yield f"{where}: {name} is not declared before the first FROM"
        for machine, values in machines.items():
            image = substitute(stage.image, defaults | values)
            host, slash, _ = image.partition("/")
            if "$" in image:
                yield f"{where}: {image} is not known from {machine}"
            elif slash and re.search(r"[.:]|^localhost$", host):
                yield f"{where}: {image} names a registry ({machine}); that is for whoever builds to say"
            elif not re.search(r":(?!latest$)[\w.-]+$", image):
                yield f"{where}: {image} has no tag that stays what it is ({machine})"


def _of_run(text: str) -> Iterator[str]:
    if "apt-get install" in text:
        for what in ("apt-get update", "install -y", "--no-install-recommends", "rm -rf /var/lib/apt/lists/*"):
            if what not in text:
                yield f"apt-get without `{what}` in the same RUN"
    for match in _DOWNLOAD.finditer(text):
        yield f"{match[1]}: what is fetched comes from apt, or by docker/install with its hash"
    if re.search(r"\bsudo\b", text):
        yield "sudo: it is root already, and has no need of it later"


def _of_target(file: Dockerfile, target: str) -> Iterator[str]:
    if target not in file.stages:
        yield f"{file.path.name}: there is no stage {target!r}"
        return
    for name in ("USER", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD", "WORKDIR"):
        if file.last(target, name) is None:
            yield f"{file.path.name}: {target} has no {name}"
    for name in ("ENTRYPOINT", "CMD"):
        one = file.last(target, name)
        if one is not None and not one.text.startswith("["):
            yield f"{file.path.name}:{one.line}: {name} through a shell, which keeps signals from the program"
    user = file.last(target, "USER")
    if user is not None and user.text.partition(":")[0] in ("root", "0"):
        yield f"{file.path.name}:{user.line}: {target} runs as root"

"""Which model a replay runs, and how, from the text that a user gives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from perception_common.errors import UserError, did_you_mean
from perception_common.params import check, specs

from ..contract.manifest import MANIFEST_NAME
from ..models import Bundle, ModelRepository, open_bundle
from ..running import RunningParams

_FORM = "write NAME, NAME:VERSION or a bundle's directory, then where wanted ,backend=… ,precision=… ,threads=…"
_SETTINGS = ("backend", "precision", "threads")


@dataclass(frozen=True)
class Choice:
    """An opened bundle and how it is to be run; ``text`` is what the user wrote."""

    text: str
    bundle: Bundle
    running: RunningParams


def choose_model(text: str, root: str, running: RunningParams) -> Choice:
    """The model that a text names.

    Args:
        text: ``NAME``, ``NAME:VERSION``, a directory of a bundle or of a model (its newest version), or a
            manifest.json; behind it, settings that differ from ``running``, such as ``,precision=int8_cpu``.
        root: the model repository in which names are looked up.
        running: how bundles are run otherwise.

    Raises:
        UserError: there is no such model, it does not verify, or a setting is unknown.
    """
    name, *settings = text.split(",")
    if not name:
        raise UserError("no model was named", fix=_FORM)
    known, values = specs(RunningParams), {}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key not in _SETTINGS:
            raise UserError(f"'{setting}' is no setting of a model", where=text, fix=did_you_mean(key, _SETTINGS))
        whole = int(value) if known[key].type is int and value.isdigit() else value
        values[key] = check(known[key], whole, text)
    return Choice(text, _bundle(name, root), replace(running, **values))


def _bundle(name: str, root: str) -> Bundle:
    path = Path(name).expanduser()
    if path.name == MANIFEST_NAME:
        return open_bundle(path.parent)
    if path.is_dir():
        absolute = path.absolute()
        if (absolute / MANIFEST_NAME).exists():
            return open_bundle(absolute)
        return ModelRepository(absolute.parent).open(absolute.name)
    model, _, version = name.partition(":")
    if version and not version.isdigit():
        raise UserError(f"'{version}' is no version", where=name, fix=_FORM)
    if not root:
        raise UserError(f"there is no directory '{name}'", fix="give --model-root MODEL_REPO to look names up in it")
    return ModelRepository(Path(root).expanduser()).open(model, int(version) if version else None)

"""Libraries that only the conversion of meshes needs (extra ``objects``), imported when they are used."""

from __future__ import annotations

import importlib
from types import ModuleType

from perception_common.errors import UserError

_INSTALL = "pip install 'perception_suite[objects]'"


def need(module: str) -> ModuleType:
    """An optional module such as ``trimesh`` or ``scipy.spatial``.

    Raises:
        UserError: it is not installed, or does not load on this machine.

    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        library = module.partition(".")[0]
        raise UserError(f"converting a mesh needs {library} ({error})", fix=_INSTALL) from error

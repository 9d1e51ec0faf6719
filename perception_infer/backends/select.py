"""Which backend serves a bundle: an explicit table, and ``auto`` that tries it in order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perception_common.errors import UserError

from ..contract.manifest import Manifest, Variant
from .base import Backend

if TYPE_CHECKING:
    from ..models import Bundle

AUTO = "auto"


def _onnx_runtime(graph: bytes, variant: Variant, threads: int) -> Backend:
    from .onnx_runtime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(graph, variant, threads)


def _openvino(graph: bytes, variant: Variant, threads: int) -> Backend:
    from .openvino import OpenVinoBackend

    return OpenVinoBackend(graph, variant, threads)


#: Name → maker, in the order in which ``auto`` tries them. Makers import their module when called.
MAKERS: dict[str, Callable[[bytes, Variant, int], Backend]] = {
    "onnxruntime": _onnx_runtime,
    "openvino": _openvino,
}
CHOICES = (AUTO, *MAKERS)


def make_backend(bundle: Bundle, name: str = AUTO, threads: int = 0) -> Backend:
    """A backend over the variant of ``bundle`` that is meant for it.

    Args:
        bundle: an opened bundle; the graph's bytes are checked against its manifest again as they are read.
        name: one of `CHOICES`.
        threads: threads of one inference; 0 lets the backend choose.

    Raises:
        UserError: the backend is unknown, not installed, or cannot load the graph; for ``auto``, none could
            (with the reason of each).
    """
    if name not in CHOICES:
        raise UserError(f"unknown backend '{name}'", fix="use one of " + ", ".join(CHOICES))
    reasons = []
    for candidate in MAKERS if name == AUTO else (name,):
        try:
            variant = choose_variant(bundle.manifest, candidate)
            return MAKERS[candidate](bundle.read(variant.file), variant, threads)
        except ImportError as error:
            reasons.append(f"{candidate}: not installed ({error})")
        except UserError as error:
            if name != AUTO:
                raise
            reasons.append(f"{candidate}: {error}")
    raise UserError("no backend can serve this bundle", where=bundle.directory, fix="; ".join(reasons))


def choose_variant(manifest: Manifest, backend: str) -> Variant:
    """The variant for ``backend``: fp32 when it is meant for it, else the first that is.

    Raises:
        UserError: no variant is meant for this backend.
    """
    meant = [variant for variant in manifest.variants.values() if backend in variant.meant_for]
    if not meant:
        raise UserError(f"bundle {manifest.name} v{manifest.version} has no variant for '{backend}'")
    return next((variant for variant in meant if variant.precision == "fp32"), meant[0])

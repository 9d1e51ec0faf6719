"""Which backend serves a bundle, and in which precision: explicit tables, and ``auto`` that tries them in order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from perception_common.errors import UserError

from ..cancelling import never
from ..contract.manifest import Manifest, Variant
from ..engines.source import EngineMissing, Engines
from .base import BF16, Backend
from .tensorrt import MODULES, EngineRefused, TensorRtBackend, require_gpu

if TYPE_CHECKING:
    from ..models import Bundle

AUTO = "auto"
#: Of a bundle's graphs.
GRAPHS = (AUTO, "fp32", "fp16", "int8", "int8_cpu")
PRECISIONS = (*GRAPHS, BF16)


@dataclass(frozen=True)
class Wish:
    """How a bundle is to be run.

    Attributes:
        backend: one of `CHOICES`; ``auto`` takes the first that works here.
        precision: one of `PRECISIONS`; ``auto`` is fp16 for TensorRT where the bundle has it, and fp32 elsewhere; for
            OpenVINO bf16 where the processor has it and it is ``held``.
        threads: CPU threads of one inference; 0 lets the backend choose.
        engines: where TensorRT's engines come from; None for the default cache, in which an engine is built when
            TensorRT is asked for by name.
        may_build: whether engines may be built now, which takes minutes; None: when the backend is asked for by name.
        cancelled: asked while an engine is built.
        side_by_side: whether there may be a second session for images that come faster than they are answered.
        at_once: images that the session is asked of at once.
        held: whether the answers are held against the trainer's before they are used.
    """

    backend: str = AUTO
    precision: str = AUTO
    threads: int = 0
    engines: Engines | None = None
    may_build: bool | None = None
    cancelled: Callable[[], bool] = never
    side_by_side: bool = False
    at_once: int = 1
    held: bool = False


#: Whatever works here.
ANY = Wish()


class Made(NamedTuple):
    """A backend, and the one that ``auto`` would have preferred if its engine had been built (or None)."""

    backend: Backend
    waiting: str | None


def _onnx_runtime(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> Backend:
    from .onnx_runtime import OnnxRuntimeBackend

    return OnnxRuntimeBackend(bundle.read(variant.file), variant, wish.threads)


def _openvino(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> Backend:
    from .openvino import OpenVinoBackend, computes_in_bfloat16

    if wish.precision == BF16 and not computes_in_bfloat16():
        raise UserError("this processor does not compute in bfloat16", fix="choose another precision")
    may = wish.precision == AUTO and wish.held and variant.precision == "fp32"
    bf16 = wish.precision == BF16 or (may and computes_in_bfloat16())
    return OpenVinoBackend(bundle.read(variant.file), variant, wish.threads, wish.at_once, bf16)


def _tensorrt(name: str, bundle: Bundle, variant: Variant, wish: Wish) -> Backend:
    # First, for it is cheap: the libraries take a second and 100 MB.
    require_gpu()
    engines = Engines() if wish.engines is None else wish.engines
    may_build = wish.backend != AUTO if wish.may_build is None else wish.may_build
    engine = engines.get(name, bundle, variant, may_build, wish.cancelled)
    try:
        return TensorRtBackend(name, engine, variant)
    except EngineRefused as error:
        # The key does not know what changed; only a new engine helps.
        engines.tell(f"{bundle.title}: {error}")
        engines.remove(name, bundle, variant)
        return TensorRtBackend(name, engines.get(name, bundle, variant, may_build, wish.cancelled), variant)


#: Name → maker, in the order in which ``auto`` tries them. Makers import their libraries when called.
MAKERS: dict[str, Callable[[str, Bundle, Variant, Wish], Backend]] = {
    **dict.fromkeys(MODULES, _tensorrt),
    "onnxruntime": _onnx_runtime,
    "openvino": _openvino,
}
CHOICES = (AUTO, *MAKERS)
#: What ``auto`` takes of a bundle's precisions, the first that is there.
_PREFERRED = dict.fromkeys(MODULES, ("fp16", "fp32"))


def make_backend(bundle: Bundle, wish: Wish = ANY) -> Backend:
    """`choose_backend`, where it does not matter what else could have been."""
    return choose_backend(bundle, wish).backend


def choose_backend(bundle: Bundle, wish: Wish) -> Made:
    """A backend over the variant of ``bundle`` that is meant for it; a graph is checked again as it is read.

    Raises:
        UserError: the backend is unknown, not installed, or cannot load the graph; for ``auto``, none could
            (with the reason of each).
        EngineMissing: the backend that was asked for needs an engine, which must not be built now.
        Cancelled: ``wish.cancelled`` said so.
    """
    if wish.backend not in CHOICES:
        raise UserError(f"unknown backend '{wish.backend}'", fix="use one of " + ", ".join(CHOICES))
    reasons: list[str] = []
    waiting = None
    for name in MAKERS if wish.backend == AUTO else (wish.backend,):
        try:
            variant = choose_variant(bundle.manifest, name, wish.precision)
            return Made(MAKERS[name](name, bundle, variant, wish), waiting)
        except ImportError as error:
            reasons.append(f"{name}: not installed ({error})")
        except UserError as error:
            if wish.backend != AUTO:
                raise
            if isinstance(error, EngineMissing):
                waiting = waiting or error.backend
            reasons.append(f"{name}: {error}")
    raise UserError("no backend can serve this bundle", where=bundle.directory, fix="; ".join(reasons))


def choose_variant(manifest: Manifest, backend: str, precision: str = AUTO) -> Variant:
    """The variant for ``backend``: that of the precision asked for, else the one preferred there.

    Raises:
        UserError: no variant of this precision is meant for this backend.
    """
    if precision == BF16:
        if backend != "openvino":
            raise UserError(f"'{backend}' does not compute in bf16, openvino does")
        precision = "fp32"
    family = "tensorrt" if backend in MODULES else backend
    meant = {key: variant for key, variant in manifest.variants.items() if family in variant.meant_for}
    if precision != AUTO:
        meant = {key: variant for key, variant in meant.items() if key == precision}
    if not meant:
        wanted = "variant" if precision == AUTO else f"variant in {precision}"
        raise UserError(f"bundle {manifest.name} v{manifest.version} has no {wanted} for '{backend}'")
    return next((meant[key] for key in _PREFERRED.get(backend, ("fp32",)) if key in meant), next(iter(meant.values())))

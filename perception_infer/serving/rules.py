"""What a robot accepts, and the words in which a server speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ..loading import Proven
from ..models import Bundle
from ..predictor import Predictor

T = TypeVar("T")


@dataclass(frozen=True)
class Rules:
    """What a robot accepts: one model name, whether to step back in versions, whether the classes may change.

    Attributes:
        watch_frames: the model before stays ready over so many first frames of a new one, and comes back if that fails.
        canary_frames: a new model has to answer so many frames beside the one that serves before it takes over.
        canary_agreement: how far their answers must agree on average, from 0 to 1 (see `contract.agreement`).
        build: when engines are built: ``at_once``, ``when_idle``, or ``never``.
        keep_versions: how many of a model's newest versions stay on the disk once a newer one is ready (0: all).
    """

    name: str
    allow_downgrade: bool = False
    accept_class_change: bool = False
    watch_frames: int = 0
    canary_frames: int = 0
    canary_agreement: float = 0.0
    build: str = "at_once"
    keep_versions: int = 0


@dataclass(frozen=True)
class Announcement:
    """Name, URI of the manifest and version, as told on the topic ``checkpoint``.

    ``by_hand`` is a version that the operator asks for; ``rebuild`` the one that serves, on a backend that had to wait
    for its engine; ``again`` one that hung, after which nothing serves.
    """

    name: str
    uri: str
    version: int
    by_hand: bool = False
    rebuild: bool = False
    again: bool = False

    @property
    def why(self) -> str:
        """What it is loaded for, for people."""
        if self.again:
            return "loaded anew after it hung"
        return "its engine is there" if self.rebuild else "chosen by hand" if self.by_hand else "announced"

    @property
    def title(self) -> str:
        """``name v3``, for people."""
        return f"{self.name} v{self.version}"


@dataclass(frozen=True)
class Answer(Generic[T]):
    """What a model answered; ``first`` when another one, or none, answered the frame before."""

    value: T
    predictor: Predictor
    first: bool


@dataclass(frozen=True)
class Hung:
    """A model that was left behind because it did not answer.

    Attributes:
        predictor: the model; whoever asked it frees it.
        since: when the call began that does not end (`time.monotonic`).
        tried: it was only tried, while another one served.
        successor: what serves now, or with the next frame; None when there is nothing.
    """

    predictor: Predictor
    since: float
    tried: bool
    successor: Predictor | None

    @property
    def title(self) -> str:
        """``name v3 on onnxruntime``, for people."""
        return f"{self.predictor.bundle.title} on {self.predictor.backend.name}"


@dataclass(frozen=True)
class ServerStatus:
    """Counters and state at one moment.

    ``swaps`` counts replacements, ``loads`` models that were proven ready, ``rolled_back`` those of the swaps that were
    undone because the new model failed. ``canary`` is the mean agreement of the last model that answered beside the one
    that serves, -1 before there was any. ``signer`` is the
    trusted key that signed what is shown, empty for none. ``waits`` names the backend that waits for its engine.
    """

    name: str = ""
    version: int = 0
    backend: str = ""
    signer: str = ""
    loading: bool = False
    pinned: bool = False
    waits: str = ""
    loads: int = 0
    swaps: int = 0
    refused: int = 0
    ignored: int = 0
    rolled_back: int = 0
    canary: float = -1.0
    last_error: str = ""


class Load(Protocol):
    """Makes a bundle ready to serve (load, warm up, prove parity), giving up when the callable returns True."""

    def __call__(self, bundle: Bundle, cancelled: Callable[[], bool], may_build: bool, /) -> Proven:
        """Raise `UserError`, `EngineMissing` (where engines must not be built) or `Cancelled` when it cannot."""

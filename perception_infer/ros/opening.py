"""From infer_node's parameters to a server of its models, with the first of them ready where there is one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ..backends.select import Wish
from ..loading import Proven, load_proven
from ..models import Bundle, ModelRepository
from ..serving import ModelServer, PatientLoad, Record, Rules
from .infer_params import InferParams


def open_server(
    params: Callable[[], InferParams],
    node: str,
    tell: Callable[[str, bool], None],
    idle: Callable[[], bool],
    ending: threading.Event,
) -> ModelServer:
    """A server as the parameters say.

    Args:
        params: the present ones; some may change while the server lives.
        node: full name of the node.
        tell: called with one line for the log, and whether it is an error; from any thread.
        idle: whether nobody needs answers now.
        ending: set when the node is told to end.

    Raises:
        UserError: keys, model or allowed URLs cannot be used.
        Cancelled: the node was told to end meanwhile.
    """
    now = params()
    root = Path(now.model_root).expanduser()
    rules = Rules(
        now.model, now.allow_downgrade, now.on_class_change == "accept", now.watch_frames, now.canary_frames,
        now.canary_agreement, now.engine_build, now.keep_versions,
    )  # fmt: skip

    def log(line: str) -> None:
        tell(line, False)

    def complain(line: str) -> None:
        tell(line, True)

    wish = replace(now.wish(log, complain), side_by_side=now.side_by_side)
    logged: Any = partial(_load_logged, wish, log)
    load = PatientLoad(logged, lambda: params().hang_seconds, ending.is_set)
    repository = ModelRepository(root, now.trusted())
    fetch = now.fetcher(root, repository.trust, log)
    record = Record(now.history(root, complain), now.model, node)
    server = ModelServer(repository, rules, load, tell, idle, record, fetch)
    try:
        server.pin(now.pin)
        if not server.load_first(now.version or None) and not server.status().waits:
            log(f"no model '{now.model}' in {root} yet: waiting for the first announcement")
    except BaseException:
        server.close()
        raise
    return server


def _load_logged(
    wish: Wish, log: Callable[[str], Any], bundle: Bundle, cancelled: Callable[[], bool], may_build: bool
) -> Proven:
    """`load_proven`, with a line about what was proven."""
    began = time.perf_counter()
    proven = load_proven(bundle, replace(wish, cancelled=cancelled, may_build=may_build))
    parity = proven.parity
    log(
        f"{bundle.title}: loaded and proven in {time.perf_counter() - began:.2f} s "
        f"({parity.objects} objects in {parity.images} images, worst IoU {parity.min_iou:.4f}, "
        f"worst score error {parity.max_score_error:.4f})"
    )
    return proven

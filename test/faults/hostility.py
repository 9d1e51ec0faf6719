"""What hostile bundles and announcements are made of, and how many attempts with them went through."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from perception_common import durable
from perception_common.errors import UserError
from perception_infer.contract.manifest import MANIFEST_NAME
from perception_infer.loading import load_proven
from perception_infer.models import open_bundle
from perception_infer.trust import ANYONE, Trust

HOSTILE = "Hostile bundles and announcements"


def relist(bundle: Path, **changes: Any) -> None:
    """Write the manifest anew with true sizes and hashes, as somebody would who makes hostile bundles."""
    path = bundle / MANIFEST_NAME
    told = json.loads(path.read_text()) | changes
    for name, listed in told["files"].items():
        if (bundle / name).is_file():
            listed |= {"size": (bundle / name).stat().st_size, "sha256": durable.sha256(bundle / name)}
    path.write_text(json.dumps(told))


def accepted(*attempts: Callable[[], object]) -> int:
    """How many of the attempts went through; a refusal is a `UserError` of one line, and nothing else."""
    count, refusals = 0, []
    for attempt in attempts:
        try:
            attempt()
            count += 1
        except UserError as error:
            refusals.append(str(error))
    assert not any("\n" in line for line in refusals), refusals
    return count


def served(bundle: Path, trust: Trust = ANYONE) -> Callable[[], None]:
    def attempt() -> None:
        load_proven(open_bundle(bundle, trust)).predictor.close()

    return attempt


def rogue_locations(good: str, root: Path, outside: Path) -> list[str]:
    """What nobody should announce: ``good`` is in the repository ``root``, and ``outside`` linked there."""
    return [
        "file:///etc/passwd", "file:///etc/manifest.json", "file://evil.example/etc/manifest.json", "ftp://x/manifest.json",
        "http://127.0.0.1:9/rectangles/2/manifest.json", f"{good}?x=1", f"{good}#x", f"{good}%00", good.upper(),
        (outside / MANIFEST_NAME).as_uri(), (root / "linked" / "1" / MANIFEST_NAME).as_uri(),
        good.replace("rectangles", "rectangles/../../outside/rectangles"),
        good.replace("rectangles", "rectangles/%2e%2e/%2e%2e/outside/rectangles"),
        "file:", "", "\0", "x" * 1_000_000, "manifest.json", "javascript:alert(1)", "file://[::1/manifest.json",
    ]  # fmt: skip

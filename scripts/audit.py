#!/usr/bin/env python3
"""Look every pinned version up in a list of known vulnerabilities, by pip-audit (`make audit`).

Needs a network, and a package index or OSV service that tells of advisories. Many mirrors do not, and for pip-audit a
package of which nothing is told is a sound one. So a version with an advisory is asked for first: where that is not
found, nothing else is asked, and nothing is called sound.

Exit status: 0 nothing was found, 1 something was, 2 usage, 3 it could not be looked up.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from pin import ROOT, pinned

REQUIREMENTS = ROOT / "requirements"
PASSED_OVER = "advisories.yaml"
# A release with an advisory since 2021 (PYSEC-2021-66).
KNOWN = ("jinja2", "2.11.2")
_PATIENCE_S = 600
Vulnerable = tuple[str, str, dict[str, Any]]


class Ignored(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An advisory that does no harm here, and until when that was judged."""

    id: str
    package: str
    reason: str
    until: datetime.date


class NotLookedUp(Exception):
    """Why nothing is known, in one line."""


def ask(versions: dict[str, str], service: list[str]) -> dict[str, dict[str, Any]]:
    """What pip-audit tells of one version of each package, by name: ``vulns``, or a ``skip_reason``.

    Raises:
        NotLookedUp: the service cannot be reached, or gives no usable answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.txt"
        wanted.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()), encoding="utf-8")
        command = [sys.executable, "-m", "pip_audit", "--format=json", "--progress-spinner=off", "--no-deps"]
        command += ["--disable-pip", f"--requirement={wanted}", f"--cache-dir={folder}/cache", *service]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise NotLookedUp(f"pip-audit does not end within {_PATIENCE_S} s") from error
    try:
        return {entry["name"]: entry for entry in json.loads(done.stdout)["dependencies"]}
    except (ValueError, KeyError, TypeError) as error:
        lines = done.stderr.strip().splitlines() or ["pip-audit says nothing"]
        raise NotLookedUp(lines[-1][:300]) from error


def look_up(pins: dict[str, set[str]], service: list[str]) -> tuple[list[Vulnerable], list[str]]:
    """The advisories (package, version, what pip-audit tells), and the versions of which nothing is known.

    Raises:
        NotLookedUp: the service tells of no advisories at all, or fails.
    """
    name, version = KNOWN
    told = ask({name: version}, service).get(name, {})
    if not told.get("vulns"):
        why = told.get("skip_reason", f"it knows of no advisory for {name} {version}, which has some")
        raise NotLookedUp(f"the service tells of no advisories ({why})")
    found: list[Vulnerable] = []
    unknown: list[str] = []
    # pip-audit takes one version of a package at a time.
    for turn in range(max(map(len, pins.values()), default=0)):
        versions = {name: sorted(those)[turn] for name, those in pins.items() if turn < len(those)}
        answers = ask(versions, service)
        for name, version in versions.items():
            entry = answers.get(name, {})
            if "vulns" not in entry:
                unknown.append(f"{name} {version}")
            found += [(name, version, advisory) for advisory in entry.get("vulns", ())]
    return found, unknown


def told_of(name: str, version: str, advisory: dict[str, Any]) -> str:
    """One line of an advisory."""
    ids = " ".join([advisory["id"], *(f"({alias})" for alias in advisory.get("aliases", ()))])
    mended = advisory["fix_versions"]
    return f"{name} {version}: {ids}, " + (f"mended in {' and '.join(mended)}" if mended else "not mended yet")


def read_ignored(path: Path) -> list[Ignored]:
    """The entries of advisories.yaml that still hold; of the others one line is printed.

    Raises:
        ValueError: the file is not as it has to be.
    """
    entries = msgspec.yaml.decode(path.read_bytes(), type=list[Ignored]) if path.exists() else []
    over = [entry for entry in entries if entry.until < datetime.date.today()]
    for entry in over:
        print(f"audit: {entry.id} of {entry.package} was passed over until {entry.until}: judge it anew in {path}")
    return [entry for entry in entries if entry not in over]


def report(count: int, found: list[Vulnerable], unknown: list[str], ignored: list[Ignored], path: Path) -> int:
    """Tell what was found, and how many advisories nobody has judged."""
    used, lines = set(), []
    for name, version, advisory in found:
        ids = {advisory["id"], *advisory.get("aliases", ())}
        hits = {entry for entry in ignored if entry.package == name and entry.id in ids}
        used |= hits
        if not hits:
            lines.append(told_of(name, version, advisory))
    for line in lines:
        print(f"audit: {line}", file=sys.stderr)
    for entry in ignored:
        if entry not in used:
            print(f"audit: {entry.id} of {entry.package} is no longer found: remove it from {path}")
    if unknown:
        print(f"audit: NOT known to the service: {', '.join(unknown)}", file=sys.stderr)
    looked_up = f"{count - len(unknown)} of {count} versions looked up"
    print(f"audit: {looked_up}, {len(found)} advisories, {len(found) - len(lines)} of them passed over")
    return len(lines)


def main() -> int:
    """Look up, and tell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--if-possible", action="store_true", help="exit with 0 where it cannot be looked up")
    parser.add_argument("--service", choices=("pypi", "osv"), default="pypi", help="whom to ask (default: pypi)")
    parser.add_argument("--osv-url", help="another OSV service, as an organisation may have it")
    parser.add_argument("--requirements", type=Path, default=REQUIREMENTS, help="where the pins are")
    arguments = parser.parse_args()
    service = [f"--vulnerability-service={arguments.service}"]
    service += [f"--osv-url={arguments.osv_url}"] if arguments.osv_url else []
    pins = pinned(arguments.requirements)
    count = sum(map(len, pins.values()))
    path = arguments.requirements / PASSED_OVER
    not_known = 0 if arguments.if_possible else 3
    try:
        ignored = read_ignored(path)
        found, unknown = look_up(pins, service)
    except ValueError as error:
        print(f"audit: {path}: {error}", file=sys.stderr)
        return 2
    except NotLookedUp as reason:
        print(f"audit: {count} versions were NOT looked up: {reason}", file=sys.stderr)
        return not_known
    if report(count, found, unknown, ignored, path):
        print(f"audit: raise the pins (`make pins ARGS=--upgrade`), or say in {path} why not", file=sys.stderr)
        return 1
    return not_known if unknown else 0


if __name__ == "__main__":
    sys.exit(main())

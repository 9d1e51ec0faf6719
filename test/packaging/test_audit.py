"""`make audit`: the real pip-audit against a vulnerability service of ours, on this machine (OSV's interface)."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "audit.py"
LATER = datetime.date.today() + datetime.timedelta(days=30)
KNOWN = ("jinja2", "2.11.2")


def advisory(package: str, number: int, mended: str | None) -> dict[str, Any]:
    """As OSV tells it."""
    events = [{"introduced": "0"}, *([{"fixed": mended}] if mended else [])]
    affected = {
        "package": {"name": package, "ecosystem": "PyPI"},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": f"GHSA-{number}", "aliases": [f"CVE-{number}"], "summary": "bad", "affected": [affected]}


class Service(ThreadingHTTPServer):
    """What it ``knows`` are the advisories of a (package, version); ``asked`` is what it was asked for."""

    knows: dict[tuple[str, str], list[dict[str, Any]]]
    asked: list[tuple[str, str]]
    status = 200


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Service)
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        what = (wish["package"]["name"], wish["version"])
        self.server.asked.append(what)
        found = self.server.knows.get(what)
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps({"vulns": found} if found else {}).encode())

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service(("127.0.0.1", 0), Answer)
    server.knows, server.asked = {KNOWN: [advisory("jinja2", 1, "2.11.3")]}, []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    """Two sets of pins; one package has three versions in them."""
    lines = ("some==1.0 ; python_full_version < '3.11' \\\n    --hash=sha256:00", "some==2.0", "other==5.1")
    (tmp_path / "one.pins.txt").write_text("# written\n" + "\n".join(lines) + "\n")
    (tmp_path / "two.pins.txt").write_text("# written\nsome==3.0\nother==5.1\n")
    return tmp_path


def audit(pins: Path, port: int, *more: str) -> subprocess.CompletedProcess[str]:
    words = ["--service", "osv", "--osv-url", f"http://127.0.0.1:{port}/", "--requirements", str(pins), *more]
    environment = {**os.environ, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    command = [sys.executable, str(SCRIPT), *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_every_pinned_version_is_asked_for(pins: Path, service: Service) -> None:
    done = audit(pins, service.server_port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "4 of 4 versions looked up, 0 advisories" in done.stdout
    assert service.asked[0] == KNOWN
    assert sorted(service.asked[1:]) == [("other", "5.1"), ("some", "1.0"), ("some", "2.0"), ("some", "3.0")]


def test_an_advisory_fails_and_says_all_that_is_needed(pins: Path, service: Service) -> None:
    service.knows["some", "2.0"] = [advisory("some", 7, "2.0.1"), advisory("some", 8, None)]
    done = audit(pins, service.server_port, "--if-possible")
    assert done.returncode == 1
    # pip-audit chooses which of its names comes first.
    assert "audit: some 2.0: CVE-7 (GHSA-7), mended in 2.0.1\n" in done.stderr
    assert "audit: some 2.0: CVE-8 (GHSA-8), not mended yet\n" in done.stderr
    assert "make pins" in done.stderr


def test_advisories_that_were_judged_are_passed_over(pins: Path, service: Service) -> None:
    for version in ("1.0", "2.0"):
        service.knows["some", version] = [advisory("some", 7, "2.0.1")]
    path = pins / "advisories.yaml"
    entry = "- {{id: {}, package: {}, reason: its server is not used here, until: {}}}\n"
    path.write_text(entry.format("CVE-7", "some", LATER))
    done = audit(pins, service.server_port)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 advisories, 2 of them passed over" in done.stdout
    path.write_text(entry.format("CVE-7", "other", LATER))
    done = audit(pins, service.server_port)
    assert done.returncode == 1
    assert "CVE-7 of other is no longer found: remove it" in done.stdout
    path.write_text(entry.format("CVE-7", "some", "2024-01-01"))
    done = audit(pins, service.server_port)
    assert done.returncode == 1
    assert "passed over until 2024-01-01: judge it anew" in done.stdout


@pytest.mark.parametrize(
    "text", ["- {id: CVE-7, package: some}", "- {id: CVE-7, pacage: some}", "some", "- [", "{a: 1}"]
)
def test_a_list_of_judgements_that_is_wrong_is_refused(pins: Path, service: Service, text: str) -> None:
    (pins / "advisories.yaml").write_text(text)
    done = audit(pins, service.server_port)
    assert done.returncode == 2
    assert "advisories.yaml" in done.stderr
    assert "Traceback" not in done.stderr
    assert service.asked == []


def test_a_service_that_knows_nothing_calls_nothing_sound(pins: Path, service: Service) -> None:
    service.knows = {}
    done = audit(pins, service.server_port)
    assert done.returncode == 3
    assert done.stderr.startswith("audit: 4 versions were NOT looked up: the service tells of no advisories")
    assert done.stderr.count("\n") == 1
    assert service.asked == [KNOWN]
    assert audit(pins, service.server_port, "--if-possible").returncode == 0


def test_a_service_that_fails_calls_nothing_sound(pins: Path, service: Service) -> None:
    service.status = 503
    done = audit(pins, service.server_port)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("audit: 4 versions were NOT looked up: ")
    assert done.stderr.count("\n") == 1


def test_no_service_calls_nothing_sound(pins: Path) -> None:
    # Nobody listens on the discard port.
    done = audit(pins, 9)
    assert (done.returncode, done.stdout) == (3, "")
    assert "Connection refused" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_version_that_the_service_does_not_know_is_named(
    monkeypatch: pytest.MonkeyPatch, pins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only PyPI's interface says so; its address is fixed in pip-audit, so its answer is given here."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    import audit as script  # type: ignore[import-not-found]

    def ask(versions: dict[str, str], service: list[str]) -> dict[str, dict[str, Any]]:
        known = {name: {"vulns": []} for name in versions}
        if KNOWN[0] in versions:
            return {KNOWN[0]: {"vulns": [{"id": "GHSA-1", "fix_versions": ["2.11.3"]}]}}
        return known | ({"other": {"skip_reason": "Dependency not found on PyPI"}} if "other" in versions else {})

    monkeypatch.setattr(script, "ask", ask)
    for words, status in ((), 3), (("--if-possible",), 0):
        monkeypatch.setattr(sys, "argv", ["audit.py", "--requirements", str(pins), *words])
        assert script.main() == status
        told = capsys.readouterr()
        assert "NOT known to the service: other 5.1" in told.err
        assert "3 of 4 versions looked up" in told.out


def test_our_own_judgements_can_be_read() -> None:
    code = "import audit; print(audit.read_ignored(audit.REQUIREMENTS / audit.PASSED_OVER))"
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60)
    assert done.returncode == 0, done.stderr

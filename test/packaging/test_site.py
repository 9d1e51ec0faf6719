"""The site of docs/: built strictly, with a reference of everything there is, and nothing from the network."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("mkdocs", reason="mkdocs is not installed")
pytest.importorskip("rclpy", reason="ROS 2 is not installed")

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import reference
from make_config import NODES, PROGRAMS
from topic_tables import ENDS

from perception_common.params import specs

ROOT = Path(__file__).resolve().parents[2]
QUIET = {"NO_MKDOCS_2_WARNING": "1"}


def build(config: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--config-file", str(config), "--site-dir", str(folder)]
    environment = os.environ | QUIET | {"PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=150)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    done = build(ROOT / "mkdocs.yml", folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


def html(site: Path, page: str) -> str:
    return (site / page).read_text(encoding="utf-8")


def test_a_page_for_every_file_of_docs(site: Path) -> None:
    pages = [path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")]
    pages += [Path(uri).with_suffix(".html") for uri in reference.pages()]
    assert [str(page) for page in pages if not (site / page).is_file()] == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[x](nowhere.md)", "'nowhere.md', but the target is not found"),
        ("[x](other.md#nowhere)", "does not contain an anchor '#nowhere'"),
        ("![x](nowhere.png)", "'nowhere.png', but the target is not found"),
        ("[x](/other.md)", "absolute link"),
    ],
)
def test_what_leads_nowhere_ends_the_build(tmp_path: Path, text: str, told: str) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text(f"# One\n\n{text}\n")
    (docs / "other.md").write_text("# Other\n")
    own = {"docs_dir": str(docs), "nav": ["index.md", "other.md"], "hooks": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump({"INHERIT": str(ROOT / "mkdocs.yml"), **own}))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert told in done.stderr


def test_a_page_that_is_not_listed_ends_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in ("index", "other"):
        (docs / f"{name}.md").write_text("# One\n")
    own = {"docs_dir": str(docs), "nav": ["index.md"], "hooks": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump({"INHERIT": str(ROOT / "mkdocs.yml"), **own}))
    done = build(tmp_path / "mkdocs.yml", tmp_path / "site")
    assert done.returncode == 1
    assert "not included in the" in done.stderr


def test_the_reference_has_every_flag_with_an_anchor(site: Path) -> None:
    missing = []
    for program, commands in PROGRAMS.items():
        page = html(site, f"reference/{program}.html")
        for command in commands:
            flags = [name.replace("_", "-") for name in specs(command.params)]
            missing += [f"{command.name} --{flag}" for flag in flags if f'id="{command.name}-{flag}"' not in page]
            missing += [] if f"{program} {command.name}" in page else [command.name]
    assert missing == []


def test_the_reference_has_every_parameter_of_the_nodes(site: Path) -> None:
    page = html(site, "reference/nodes.html")
    anchors = [f"{node}-{name.replace('_', '-')}" for node, params in NODES.items() for name in specs(params)]
    assert [anchor for anchor in anchors if f'id="{anchor}"' not in page] == []


def test_the_reference_has_every_topic_with_its_quality_of_service(site: Path) -> None:
    page = html(site, "reference/topics.html")
    assert page.count("<tr>") >= sum(map(len, ENDS.values()))
    row = re.search(r"<tr>\s*<td><code>checkpoint</code></td>.*?</tr>", page, re.DOTALL)
    assert row is not None
    assert "reliable, latched, keep last 1" in row[0]


def test_the_parts_of_a_manifest_lead_to_each_other(site: Path) -> None:
    page = html(site, "reference/manifest.html")
    targets = set(re.findall(r'href="#([a-z]+)"', page))
    assert {"variant", "tensor", "tolerance", "dataset", "file"} <= targets
    assert [target for target in targets if f'id="{target}"' not in page] == []


def test_pages_link_to_files_of_the_repository(site: Path) -> None:
    assert 'href="files/config/preset.yaml.html"' in html(site, "world.html")
    assert "log_uniform" in html(site, "files/config/preset.yaml.html")


def test_commands_that_need_hardware_say_so(site: Path) -> None:
    assert "needs a Jetson" in html(site, "tutorials/jetson.html")
    assert "needs 4 GPUs" in html(site, "tutorials/several-gpus.html")
    assert "takes 6 minutes" in html(site, "tutorials/first-model.html")
    assert "in a second terminal" in html(site, "tutorials/first-model.html")


def test_nothing_comes_from_elsewhere(site: Path) -> None:
    wanted = re.compile(r"<(?:script|link|img|iframe|source)\b[^>]*?(?:src|href)=[\"']?(?:https?:)?//[^\"'> ]+")
    found = {str(path.relative_to(site)): wanted.findall(path.read_text("utf-8")) for path in site.rglob("*.html")}
    assert {page: urls for page, urls in found.items() if urls} == {}
    styles = [path.read_text("utf-8") for path in site.rglob("*.css")]
    assert not [style for style in styles if re.search(r"(?:url\(|@import )[\"']?(?:https?:)?//", style)]


def test_the_drawing_is_what_its_script_draws() -> None:
    import make_diagram

    assert make_diagram.TARGET.read_text(encoding="utf-8") == make_diagram.drawing(), "run scripts/make_diagram.py"

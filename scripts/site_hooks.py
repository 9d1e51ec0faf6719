"""What mkdocs does for the site beside turning Markdown into HTML (`hooks` in mkdocs.yml).

- The reference is made from the code (`reference.py`).
- Pages link to files of the repository as they lie there; the site gets a page for each such file.
- Blocks that begin with a mark (`# needs: …`, `# takes: …`, `# in a second terminal`, `# file: …`) show it above them.
- Drawings (SVG) become part of their page, so that their colours follow its light or dark scheme.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import reference
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
_LINK = re.compile(r"(?<=\]\()(?P<target>\.\./[^)#\s]+)(?=[)#])")
_MARK = re.compile(
    r"^(?P<fence> *```\w+)\n *# (?P<told>(?:needs|takes|end of|file): .+|in a (?:second|third|fourth) terminal)\n",
    re.MULTILINE,
)
_DRAWING = re.compile(r'<img alt="(?P<alt>[^"]*)" src="(?P<source>[^"]+\.svg)"\s*/?>')
_LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".xml": "xml", ".md": "markdown"}


def on_files(files: Files, config: Any) -> Files:
    """Add the reference, and the files of the repository that pages link to."""
    texts = {file.src_uri: file.content_string for file in files.documentation_pages()}
    for uri, text in reference.pages().items():
        texts[uri] = text
        files.append(File.generated(config, uri, content=text))
    for uri, text in sorted(texts.items()):
        for path in filter(None, (_outside(uri, match["target"]) for match in _LINK.finditer(text))):
            shown = _shown(path)
            if files.get_file_from_path(shown) is None:
                files.append(File.generated(config, shown, content=_page_of(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links out of docs/ to the pages of those files, and marks of commands into titles."""

    def turned(match: re.Match[str]) -> str:
        path = _outside(page.file.src_uri, match["target"])
        return (
            match["target"] if path is None else posixpath.relpath(_shown(path), posixpath.dirname(page.file.src_uri))
        )

    def marked(match: re.Match[str]) -> str:
        return f'{match["fence"]} title="{match["told"].replace(":", "", 1)}"\n'

    return _MARK.sub(marked, _LINK.sub(turned, markdown))


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Put drawings into the page."""

    def drawn(match: re.Match[str]) -> str:
        where = posixpath.normpath(posixpath.join(posixpath.dirname(page.file.dest_uri), match["source"]))
        drawing = (DOCS / where).read_text(encoding="utf-8").partition("<svg")[2]
        return f'<div class="drawing"><svg role="img" aria-label="{match["alt"]}"{drawing}</div>'

    return _DRAWING.sub(drawn, html)


def _outside(uri: str, target: str) -> Path | None:
    """The file of the repository, outside docs/, that a page's link leads to."""
    path = (DOCS / uri).parent.joinpath(target).resolve()
    return path if path.is_file() and ROOT in path.parents and DOCS not in path.parents else None


def _shown(path: Path) -> str:
    return f"files/{path.relative_to(ROOT).as_posix()}.md"


def _page_of(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    fence = "`" * 6
    text = path.read_text(encoding="utf-8")
    language = _LANGUAGES.get(path.suffix, "text")
    return f"---\nsearch:\n  exclude: true\n---\n\n# {name}\n\n{fence}{language}\n{text}{fence}\n"

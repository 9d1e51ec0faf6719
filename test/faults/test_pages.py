"""Names that are markup and script, on every page that the suite writes: they stay text, also in a real browser."""

from __future__ import annotations

import html
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hostility import HOSTILE
from matrix import Fault, zero
from pages import ALL, FEW, made

INJECTED = (
    "classes, pictures, folders and recordings are called <script>…, <img onerror=…>, ' onmouseover=… and the like"
)
#: Pages whose data stands in a script are the first, all others hold text and pictures only.
MOST_KEYS = ("End", "Home", "ArrowRight", "n", "Enter", "Escape")


class _Elements(HTMLParser):
    """Counts what only a name can have made: handlers, scripts and addresses with what the names say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.count = 0
        self.says = 0
        self._script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {key: value or "" for key, value in attrs}
        self.count += sum("broken" in value for key, value in told.items() if key.startswith("on"))
        self.count += sum(told.get(key, "").strip().lower().startswith("javascript:") for key in ("href", "src"))
        self.count += told.get("src") == "x"
        self._script = tag == "script" and told.get("type", "") in ("", "module", "text/javascript")

    def handle_data(self, data: str) -> None:
        self.count += self._script and "broken" in data
        self.says += "broken" in data

    def handle_endtag(self, tag: str) -> None:
        self._script = False


def unescaped(page: Path, folder: Path) -> Path:
    """The weakness: a page that writes names as they are."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{len(list(folder.iterdir()))}.html"
    path.write_text(html.unescape(page.read_text(encoding="utf-8")).replace("\\u003c", "<"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return made(FEW, tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="module")
def every(few: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    others = {name: make for name, make in ALL.items() if name not in FEW}
    return few | made(others, tmp_path_factory.mktemp("pages"))


def executed(browser: Any, path: Path) -> int:
    """1 where something that a name says was executed, with everything on the page used that can be used."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    try:
        page.goto(path.as_uri(), wait_until="load")
        for key in MOST_KEYS:
            page.keyboard.press(key)
        page.evaluate(
            """() => {
                for (const box of document.querySelectorAll("select"))
                    for (const option of box.options) {
                        box.value = option.value;
                        box.dispatchEvent(new Event("change", {bubbles: true}));
                    }
                for (const one of document.querySelectorAll("details")) one.open = true;
                for (const one of document.querySelectorAll("button, input, label, summary, th")) one.click();
                for (const one of document.querySelectorAll("*"))
                    for (const kind of ["mouseover", "mouseenter", "pointermove", "focus"])
                        one.dispatchEvent(new Event(kind, {bubbles: kind !== "focus"}));
            }"""
        )
        page.wait_for_timeout(200)
        return int(page.evaluate("() => Number('broken' in window)"))
    finally:
        page.close()


def markup(fault: Fault, pages: dict[str, Path], folder: Path) -> None:
    seen = {name: _Elements(page.read_text(encoding="utf-8")) for name, page in pages.items()}
    assert all(elements.says for elements in seen.values()), "a page does not show the names"
    fault.observe(f"elements of {len(pages)} pages", sum(elements.count for elements in seen.values()), zero)
    planted = [_Elements(unescaped(page, folder / "weak").read_text(encoding="utf-8")) for page in pages.values()]
    fault.plant("the same pages unescaped", sum(elements.count for elements in planted))


def scripts(fault: Fault, browser: Any, pages: dict[str, Path], folder: Path) -> None:
    count = sum(executed(browser, page) for page in pages.values())
    fault.observe(f"pages of {len(pages)}", count, zero)
    planted = sum(executed(browser, unescaped(page, folder / "weak")) for page in pages.values())
    fault.plant("the same pages unescaped, those without a policy of their own", planted)


@pytest.mark.fault(
    HOSTILE, "markup in names: elements", f"{INJECTED}: preview and demo", "0 elements, handlers, addresses of theirs"
)
def test_names_make_no_elements(fault: Fault, few: dict[str, Path], tmp_path: Path) -> None:
    markup(fault, few, tmp_path)


@pytest.mark.fault(
    HOSTILE, "markup in names: scripts", f"{INJECTED}: preview and demo, in Chromium", "0 scripts executed"
)
def test_names_execute_nothing(fault: Fault, few: dict[str, Path], browser: Any, tmp_path: Path) -> None:
    scripts(fault, browser, few, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.fault(
    HOSTILE,
    "markup in names, on every page: elements",
    f"{INJECTED}: preview, demo, replay, comparison, harvest, gap, training and evaluation, by the real commands",
    "0 elements, handlers, addresses of theirs",
)
def test_names_make_no_elements_on_any_page(fault: Fault, every: dict[str, Path], tmp_path: Path) -> None:
    markup(fault, every, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.fault(
    HOSTILE,
    "markup in names, on every page: scripts",
    f"{INJECTED}: the same pages in Chromium; everything clicked, chosen, hovered and focused",
    "0 scripts executed",
)
def test_names_execute_nothing_on_any_page(fault: Fault, every: dict[str, Path], browser: Any, tmp_path: Path) -> None:
    scripts(fault, browser, every, tmp_path)

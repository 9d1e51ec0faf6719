"""The site in a real browser, opened from the disk: on a desk and on a phone, light and dark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from test_site import ROOT, site

__all__ = ["site"]
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1366, "height": 900}
#: What is wider than the window, and how much of text cannot be told from what lies behind it.
LOOK = """() => {
    const wide = document.documentElement.scrollWidth - window.innerWidth;
    const missing = [...document.images].filter(image => image.complete && !image.naturalWidth).map(image => image.src);
    // What a page's own text leaves open swallows what comes after it.
    const torn = document.querySelectorAll("article footer.md-footer, article script").length;
    return {wide, missing, torn, height: document.body.scrollHeight};
}"""
CONTRAST = """selector => {
    const light = colour => {
        const parts = colour.match(/[\\d.]+/g).map(Number);
        const linear = parts.slice(0, 3).map(part => part / 255).map(
            part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const text = light(getComputedStyle(document.querySelector(selector)).fill);
    const ground = light(getComputedStyle(document.querySelector(".drawing .box")).fill);
    return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
}"""


def listed(entry: Any) -> list[str]:
    """The pages of the navigation."""
    if isinstance(entry, str):
        return [entry.removesuffix(".md") + ".html"]
    inner = entry.values() if isinstance(entry, dict) else entry
    return [page for one in inner for page in listed(one)]


PAGES = listed(yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"])


@pytest.mark.slow
def test_every_page_fits_and_wants_nothing_else(browser: Any, site: Path) -> None:
    context = browser.new_context(viewport=PHONE, color_scheme="light", offline=True)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    seen = {}
    for name in PAGES:
        page.goto((site / name).as_uri())
        seen[name, "phone"] = page.evaluate(LOOK)
        # What slides out of the window would be seen on its way.
        page.add_style_tag(content="* { transition: none !important; }")
        page.set_viewport_size(DESK)
        page.emulate_media(color_scheme="dark")
        seen[name, "desk"] = page.evaluate(LOOK)
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="light")
    context.close()
    assert {where: look for where, look in seen.items() if look["wide"] > 0 or look["missing"] or look["torn"]} == {}
    assert min(look["height"] for look in seen.values()) > 400
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_drawing_can_be_read_in_either_scheme(browser: Any, site: Path, scheme: str) -> None:
    context = browser.new_context(viewport=DESK, color_scheme=scheme)
    page = context.new_page()
    page.goto((site / "architecture.html").as_uri())
    assert page.evaluate(CONTRAST, ".drawing .name") > 7.0
    assert page.evaluate(CONTRAST, ".drawing .what") > 4.5
    context.close()


def test_search_works_without_a_server(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport=DESK)
    page.goto((site / "index.html").as_uri())
    page.locator("input.md-search__input").click()
    page.keyboard.type("letterbox", delay=20)
    first = page.locator(".md-search-result__link").first
    first.wait_for(timeout=20_000)
    assert "letterbox" in first.inner_text().lower()
    page.close()


def test_light_and_dark_can_be_chosen(browser: Any, site: Path) -> None:
    page = browser.new_page(viewport=DESK, color_scheme="light")
    page.goto((site / "index.html").as_uri())
    ground = "getComputedStyle(document.body).backgroundColor"
    before = page.evaluate(ground)
    page.locator("label[for=__palette_1]").click()
    assert page.evaluate(ground) != before
    page.close()

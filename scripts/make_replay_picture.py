#!/usr/bin/env python3
"""Picture of a replay's report for the README, taken by a real browser.

``scripts/make_replay_picture.py runs/replay/report.html [FRAME]`` writes docs/images/replay.png; needs Chromium and the
Python package playwright.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import cv2
import numpy as np
from docs_images import write
from playwright.sync_api import sync_playwright

from perception_common.errors import UserError

_WIDTH, _HEIGHT = 1100, 1500
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def main() -> None:
    """Open the page, at a frame where one is named, and write its upper part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("frame", type=int, nargs="?", default=None)
    told = parser.parse_args()
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise UserError("there is no browser", fix="apt-get install chromium")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": _WIDTH, "height": _HEIGHT})
        page.goto(told.page.absolute().as_uri() + ("" if told.frame is None else f"#frame={told.frame}"))
        page.wait_for_timeout(500)
        data = page.screenshot()
        chromium.close()
    write("replay.png", np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)))


if __name__ == "__main__":
    main()

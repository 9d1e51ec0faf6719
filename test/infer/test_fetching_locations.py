"""Which URLs a robot asks: what is not plain, or not allowed, is refused before anybody is asked."""

from __future__ import annotations

from pathlib import Path

import pytest
from fetched import announced, fetcher, root

from perception_common.errors import UserError
from perception_infer.cancelling import never
from perception_infer.fetching import FetchParams, Location
from perception_infer.serving import Announcement
from perception_infer.trust import ANYONE

__all__ = ["root"]


@pytest.mark.parametrize(
    "uri",
    [
        "http://models:8170/repo/../repo/rectangles/1/manifest.json",
        "http://models:8170/repo/%2e%2e/repo/rectangles/1/manifest.json",
        "http://models:8170/repo/%2E%2E%2Frectangles/1/manifest.json",
        "http://models:8170/repo%2frectangles/1/manifest.json",
        "http://models:8170/repo\\rectangles/1/manifest.json",
        "http://models:8170\\@evil/repo/rectangles/1/manifest.json",
        "http://models:8170/repo//rectangles/1/manifest.json",
        "http://models:8170/repo/./rectangles/1/manifest.json",
        "http://models:8170/repo/rectangles/1/manifest.json?x=1",
        "http://models:8170/repo/rectangles/1/manifest.json#x",
        "http://models:8170/repo/rectangles/1/manifest.json\n",
        "http://models:8170/repo/rectangles/1/manifest.json ",
        "http://models:8170/repo/rectangles/1/manifest.json/",
        "http://models:8170/repo/rectangles/1/model.onnx",
        "http://models:8170/repo/rectangles/2/manifest.json",
        "http://models:8170/repo/rectangles/01/manifest.json",
        "http://models:8170/repo/circles/1/manifest.json",
        "http://models:8170/repo/rectangles/manifest.json",
        "http://models:8170/repo/deeper/rectangles/1/manifest.json",
        "http://models:8170/repository/rectangles/1/manifest.json",
        "http://models:8170/REPO/rectangles/1/manifest.json",
        "http://models:8170/rectangles/1/manifest.json",
        "http://user:word@models:8170/repo/rectangles/1/manifest.json",
        "http://models:8170@evil/repo/rectangles/1/manifest.json",
        "http://evil:8170/repo/rectangles/1/manifest.json",
        "http://models.evil:8170/repo/rectangles/1/manifest.json",
        "http://models.:8170/repo/rectangles/1/manifest.json",
        "http://models:8171/repo/rectangles/1/manifest.json",
        "http://models/repo/rectangles/1/manifest.json",
        "http://models:08170/repo/rectangles/1/manifest.json",
        "http://models:99999/repo/rectangles/1/manifest.json",
        "https://models:8170/repo/rectangles/1/manifest.json",
        "http:/models:8170/repo/rectangles/1/manifest.json",
        "http://ｍodels:8170/repo/rectangles/1/manifest.json",
        "http://model\u017f:8170/repo/rectangles/1/manifest.json",
        "http://models:8170/repo/rectangles/\u0661/manifest.json",
        "http://models:8170/repo/rectangles/1/manifest.json\0",
        "http://models:8170/repo/" + "a" * 3000 + "/rectangles/1/manifest.json",
        "http://",
    ],
)
def test_other_urls_are_refused_before_anybody_is_asked(root: Path, uri: str) -> None:
    fetch = fetcher(root, "http://models:8170/repo/")
    with pytest.raises(UserError, match=r"not a plain URL|not allowed|there is no port") as caught:
        fetch(Announcement("rectangles", uri, 1), never)
    assert str(caught.value).isascii() or "\N{HORIZONTAL ELLIPSIS}" in str(caught.value)
    assert len(str(caught.value)) < 700
    assert not root.exists()


def test_case_of_scheme_and_host_and_the_usual_port_do_not_matter() -> None:
    assert Location.parse("HTTP://Models:80/a/b") == Location.parse("http://models/a/b")
    assert str(Location.parse("https://[::1]:8170/")) == "https://[::1]:8170/"
    assert str(Location.parse("https://models:443")) == "https://models/"


@pytest.mark.parametrize(
    ("name", "version"), [("../x", 1), (".quarantine", 1), ("", 1), ("a/b", 1), ("a", 0), ("a", -1)]
)
def test_other_names_are_refused(root: Path, name: str, version: int) -> None:
    with pytest.raises(UserError, match=r"no model of such a name|not a plain URL|not allowed"):
        fetcher(root, "http://models/")(announced("http://models/", version, name), never)
    assert not root.exists()


@pytest.mark.parametrize(
    "prefix", ["http://models", "ftp://models/", "http://a@models/", "http://models/%41/", "models/"]
)
def test_prefixes_are_checked_at_the_start(root: Path, prefix: str) -> None:
    with pytest.raises(UserError, match=r"plain URL|end in a slash"):
        FetchParams(fetch_from=(prefix,)).fetcher(root, ANYONE, str)

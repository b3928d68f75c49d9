"""The documentation as a site: it is built without a warning, has every page, and asks nothing of another server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FETCHED = {
    ("audio", "src"),
    ("embed", "src"),
    ("form", "action"),
    ("iframe", "src"),
    ("image", "href"),
    ("image", "xlink:href"),
    ("img", "src"),
    ("img", "srcset"),
    ("input", "src"),
    ("link", "href"),
    ("object", "data"),
    ("script", "src"),
    ("source", "src"),
    ("source", "srcset"),
    ("use", "href"),
    ("use", "xlink:href"),
    ("video", "src"),
}
"""What a browser asks for by itself, or sends to; links that somebody has to follow are not among them."""

ELSEWHERE = re.compile(r"\s*(?:[a-z]+:)?//", re.IGNORECASE)


class Requests(HTMLParser):
    """Everything that a page makes a browser ask for, and its links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if (tag, name) in FETCHED and value:
                self.fetched.append(value)
            if (tag, name) == ("a", "href") and value:
                self.links.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


def pages(site: Path) -> dict[str, Requests]:
    return {path.relative_to(site).as_posix(): Requests(path.read_text("utf8")) for path in site.rglob("*.html")}


def test_the_navigation_has_every_page(site: Path) -> None:
    start = {link.partition("#")[0] for link in pages(site)["index.html"].links}
    written = {path.relative_to(DOCS).with_suffix(".html").as_posix() for path in DOCS.rglob("*.md")}
    assert written - {"index.html"} - start == set()
    assert {"contributing.html", "changelog.html", "readme.html", "licence.html"} <= start


def test_lists_are_lists_on_the_site_too(site: Path) -> None:
    """A Git host takes a line that begins with a dash for an item wherever it stands; MkDocs wants a blank line."""
    for path in site.rglob("*.html"):
        text = re.sub(r"<(pre|textarea|script)\b.*?</\1>", "", path.read_text("utf8"), flags=re.DOTALL)
        assert re.findall(r"^(?:<p>)?(?:- |\|).*", text, flags=re.MULTILINE) == [], path.name


def test_no_page_makes_a_browser_ask_another_server(site: Path) -> None:
    asked = {name: [url for url in page.fetched if ELSEWHERE.match(url)] for name, page in pages(site).items()}
    assert {name: urls for name, urls in asked.items() if urls} == {}


def test_what_pages_ask_for_is_on_the_site(site: Path) -> None:
    for name, page in pages(site).items():
        if name == "404.html":  # its addresses begin at the root of a host
            continue
        for url in page.fetched:
            file = url.partition("#")[0].partition("?")[0]
            assert not file or (site / name).parent.joinpath(file).exists(), f"{name} asks for {url}"


def test_no_style_makes_a_browser_ask_another_server(site: Path) -> None:
    styles = {path.name: path.read_text("utf8") for path in site.rglob("*.css")}
    styles |= {name: (site / name).read_text("utf8") for name in pages(site)}
    addresses = re.compile(r"url\(\s*['\"]?\s*((?:[a-z]+:)?//[^)]*)|@import\s+(?!url\()['\"]([^'\"]*//[^'\"]*)")
    assert {name: addresses.findall(text) for name, text in styles.items() if addresses.search(text)} == {}


def test_no_script_knows_the_address_of_another_server(site: Path) -> None:
    """Addresses in comments, of licences and sources, are not known to the script."""
    known = re.compile(r"[\"'`](?:https?:)?//(?!www\.w3\.org/)[\w.-]+\.[a-z]+[^\"'`]*")
    scripts = {path.name: path.read_text("utf8") for path in site.rglob("*.js")}
    assert scripts
    assert {name: known.findall(text) for name, text in scripts.items() if known.search(text)} == {}


def test_no_picture_asks_another_server(site: Path) -> None:
    for picture in site.rglob("*.svg"):
        text = picture.read_text("utf8")
        assert not re.search(r"@font-face|@import|url\(\s*['\"]?http|href=['\"]http", text), picture.name


def test_the_source_of_the_site_is_not_published(site: Path) -> None:
    assert [path for path in site.rglob("*") if path.suffix in {".py", ".md"}] == []

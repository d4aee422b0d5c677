"""The documentation site builds without a warning, is complete, and its pages load nothing from elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import usernym
import usernym.testing

pytestmark = pytest.mark.seconds  # the site is built
ROOT = Path(__file__).resolve().parents[2]
LOADING = {"src", "srcset", "poster", "data", "action", "formaction", "background"}
"""Attributes by which any element makes a browser fetch, or send, something. Links (`a`) wait for a person."""
ELSEWHERE = re.compile(r"(?:https?|wss?|ftp):\\?/\\?/|^\s*//", re.IGNORECASE)
NAMES_ONLY = {"http://www.w3.org/2000/svg", "https://snowballstem.org/"}
"""In styles and scripts: the name of a namespace, and a comment on where a file comes from."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-Im", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    command += ["-d", str(folder / "doctrees"), "-c", str(ROOT / "docs"), str(ROOT), str(folder / "html")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Loads(HTMLParser):
    """Collects what a browser loads by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.found += [value for name, value in values.items() if name in LOADING]
        if tag in {"link", "base", "use", "image"}:
            self.found += [value for name, value in values.items() if name in {"href", "xlink:href"}]
        if tag == "meta" and "http-equiv" in values:
            self.found.append(values.get("content", "").partition("url=")[2])
        self.found += re.findall(r"url\((.*?)\)", values.get("style", ""))


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 25
    loads = 0
    for page in pages:
        parser = Loads()
        parser.feed(page.read_text())
        loads += len(parser.found)
        assert [url for url in parser.found if ELSEWHERE.search(url)] == [], page.name
    assert loads > 100


def test_no_style_or_script_names_another_machine(site: Path) -> None:
    files = [*site.rglob("*.css"), *(file for file in site.rglob("*.js") if file.name != "searchindex.js")]
    assert len(files) > 8
    for file in files:
        # A comment does not load; but a URL is in a comment only if the comment has it whole.
        text = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        urls = set(re.findall(r"(?:https?|wss?):\\?/\\?/[^\s\"'`)<>]*", text))
        assert urls - NAMES_ONLY <= {url for url in urls if "developer.mozilla.org" in url}, file.name
        assert not re.search(r"@import\s+(?:url\()?[\"']?(?:https?:)?//", text), file.name


def test_a_planted_load_is_found() -> None:
    for tag in (
        '<script src="https://cdn.example/x.js">', '<link rel="stylesheet" href="//fonts.example/x.css">',
        '<img srcset="http://example/x.png">', '<p style="background: url(https://example/x.png)">',
    ):  # fmt: skip
        parser = Loads()
        parser.feed(tag)
        assert [url for url in parser.found if ELSEWHERE.search(url)], tag


@pytest.mark.parametrize("package", [usernym, usernym.testing])
def test_the_reference_has_every_public_name(site: Path, package: object) -> None:
    name = package.__name__  # type: ignore[attr-defined] # a module
    shown = {
        match
        for page in (site / "docs" / "api").glob("*.html")
        for match in re.findall(r'<dt class="[^"]*" id="([\w.]+)"', page.read_text())
    }
    public = {each for each in package.__all__ if not each.startswith("_")}  # type: ignore[attr-defined] # a module
    missing = {each for each in public if not any(anchor.endswith(f".{each}") for anchor in shown)}
    assert missing == set(), f"docs/api lacks these names of {name}"

"""The browser is given a file that leads to the page: what is on its command line is no secret."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from usernym.cli import browser as opening

WAIT_S = 20.0
ADDRESSES = ("http://127.0.0.1:1/#aa", "http://127.0.0.1:2/#bb")


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    monkeypatch.setattr(opening, "KEPT_S", 0.0)
    monkeypatch.setenv("DISPLAY", ":0")
    return [(address, tmp_path / str(number)) for number, address in enumerate(ADDRESSES)]


def open_and_wait(pages: list[tuple[str, Path]]) -> None:
    thread = opening.open_pages(pages)
    assert thread is not None
    thread.join(WAIT_S)


@pytest.mark.parametrize("opens", [True, False])
def test_each_page_has_an_owner_only_file_that_leads_there(
    pages: list[tuple[str, Path]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    opens: bool,
) -> None:
    led: list[str] = []

    def browser(url: str) -> bool:
        assert "#" not in url
        path = Path(url.removeprefix("file://"))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        led.extend(re.findall(r'content="0; url=([^"]*)"', path.read_text()))
        return opens

    monkeypatch.setattr("webbrowser.open", browser)
    open_and_wait(pages)
    assert led == list(ADDRESSES)
    assert ("No browser was found" in capsys.readouterr().err) is not opens
    assert [list(folder.iterdir()) for _, folder in pages] == [[], []]


@pytest.mark.seconds
def test_a_real_browser_command_line_has_no_address(
    pages: list[tuple[str, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\ntr "\\0" " " < /proc/$$/cmdline >> {tmp_path}/seen\n')
    script.chmod(0o700)
    code = (
        "import sys, pathlib; from usernym.cli import browser as opening; opening.KEPT_S = 0.2;"
        " opening.open_pages([(sys.argv[1], pathlib.Path(sys.argv[2]))]).join()"
    )
    environment = {**os.environ, "BROWSER": str(script)}
    command = [sys.executable, "-c", code, ADDRESSES[0], str(tmp_path / "home")]
    subprocess.run(command, env=environment, check=True, timeout=WAIT_S)
    seen = (tmp_path / "seen").read_text()
    assert opening.NAME in seen
    assert "127.0.0.1" not in seen
    assert "aa" not in seen.rpartition("/")[2]


def test_without_a_desktop_no_browser_takes_the_terminal(
    pages: list[tuple[str, Path]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    assert opening.open_pages(pages) is None
    assert "no desktop" in capsys.readouterr().err

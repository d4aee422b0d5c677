"""What installs usernym elsewhere: the Debian package's parts and the container's recipe agree with the program."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Final

import pytest

from usernym.cli.grammar import parse
from usernym.settings import NodeSettings, read_settings

ROOT: Final = Path(__file__).parent.parent
CONTRIB: Final = ROOT / "contrib"
CONTAINERFILE: Final = CONTRIB / "container" / "Containerfile"
HOME: Final = "/var/lib/usernym"


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Containerfile and what follows it, on one line."""
    text = re.sub(r"(?m)^#.*\n", "", CONTAINERFILE.read_text()).replace("\\\n", " ")
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in text.splitlines() if line.strip()]


def test_the_container_runs_a_command_that_there_is_as_a_user_without_rights() -> None:
    found = dict(instructions())
    words = re.findall(r'"([^"]*)"', found["ENTRYPOINT"] + found["CMD"].partition("CMD")[2] + found["CMD"])
    assert words[0] == "usernym"
    entry, given = parse(words[1:])
    assert (entry.name, str(given.home), given.log_format) == ("node run", HOME, "json")
    settings = read_settings(NodeSettings, Path(HOME), environment={}, flags=vars(given))
    assert settings.mixnet == "nym"
    assert f"http://127.0.0.1:{settings.metrics_port}/healthz" in found["HEALTHCHECK"]
    assert found["VOLUME"] == HOME
    assert found["USER"].isdecimal()
    assert int(found["USER"]) > 0
    assert f"--uid {found['USER']} " in " ".join(rest for name, rest in instructions() if name == "RUN")


def test_the_container_takes_nothing_that_no_hash_covers() -> None:
    for name, rest in instructions():
        if name == "FROM":
            assert re.match(r"\S+:\d+-slim( AS build)?$", rest), "a tag that says which Debian"
        assert name != "ADD", "it may fetch"
        if "pip install" in rest:
            assert "--no-index" in rest
        if "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists/*" in rest


def test_the_desktop_entry_opens_the_page_and_has_its_icon() -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(CONTRIB / "desktop" / "usernym.desktop")
    entry = parser["Desktop Entry"]
    command, *arguments = entry["Exec"].split()
    assert command == "usernym"
    assert parse(arguments)[0].name == "chat"
    put = re.search(rf'put "\$root/(\S+)" \S+/{entry["Icon"]}\.svg\n', (ROOT / ".ci" / "deb").read_text())
    assert put is not None, "the page's mark is the program's icon"
    icon = ET.parse(ROOT / put[1]).getroot()
    assert icon.tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm"])
def test_the_packages_scripts_are_executable_and_delete_no_home(script: str) -> None:
    path = CONTRIB / "debian" / script
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
    done = [line for line in path.read_text().splitlines() if "echo" not in line]
    assert not [line for line in done if re.search(r"\brm\b", line)]


@pytest.mark.parametrize("script", [".ci/deb", ".ci/test-deb", ".ci/dist"])
def test_the_recipes_are_shell(script: str) -> None:
    assert subprocess.run(["bash", "-n", str(ROOT / script)], check=False).returncode == 0
    if shutil.which("shellcheck") is not None:
        found = subprocess.run(["shellcheck", str(ROOT / script)], capture_output=True, text=True, check=False)
        assert found.returncode == 0, found.stdout


def test_all_that_the_package_puts_somewhere_is_there() -> None:
    recipe = (ROOT / ".ci" / "deb").read_text()
    named = set(re.findall(r'"\$root/((?:contrib|docs)/[\w./-]+|LICENSE|CHANGELOG\.md)"', recipe))
    pages = re.search(r"for page in ([\w -]+);", recipe)
    assert pages is not None
    named |= {f"docs/{page}.md" for page in pages[1].split()}
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]

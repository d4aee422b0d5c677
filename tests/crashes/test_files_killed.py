"""A picture of a megabyte between two processes: through the node and directly, while some are killed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from tests.helpers.crash_world import NETWORKS, Crowd, environment, kill, start, usernym_command
from usernym.demo.processes import Running
from usernym.mixnet.nym_sdk import installed

pytestmark = pytest.mark.processes

NYM: Final = pytest.param(
    "nym", marks=(pytest.mark.nym, pytest.mark.skipif(not installed(), reason="needs nym_python_sdk: `make nym`"))
)
on_each_network: Final = pytest.mark.parametrize("network", ["emulator", NYM])
"""NYM is a real Nym network on loopback, in a process of its own."""

WAIT_S: Final = 240.0
SIDE: Final = 600
"""Pixels of a picture of noise, which takes three bytes each: more than a megabyte."""


class Talk:
    """A node, and two people who listen."""

    def __init__(self, folder: Path, network: str) -> None:
        self.crowd = Crowd(folder, ["alice", "bob"], NETWORKS[network](folder, 3))
        self.listening: dict[str, Running] = {}

    def begin(self) -> None:
        self.crowd.start_node()
        for name in self.crowd.names:
            mixnet, card = self.crowd.mixnets[name], self.crowd.card
            self.say(name, "register", name, "--mixnet", mixnet, "--node", card, "--no-passphrase")
            self.listen(name)
        self.say("alice", "send", "bob", "hi", "--wait", "delivered")

    def say(self, name: str, *command: str) -> dict[str, Any]:
        """What a command prints, which must succeed."""
        typed = usernym_command("--home", name, "--timeout", "90s", *command)
        done = subprocess.run(
            typed, cwd=self.crowd.folder, env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        printed: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return printed

    def listen(self, name: str) -> None:
        self.listening[name] = start(name, self.crowd.folder, usernym_command("--home", name, "listen"))

    def kill(self, name: str) -> None:
        if name in self.listening:
            kill(self.listening[name])
        else:
            kill(self.crowd.node)

    def revive(self, name: str) -> None:
        if name in self.listening:
            self.listen(name)
        else:
            self.crowd.start_node()

    def done(self, file: str) -> int:
        """Bytes that have come, as Bob's process reports."""
        return max((event["done"] for event in self.listening["bob"].printed if event.get("id") == file), default=0)

    def wait(self, what: str, is_so: Any) -> None:
        end = time.monotonic() + WAIT_S
        while not is_so():
            assert time.monotonic() < end, what
            time.sleep(0.1)

    def state(self, name: str, file: str) -> str:
        found = [each for each in self.say(name, "files")["files"] if each["id"] == file]
        return str(found[0]["state"]) if found else "none"


@pytest.fixture
def talk(tmp_path: Path, network: str) -> Iterator[Talk]:
    made = Talk(tmp_path, network)
    with made.crowd:
        try:
            made.begin()
            yield made
        finally:
            for running in made.listening.values():
                running.process.kill()
                running.end()


def noise(path: Path) -> Path:
    """A picture that no compression makes smaller."""
    Image.frombytes("RGB", (SIDE, SIDE), os.urandom(3 * SIDE * SIDE)).save(path)
    return path


def arrives(talk: Talk, file: str) -> None:
    """Bob gets all of it, Alice learns it, and what he saves is what she sent."""
    talk.wait("the file to be whole at Bob's", lambda: talk.state("bob", file) == "complete")
    talk.wait("Alice to know", lambda: talk.state("alice", file) == "complete")
    (talk.crowd.folder / "his").mkdir()
    (talk.crowd.folder / "hers").mkdir()
    his = Path(talk.say("bob", "save", "alice", file, "--to", "his")["path"])
    hers = Path(talk.say("alice", "save", "bob", file, "--to", "hers")["path"])
    assert his.name == "noise.png"
    assert his.read_bytes() == hers.read_bytes()
    assert his.stat().st_size > 1_000_000
    with Image.open(his) as shown:
        assert shown.size == (SIDE, SIDE)


@on_each_network
@pytest.mark.parametrize("victims", [(), ("node",), ("alice", "bob"), ("bob", "node", "alice")])
def test_a_picture_through_the_node(talk: Talk, victims: tuple[str, ...]) -> None:
    picture = noise(talk.crowd.folder / "noise.png")
    file = str(talk.say("alice", "send-file", "bob", str(picture), "--wait", "queued")["id"])
    if victims:
        talk.wait("a part of the file", lambda: talk.done(file) > 0)
        assert talk.done(file) < 1_000_000
        for victim in victims:
            talk.kill(victim)
        for victim in sorted(victims, reverse=True):
            talk.revive(victim)
    arrives(talk, file)


def handshake(talk: Talk, name: str, contact: str) -> str:
    return str(talk.say(name, "handshake", contact, "--status")["handshake"])


@on_each_network
@pytest.mark.parametrize("victims", [(), ("alice", "bob")])
def test_a_picture_directly(talk: Talk, victims: tuple[str, ...]) -> None:
    talk.say("alice", "handshake", "bob")
    talk.wait("the offer", lambda: handshake(talk, "bob", "alice") == "offer received")
    talk.say("bob", "handshake", "alice", "--accept")
    talk.wait("the route", lambda: handshake(talk, "alice", "bob") == "active")
    picture = noise(talk.crowd.folder / "noise.png")
    file = str(talk.say("alice", "send-file", "bob", str(picture), "--wait", "queued")["id"])
    for victim in victims:
        talk.kill(victim)
    for victim in victims:
        talk.revive(victim)
    arrives(talk, file)

"""A picture of a megabyte between two processes: through the node and directly, while some are killed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
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
"""The slowest took 53 seconds beside twenty busy processes on two processors; four times that is for slower machines.
Without a death it is a few seconds; with one, a file stands still until it is quiet (`file_rules.QUIET_S`)."""
SIDE: Final = 600
"""Pixels of a picture of noise, which takes three bytes each: more than a megabyte."""


class Talk:
    """A node, and two people who listen."""

    def __init__(self, folder: Path, network: str) -> None:
        self.crowd = Crowd(folder, ["alice", "bob"], NETWORKS[network](folder, 3))
        self.listening: dict[str, list[Running]] = {name: [] for name in self.crowd.names}
        """The processes that each has listened by; the last one lives."""

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
        self.listening[name].append(start(name, self.crowd.folder, usernym_command("--home", name, "listen")))

    def kill(self, name: str) -> None:
        if name in self.listening:
            kill(self.listening[name][-1])
        else:
            kill(self.crowd.node)

    def revive(self, name: str) -> None:
        if name in self.listening:
            self.listen(name)
        else:
            self.crowd.start_node()

    def heard(self, name: str, event: str) -> list[dict[str, Any]]:
        """All events of this kind that the listening processes of this person have printed."""
        return [told for life in self.listening[name] for told in life.printed if told.get("event") == event]

    def done(self, file: str) -> int:
        """Bytes that have come, as Bob's processes report."""
        return max((told["done"] for told in self.heard("bob", "file") if told["id"] == file), default=0)

    def is_complete(self, name: str, file: str) -> bool:
        return any(told["id"] == file and told["state"] == "complete" for told in self.heard(name, "file"))

    def handshakes(self, name: str) -> list[str]:
        """The states of this person's handshake so far."""
        return [told["state"] for told in self.heard(name, "handshake")]

    def wait(self, what: str, is_so: Callable[[], bool]) -> None:
        """Wait for what the listening processes print: to start others all the time would slow them down."""
        end = time.monotonic() + WAIT_S
        while not is_so():
            for life in (self.crowd.node, *(lives[-1] for lives in self.listening.values())):
                assert life.process.poll() is None, f"{life.name} {life.how_ended()}"
            assert time.monotonic() < end, what
            time.sleep(0.1)


@pytest.fixture
def talk(tmp_path: Path, network: str) -> Iterator[Talk]:
    made = Talk(tmp_path, network)
    with made.crowd:
        try:
            made.begin()
            yield made
        finally:
            for lives in made.listening.values():
                for running in lives:
                    running.process.kill()
                    running.end()


def noise(path: Path) -> Path:
    """A picture that no compression makes smaller."""
    Image.frombytes("RGB", (SIDE, SIDE), os.urandom(3 * SIDE * SIDE)).save(path)
    return path


def arrives(talk: Talk, file: str) -> None:
    """Bob gets all of it, Alice learns it, and what he saves is what she sent."""
    talk.wait("the file to be whole at Bob's", lambda: talk.is_complete("bob", file))
    talk.wait("Alice to know", lambda: talk.is_complete("alice", file))
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


@on_each_network
@pytest.mark.parametrize("victims", [(), ("alice", "bob")])
def test_a_picture_directly(talk: Talk, victims: tuple[str, ...]) -> None:
    talk.say("alice", "handshake", "bob")
    talk.wait("the offer", lambda: "offer received" in talk.handshakes("bob"))
    talk.say("bob", "handshake", "alice", "--accept")
    talk.wait("the route", lambda: "active" in talk.handshakes("alice"))
    picture = noise(talk.crowd.folder / "noise.png")
    file = str(talk.say("alice", "send-file", "bob", str(picture), "--wait", "queued")["id"])
    for victim in victims:
        talk.kill(victim)
    for victim in victims:
        talk.revive(victim)
    arrives(talk, file)

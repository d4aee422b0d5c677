"""Asking a node about names without a home: what is free, what is not and why, from many threads, and letting go."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.mixnet_networks import ServerThread
from usernym.actors.failures import Failure
from usernym.actors.lookup.finder import QUESTIONS_MAX
from usernym.finder import Finder, NameState, NameVerdict
from usernym.mixnet.emulator.server import ServerSettings
from usernym.mixnet.emulator.state import Faults
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.transport import TransportDown, TransportEvent, TransportUp
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.errors import Code
from usernym.protocol.signing import SigningKey


@pytest.fixture
def finder(handles: Handles) -> Iterator[Finder]:
    with Finder.open(node=handles.card, mixnet=handles.mixnet.transport()) as finder:
        yield finder


@pytest.mark.seconds
def test_what_a_name_is(handles: Handles, finder: Finder) -> None:
    alice = handles.client("alice")

    def verdict(name: str) -> tuple[NameVerdict, Code | None]:
        state = finder.name_state(name, PATIENCE_S)
        assert state.free == (state.verdict is NameVerdict.FREE)
        return state.verdict, state.reason

    assert verdict("carol") == (NameVerdict.FREE, None)
    assert finder.name_state("  CAROL ", PATIENCE_S) == NameState("carol", NameVerdict.FREE, None)
    assert verdict("Alice") == (NameVerdict.TAKEN, Code.NAME_TAKEN)
    assert verdict("al1ce") == (NameVerdict.LOOKS_ALIKE, Code.NAME_LOOKS_ALIKE)
    for name, reason in {
        "": Code.NAME_TOO_SHORT,
        "ab": Code.NAME_TOO_SHORT,
        "x" * 33: Code.NAME_TOO_LONG,
        "9abc": Code.NAME_BAD_START,
        "böb": Code.NAME_BAD_CHARACTER,
        "adm1n": Code.NAME_RESERVED,
    }.items():
        assert verdict(name) == (NameVerdict.NOT_ALLOWED, reason)
    alice.delete_account(PATIENCE_S)
    assert verdict("alice") == (NameVerdict.HELD, Code.NAME_HELD)


@pytest.mark.seconds
def test_asking_reserves_nothing_and_leaves_nothing_at_the_node(handles: Handles, finder: Finder) -> None:
    before = handles.node.status()
    for _ in range(5):
        assert finder.name_state("carol", PATIENCE_S).free
    after = handles.node.status()
    assert after.counters["registration"]["challenges"] == before.counters["registration"].get("challenges", 0) + 5
    for stored in ("accounts", "requests_remembered", "routes", "work_bits"):
        assert getattr(after, stored) == getattr(before, stored)
    handles.client("carol")
    assert finder.name_state("carol", PATIENCE_S).verdict is NameVerdict.TAKEN


@pytest.mark.seconds
def test_it_finds_a_record_and_pins_nothing(handles: Handles, finder: Finder) -> None:
    alice = handles.client("alice")
    found = finder.look_up(" Alice", PATIENCE_S)
    assert found.record.identity_key.hex() == alice.whoami().identity_key
    assert [link.stub.identity_key for link in found.chain] == [found.record.identity_key]
    with pytest.raises(usernym.NodeRefused) as refused:
        finder.look_up("nobody_here", PATIENCE_S)
    assert refused.value.code is Code.NO_SUCH_USER
    with pytest.raises(usernym.RemoteProtocolError):
        finder.look_up("no name", PATIENCE_S)


@pytest.mark.seconds
def test_many_threads_ask_at_once_each_gets_its_own_answer(handles: Handles, finder: Finder) -> None:
    alice = handles.client("alice")
    names = [f"free_{number}" for number in range(40)] + ["alice"] * 10
    with ThreadPoolExecutor(len(names) * 2) as pool:
        states = [pool.submit(finder.name_state, name, PATIENCE_S) for name in names]
        found = [pool.submit(finder.look_up, "alice", PATIENCE_S) for _ in names]
        assert [(state.result().name, state.result().free) for state in states] == [
            (name, name != "alice") for name in names
        ]
        assert {each.result().record.identity_key.hex() for each in found} == {alice.whoami().identity_key}


def silent_card() -> str:
    """The card of a node that no one runs."""
    return card_text(make_card(SigningKey.from_seed(b"\x07" * 32), [b"\x08" * 96], 1, 20_000))


def test_a_newer_question_does_not_wait_for_an_older_one(handles: Handles, finder: Finder) -> None:
    """The older ones are those of a node that never answers about them."""
    client = finder._graph.transport
    lost = []
    original = client.send

    def send(recipient: bytes, data: bytes, surbs: int, *, fresh_tag: bool = False) -> None:
        if b"lost" in data:
            lost.append(data)
        else:
            original(recipient, data, surbs, fresh_tag=fresh_tag)

    client.send = send  # type: ignore[method-assign]
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(finder.name_state, f"lost_{number}", PATIENCE_S) for number in range(8)]
        handles.wait_for(lambda: len(lost) >= 8)
        assert finder.name_state("carol", PATIENCE_S).free
        assert not any(each.done() for each in waiting)
        finder.close()
        for each in waiting:
            with pytest.raises(usernym.Closed):
                each.result(PATIENCE_S)


@pytest.mark.seconds
def test_a_silent_node_and_a_missing_mixnet_are_told_apart_in_time(handles: Handles) -> None:
    with Finder.open(node=silent_card(), mixnet=handles.mixnet.transport()) as finder:
        with pytest.raises(usernym.NodeSilent) as silent:
            finder.name_state("carol", 0.5)
        assert silent.value.failure is Failure.NO_ANSWER
        assert finder.name_state("ab", 0.5).reason is Code.NAME_TOO_SHORT
        for number in range(QUESTIONS_MAX):
            with pytest.raises(usernym.NodeSilent):
                finder.name_state(f"name_{number}", 0.0)
        with pytest.raises(usernym.NodeSilent) as full:
            finder.look_up("dave", 0.5)
        assert full.value.failure is Failure.TOO_MANY
    with (
        Finder.open(node=handles.card, mixnet="ws://127.0.0.1:1") as finder,
        pytest.raises(usernym.NodeSilent) as missing,
    ):
        finder.look_up("carol", 0.5)
    assert missing.value.failure is Failure.NO_MIXNET


@pytest.mark.seconds
def test_who_waits_when_it_is_closed_is_told(handles: Handles) -> None:
    before = threading.active_count()
    finder = Finder.open(node=silent_card(), mixnet=handles.mixnet.transport())
    assert threading.active_count() > before
    raised: list[BaseException] = []

    def ask() -> None:
        try:
            finder.name_state("carol", PATIENCE_S)
        except usernym.Closed as closed:
            raised.append(closed)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    finder.close()
    for thread in threads:
        thread.join(PATIENCE_S / 2)
    assert len(raised) == 3
    finder.close()
    with pytest.raises(usernym.Closed):
        finder.look_up("carol", 1.0)
    assert threading.active_count() == before


def test_what_is_no_card_or_no_mixnet_is_refused_before_anything_runs(handles: Handles) -> None:
    threads = threading.active_count()
    with pytest.raises(usernym.RemoteProtocolError):
        Finder.open(node="usernym-node:nonsense", mixnet=handles.mixnet.transport())
    with pytest.raises(usernym.SettingsError):
        Finder.open(node=handles.card, mixnet="http://127.0.0.1:1")
    assert threading.active_count() == threads


def first_event(url: str) -> TransportEvent:
    """What the next program hears first that connects to this mixnet client."""
    events: queue.SimpleQueue[TransportEvent] = queue.SimpleQueue()
    transport = NymClientTransport(url)
    transport.open(events.put)
    try:
        return events.get(timeout=PATIENCE_S)
    finally:
        transport.close()


@pytest.mark.seconds
def test_the_one_connection_of_a_mixnet_client_is_free_when_it_is_closed(tmp_path: Path) -> None:
    """Over the emulator's websocket, which takes one program at a time as nym-client does."""
    server = ServerThread(ServerSettings(first_port=0, clients=2, faults=Faults(hop_delay_s=0.001)))
    try:
        with usernym.Node.open(tmp_path / "node", mixnet=server.url(0)) as node:
            card, url = node.card(PATIENCE_S), server.url(1)
            for _ in range(5):
                with Finder.open(node=card, mixnet=url) as finder:
                    assert finder.name_state("carol", PATIENCE_S).free
                    assert isinstance(first_event(url), TransportDown), "there is room for one"
                assert isinstance(first_event(url), TransportUp)
            with Finder.open(node=card, mixnet=url) as finder:
                assert finder.name_state("carol", PATIENCE_S).free
            with usernym.Client.open(
                tmp_path / "carol", name="carol", node=card, mixnet=url, unprotected=True
            ) as carol:
                carol.register(PATIENCE_S)
    finally:
        server.close()


@pytest.mark.processes
def test_the_command_says_what_is_free_and_why_what_is_not(network: Any) -> None:
    terminal, mixnet = network.terminal, network.mixnet()
    there = ("--mixnet", mixnet, "--node", "node.card")
    assert terminal.ok("--home", "nowhere", "check-name", " Nora", *there) == {"name": "nora", "free": True}
    terminal.ok("--home", "nora", "register", "nora", *there)
    for name, error in {"nora": "name_taken", "n0ra": "name_looks_alike", "n": "name_too_short"}.items():
        told = terminal.run("--json", "--home", "nowhere", "check-name", name, *there)
        assert (told.returncode, json.loads(told.stdout)["error"]) == (1, error)
    assert not (terminal.folder / "nowhere").exists()


def test_the_command_needs_a_node_only_for_names_that_could_be_had(typed: Any, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert typed("--home", home, "--json", "check-name", "adm1n").told["error"] == "name_reserved"
    shown = typed("--home", home, "--json", "check-name", "carol")
    assert (shown.code, shown.told["error"]) == (2, "settings")
    assert not home.exists()

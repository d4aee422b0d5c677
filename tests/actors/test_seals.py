"""May something be sealed to this contact now? One function answers, and no seal goes round it."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actors.graphs.test_former_identity import replaced_in_place
from tests.actors.handshake.test_direct import direct_pair
from usernym.actors import seals
from usernym.actors.failures import HandshakeNotPossible
from usernym.protocol.errors import LocalProtocolError
from usernym.protocol.sealing import Envelope, seal
from usernym.storage.client.types import HandshakeState, Route, Trust
from usernym.testing.world import World

ROOT = Path(__file__).parents[2]
PRODUCT = ("actors", "chat", "mixnet", "storage", "usernym")


def who_names_seal() -> Iterator[str]:
    """The product's files that import the function `protocol.sealing.seal`, or the whole module."""
    for folder in PRODUCT:
        for path in sorted((ROOT / folder).glob("**/*.py")):
            if any(part.is_symlink() for part in (path, *path.parents) if part != ROOT and ROOT in part.parents):
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                match node:
                    case ast.ImportFrom(module="usernym.protocol.sealing", names=names):
                        named = {"seal", "*"}
                    case ast.ImportFrom(module="usernym.protocol", names=names) | ast.Import(names=names):
                        named = {"sealing", "usernym.protocol.sealing"}
                    case _:
                        continue
                if any(alias.name in named for alias in names):
                    yield path.relative_to(ROOT).as_posix()


@pytest.mark.seconds
def test_one_place_of_the_product_seals() -> None:
    assert set(who_names_seal()) == {"actors/seals.py"}


def test_what_is_not_allowed_is_not_sealed() -> None:
    with World() as world:
        alice, bob = world.client("alice"), world.client("bob")
        contact = alice.look_up("bob")
        assert seals.may_seal(contact)
        alice.store.contacts.set_trust("bob", Trust.CHANGED)
        assert not seals.may_seal(alice.contact("bob"))
        with pytest.raises(LocalProtocolError):
            seals.seal_to(alice.contact("bob"), Route.NODE, alice.user, bytes(202), bytes(16))
        assert bob.texts() == []


def watch_seals(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is sealed against the rule from now on, in words; and, as the first entries, nothing."""
    wrong: list[str] = []

    def watched(public: bytes, plaintext: bytes, envelope: Envelope) -> bytes:
        contact = world.clients[envelope.sender].contact(envelope.recipient)
        if contact.trust is Trust.CHANGED:
            wrong.append(f"{envelope.sender} sealed {len(plaintext)} bytes to a changed identity")
        if contact.identity_key != envelope.recipient_key:
            wrong.append(f"{envelope.sender} sealed to an identity that is not pinned")
        return seal(public, plaintext, envelope)

    monkeypatch.setattr(seals, "seal", watched)
    return wrong


def everything_while_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cause for a seal, while an identity has changed that the user has not looked at."""
    world, alice, bob = direct_pair(40)
    wrong = watch_seals(world, monkeypatch)
    alice.send("bob", "on its way when the identity changes")
    bob.write("alice", "needs a receipt")
    world.settle(1)
    replaced_in_place(world, bob)
    alice.look_up("bob")
    bob.look_up("alice")
    before = len(alice.texts())
    bob.send("alice", "from the changed identity, through the node")
    bob.offer("alice")
    alice.send("bob", "waits")
    for step in (alice.offer, alice.accept, alice.revoke):
        with contextlib.suppress(HandshakeNotPossible):
            step("bob")
    world.settle(120)
    alice.restart()
    alice.go_online()
    world.settle(3700)
    assert wrong == []
    assert len(alice.texts()) > before, "what it writes can be read"
    assert alice.contact("bob").handshake is HandshakeState.NONE
    assert alice.contact("bob").trust is Trust.CHANGED

    alice.look_at_identity("bob")
    world.settle(60)
    assert wrong == []
    assert "waits" in bob.texts()
    world.check()


@pytest.mark.seconds
def test_nothing_is_sealed_to_a_changed_identity_that_was_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    everything_while_changed(monkeypatch)


@pytest.mark.seconds
def test_the_check_above_notices_a_way_round_the_question(monkeypatch: pytest.MonkeyPatch) -> None:
    always = "usernym.actors.{}.may_seal"
    for place in ("seals", "forwarding.outbox", "forwarding.direct_receipts", "handshake.client"):
        monkeypatch.setattr(always.format(place), lambda _contact: True)
    with pytest.raises(AssertionError):
        everything_while_changed(monkeypatch)

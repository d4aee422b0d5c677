"""Requests on the handles and the command line: threads, real stores, several processes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.holder import performing
from usernym.cli.failures import CommandFailed
from usernym.cli.people import DecideCommand, RequestsCommand


@pytest.mark.seconds
def test_a_request_is_declined_and_undone(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob", accept_strangers=False)
    alice.send("bob", "may I?", timeout=PATIENCE_S)
    handles.wait_for(lambda: any(request.first for request in bob.requests()))
    (request,) = bob.requests()
    assert (request.contact.name, request.contact.state, request.texts) == ("alice", "pending", 1)
    assert request.first is not None
    assert request.first.text == "may I?"

    events = bob.subscribe()
    bob.decline("Alice")
    assert events.next(PATIENCE_S) == usernym.ContactChanged("alice", usernym.Consent.DECLINED)
    assert bob.requests() == []
    assert [each.contact.name for each in bob.requests(declined=True)] == ["alice"]
    assert bob.unread() == []
    alice.send("bob", "hello?", timeout=PATIENCE_S)
    handles.wait_for(lambda: bob.requests(declined=True)[0].texts == 2)
    alice.offer_handshake("bob", PATIENCE_S)
    # Behind the offer, so that the offer is there too when this has come.
    alice.send("bob", "one more", timeout=PATIENCE_S)
    handles.wait_for(lambda: bob.requests(declined=True)[0].texts == 3)

    bob.accept("alice")
    assert [text.text for _, text in bob.unread()] == ["may I?", "hello?", "one more"]
    sent = alice.send("bob", "thanks", wait="delivered", timeout=PATIENCE_S)
    assert sent.state is usernym.DeliveryState.DELIVERED
    handles.wait_for(lambda: bob.contact("alice").handshake is usernym.HandshakeState.OFFER_RECEIVED)

    bob.block("alice")
    assert bob.contact("alice").state == "blocked"
    for decide in (bob.accept, bob.decline, bob.block):
        with pytest.raises(KeyError):
            decide("nobody_here")


@pytest.mark.seconds
def test_the_same_for_asyncio(handles: Handles) -> None:
    alice = handles.client("alice")

    async def story() -> list[str]:
        async with handles.coroutine("bob", accept_strangers=False) as bob:
            await bob.register(PATIENCE_S)
            await bob.go_online(PATIENCE_S)
            events = bob.subscribe()
            await asyncio.to_thread(alice.send, "bob", "may I?", timeout=PATIENCE_S)
            arrived = [event async for event in first(events, usernym.MessageArrived)]
            assert arrived[0].is_request
            await bob.decline("alice")
            await bob.block("alice")
            waiting = await bob.requests()
            await bob.accept("alice")
            return [(await bob.contacts())[0].state, *(each.contact.name for each in waiting)]

    assert asyncio.run(story()) == ["accepted"]


async def first(events: Any, kind: type[Any]) -> Any:
    async for event in events:
        if isinstance(event, kind):
            yield event
            return


@pytest.mark.seconds
def test_the_commands_do_the_same(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob", accept_strangers=False)
    alice.send("bob", "may I?", timeout=PATIENCE_S)
    handles.wait_for(lambda: any(request.first for request in bob.requests()))

    do = performing(bob)
    (request,) = do(RequestsCommand()).requests
    assert (request.contact.name, request.first.text) == ("alice", "may I?")
    assert do(DecideCommand("alice", "decline")).state == "declined"
    assert len(do(RequestsCommand(declined=True)).requests) == 1
    assert do(DecideCommand("alice", "block")).state == "blocked"
    assert do(DecideCommand("alice", "accept")).state == "accepted"
    with pytest.raises(CommandFailed, match="no one of this name") as failed:
        do(DecideCommand("nobody_here", "accept"))
    assert failed.value.kind == "no_contact"


def test_the_commands_need_a_home(typed: Any, tmp_path: Path) -> None:
    for command in (["requests"], ["accept", "bob"], ["decline", "bob"], ["block", "bob"]):
        assert typed("--home", str(tmp_path / "none"), "--json", *command).told["error"] == "no_account"

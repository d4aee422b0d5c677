"""A friend's link verifies at once; one that does not fit says why, and raises no one's trust."""

from __future__ import annotations

import json
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles
from usernym.cli.command import Deadline
from usernym.cli.failures import CommandFailed, failure_of
from usernym.cli.people import LinkCommand, LinkReply, LookUpCommand
from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.links import link_text, make_link, parse_link
from usernym.storage.client.types import Trust


def why(alice: usernym.Client, link: str) -> usernym.Mismatch:
    with pytest.raises(usernym.LinkMismatch) as refused:
        alice.add_link(link, PATIENCE_S)
    assert refused.value.name == parse_link(link).name
    return refused.value.why


def somebody_elses(client: usernym.Client, name: str) -> str:
    """A link to a name at this client's node, with a key that no one has."""
    return link_text(make_link(bytes.fromhex(client.whoami().node), name, b"\x05" * 32))


@pytest.mark.seconds
def test_a_friends_link_verifies_at_once(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    contact = alice.add_link(f" {bob.link().upper()}\n", PATIENCE_S)
    assert (contact.name, contact.trust, contact.state) == ("bob", "verified", "accepted")
    assert alice.contact("bob") == contact
    bob.look_up("alice", PATIENCE_S)
    assert bob.contact("alice").trust == "confirmed by the node", "a link verifies the one whom it names"
    assert alice.add_link(bob.link(), PATIENCE_S) == contact


@pytest.mark.seconds
def test_what_verifies_nobody_says_why(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    elsewhere = link_text(make_link(b"\x09" * 32, "bob", bytes.fromhex(bob.whoami().identity_key)))
    assert why(alice, elsewhere) is usernym.Mismatch.OTHER_NODE
    assert why(alice, alice.link()) is why(alice, somebody_elses(alice, "alice")) is usernym.Mismatch.YOURSELF
    for text in ("bob", "usernym:bob", bob.link() + "?verified=1", bob.link()[:-1]):
        with pytest.raises(usernym.RemoteProtocolError) as refused:
            alice.add_link(text, PATIENCE_S)
        assert refused.value.code is usernym.Code.LINK_INVALID
    with pytest.raises(usernym.NodeRefused) as unknown:
        alice.add_link(somebody_elses(alice, "nobody_here"), PATIENCE_S)
    assert unknown.value.code is usernym.Code.NO_SUCH_USER
    assert alice.contacts() == [], "nobody was even looked up"

    assert why(alice, somebody_elses(alice, "bob")) is usernym.Mismatch.OTHER_IDENTITY
    assert alice.contact("bob").trust == "confirmed by the node"
    alice.add_link(bob.link(), PATIENCE_S)
    assert why(alice, somebody_elses(alice, "bob")) is usernym.Mismatch.OTHER_IDENTITY
    assert alice.contact("bob").trust == "verified", "anybody can write a false link: it takes nothing away"


@pytest.mark.seconds
def test_a_link_of_before_a_replaced_identity_is_called_that(handles: Handles) -> None:
    alice, bob, carol = handles.client("alice"), handles.client("bob"), handles.client("carol")
    words, former = bob.take_recovery_words(), bob.link()
    assert words is not None
    alice.add_link(former, PATIENCE_S)
    bob.replace_identity(words, PATIENCE_S)
    assert bob.link() != former

    assert why(alice, former) is usernym.Mismatch.OLDER_IDENTITY
    assert alice.contact("bob").trust == "changed"
    assert why(carol, former) is usernym.Mismatch.OLDER_IDENTITY
    assert carol.contact("bob").trust == "confirmed by the node"
    assert why(alice, somebody_elses(alice, "bob")) is usernym.Mismatch.OTHER_IDENTITY
    assert alice.contact("bob").trust == "changed"

    with pytest.raises(usernym.NotReady, match="has changed"):
        alice.send("bob", "is it you?", timeout=PATIENCE_S)
    assert alice.add_link(bob.link(), PATIENCE_S).trust == "verified"
    handles.wait_for(lambda: alice.conversation("bob")[-1].state is usernym.DeliveryState.DELIVERED)
    assert [text.text for text in bob.conversation("alice")] == ["is it you?"]


@pytest.mark.seconds
def test_an_identity_that_changes_at_the_last_moment_is_not_verified(
    handles: Handles, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    running = alice._running
    ask = running.ask

    def and_then_another(actor: Any, *arguments: Any) -> Any:
        found = ask(actor, *arguments)
        if actor is running.actors.lookup:
            store = running.store
            contact = store.contacts.get("bob")
            assert contact is not None
            with store.transaction():
                store.contacts.pin("bob", b"\x05" * 32, contact.record)
                store.contacts.set_trust("bob", Trust.CHANGED)
        return found

    monkeypatch.setattr(running, "ask", and_then_another)
    assert why(alice, bob.link()) is usernym.Mismatch.OTHER_IDENTITY
    assert alice.contact("bob").trust == "changed"
    words, former = bob.take_recovery_words(), bob.link()
    assert words is not None
    bob.replace_identity(words, PATIENCE_S)
    monkeypatch.setattr(
        running, "ask", lambda actor, *rest: None if actor is running.actors.lookup else ask(actor, *rest)
    )
    assert why(alice, former) is usernym.Mismatch.OTHER_IDENTITY, "the chain explains another key than the pinned one"


@pytest.mark.seconds
def test_a_node_that_hides_the_chain_hides_no_mismatch(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a node with a key of its own could turn the alarm into a mere "no answer"."""
    alice, bob = handles.client("alice"), handles.client("bob")
    words, former = bob.take_recovery_words(), bob.link()
    assert words is not None
    bob.replace_identity(words, PATIENCE_S)
    assert alice._running._kept is not None
    transport, hidden = alice._running._kept._inner, []
    send = transport.send

    def without_history(recipient: bytes, data: bytes, surbs: int, **how: bool) -> None:
        if isinstance(decode(data).message, m.History):
            hidden.append(data)
        else:
            send(recipient, data, surbs, **how)

    monkeypatch.setattr(transport, "send", without_history)
    with pytest.raises(usernym.LinkMismatch) as refused:
        alice.add_link(former, 6.0)
    assert refused.value.why is usernym.Mismatch.OTHER_IDENTITY
    assert hidden
    monkeypatch.undo()
    assert why(alice, former) is usernym.Mismatch.OLDER_IDENTITY


@pytest.mark.seconds
def test_a_blocked_persons_link_verifies_and_lets_nobody_in(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.look_up("bob", PATIENCE_S)
    alice.block("bob")
    contact = alice.add_link(bob.link(), PATIENCE_S)
    assert (contact.trust, contact.state) == ("verified", "blocked")


def test_every_reason_has_its_own_word_and_exit(handles: Handles) -> None:
    failures = [failure_of(usernym.LinkMismatch("bob", each)) for each in usernym.Mismatch]
    assert len({failed.kind for failed in failures}) == len({failed.text for failed in failures}) == 4
    assert {failed.exit_code for failed in failures} == {1}
    alice = handles.client("alice")
    deadline = Deadline(PATIENCE_S)
    assert LinkCommand().perform(alice, deadline) == LinkReply("alice", alice.link())
    with pytest.raises((usernym.LinkMismatch, CommandFailed)) as refused:
        LookUpCommand(alice.link()).perform(alice, deadline)
    assert failure_of(refused.value).kind == "that_is_you"


@pytest.mark.processes
def test_the_commands(network: Any) -> None:
    terminal = network.terminal
    lea, max_ = network.user("lea"), network.user("max")
    link = terminal.ok("--home", lea, "link")["link"]
    assert terminal.run("--home", lea, "link").stdout == link + "\n"
    drawn = terminal.run("--home", lea, "link", "--qr", PYTHONIOENCODING="utf-8").stdout
    assert drawn.endswith(f"\n{link}\n")
    assert len(drawn.splitlines()) == 24
    assert terminal.run("--home", lea, "link", "--qr", PYTHONIOENCODING="ascii").returncode == 2

    assert terminal.ok("--home", max_, "lookup", link)["trust"] == "verified"
    shown = terminal.run("--home", max_, "lookup", link.upper())
    assert (shown.returncode, "verified (" in shown.stdout) == (0, True)
    for bad, code, error in (
        (link + "?x=1", 2, "link_invalid"),
        (terminal.ok("--home", max_, "link")["link"], 1, "that_is_you"),
        (link.replace("lea", "max"), 2, "link_invalid"),
    ):
        told = terminal.run("--json", "--home", max_, "lookup", bad)
        assert (told.returncode, json.loads(told.stdout)["error"]) == (code, error)


@pytest.mark.processes
def test_two_people_scan_each_others_safety_number(network: Any) -> None:
    terminal = network.terminal
    pia, tom, eve = network.user("pia"), network.user("tom"), network.user("eve")
    code = terminal.ok("--home", pia, "verify", tom, "--qr")
    assert code["trust"] == "confirmed by the node", "showing it verifies nobody"
    assert code["qr"] == terminal.ok("--home", tom, "verify", pia, "--qr")["qr"]
    shown = terminal.run("--home", pia, "verify", tom, "--qr", PYTHONIOENCODING="utf-8").stdout.splitlines()
    assert code["safety_number"] in shown
    assert terminal.ok("--home", pia, "lookup", tom)["trust"] == "confirmed by the node"

    others = terminal.ok("--home", eve, "verify", tom, "--qr")["qr"]
    wrong = terminal.run("--json", "--home", tom, "verify", pia, "--number", others)
    assert (wrong.returncode, json.loads(wrong.stdout)["error"]) == (1, "safety_number_differs")
    for nonsense in (code["qr"][:-1], terminal.ok("--home", pia, "link")["link"], "https://example.org"):
        told = terminal.run("--json", "--home", tom, "verify", pia, "--number", nonsense)
        assert (told.returncode, json.loads(told.stdout)["error"]) == (2, "settings")
    assert terminal.ok("--home", tom, "verify", pia, "--number", code["qr"].upper())["trust"] == "verified"
    assert terminal.run("--home", tom, "verify", pia, "--number", code["qr"], "--undo").returncode == 2
    assert terminal.ok("--home", tom, "verify", pia, "--undo")["trust"] == "confirmed by the node"
    again = terminal.run("--json", "--home", tom, "verify", pia, "--undo")
    assert (again.returncode, json.loads(again.stdout)["error"]) == (1, "not_verified")
    unbound = terminal.run("--json", "--home", tom, "verify", pia, "--seen")
    assert (unbound.returncode, json.loads(unbound.stdout)["error"]) == (2, "settings")
    other = terminal.run("--json", "--home", tom, "verify", pia, "--seen", "--identity", "0" * 64)
    assert (other.returncode, json.loads(other.stdout)["error"]) == (1, "identity_moved")
    looked_at = terminal.ok("--home", tom, "lookup", pia)["identity_key"][:16]
    assert terminal.ok("--home", tom, "verify", pia, "--seen", "--identity", looked_at)["trust"] == code["trust"]

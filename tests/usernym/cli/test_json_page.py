"""docs/json.md and what commands print are the same types."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.helpers.handles import PATIENCE_S, Handles
from tests.helpers.json_page import page
from usernym.cli import grammar
from usernym.cli.people import ContactsReply, RequestsReply
from usernym.cli.texts import HistoryReply, SearchReply
from usernym.protocol.limits import EPOCH_S

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.mark.seconds
def test_the_page_is_what_the_program_says() -> None:
    assert (DOCS / "json.md").read_text() == page(), "write it again: make json"


@pytest.mark.seconds
def test_its_links_lead_to_its_sections() -> None:
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.+)$", page(), re.MULTILINE)}
    links = set(re.findall(r"\]\(#([^)]+)\)", page()))
    assert len(links) >= 30
    assert links <= headings


@pytest.mark.seconds
def test_no_two_objects_share_a_heading() -> None:
    headings = re.findall(r"^### (.+)$", page(), re.MULTILINE)
    assert len(headings) == len(set(headings))


@pytest.mark.parametrize("name", [name for name in grammar.names() if name != "completion"])
def test_every_command_says_what_it_prints(name: str) -> None:
    assert grammar.entry(name).prints


def strictly(printed: dict[str, Any], kind: type) -> Any:
    """The object as its type; no key may be missing or unknown."""
    strict = msgspec.defstruct("Strict", [], bases=(kind,), forbid_unknown_fields=True, frozen=True)
    return msgspec.json.decode(json.dumps(printed), type=strict)


@pytest.mark.processes
def test_what_is_printed_is_what_the_page_says(network: Any) -> None:
    terminal = network.terminal
    uma, vic = network.user("uma"), network.user("vic")
    printed = {
        "check-name": ("walter", "--mixnet", network.mixnet(), "--node", "node.card"),
        "whoami": (),
        "login": (),
        "lookup": (vic,),
        "link": (),
        "send": (vic, "hello"),
        "history": (vic,),
        "search": ("hello",),
        "contacts": (),
        "requests": (),
        "block": (vic,),
        "accept": (vic,),
        "disappear": (vic, "off"),
        "handshake": (vic, "--status"),
        "erase": (vic, "--yes"),
        "passphrase": ("--no-passphrase",),
    }
    for name, arguments in printed.items():
        told = terminal.ok("--home", uma, name, *arguments)
        assert strictly(told, grammar.entry(name).prints[0])
    for name in ("card", "status"):
        assert strictly(terminal.ok("--home", "node", "node", name), grammar.entry(f"node {name}").prints[0])


@pytest.mark.processes
def test_a_running_nodes_log_is_exported_and_audited_by_commands(network: Any) -> None:
    terminal = network.terminal
    network.user("wes")
    end = time.monotonic() + EPOCH_S + PATIENCE_S
    while True:  # an epoch comes within a minute
        done = terminal.run("--json", "--home", "node", "node", "log", "export", "log")
        if done.returncode == 0 or time.monotonic() > end:
            break
        assert json.loads(done.stdout)["error"] == "storage"
        time.sleep(1)
    exported = strictly(json.loads(done.stdout), grammar.entry("node log export").prints[0])
    assert exported.epochs >= 1
    audited = strictly(terminal.ok("audit", "log", "--node", "node.card"), grammar.entry("audit").prints[0])
    assert (audited.epochs, audited.checked_before) == (exported.epochs, 0)
    assert strictly(terminal.ok("audit", "log"), grammar.entry("audit").prints[0]).checked_before == exported.epochs


@pytest.mark.seconds
def test_texts_and_contacts_over_the_control_socket(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.helpers.holder import performing
    from usernym.cli.people import ContactsCommand, RequestsCommand
    from usernym.cli.texts import HistoryCommand, SearchCommand

    alice, bob = handles.client("alice"), handles.client("bob")
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    do = performing(bob)
    monkeypatch.setattr("usernym.views.safety_number", lambda *_: pytest.fail("thousands of hashes, for a list"))
    assert isinstance(do(ContactsCommand()), ContactsReply)
    assert isinstance(do(RequestsCommand()), RequestsReply)
    assert isinstance(do(HistoryCommand("alice", 5)), HistoryReply)
    found = do(SearchCommand("hello", 5))
    assert isinstance(found, SearchReply)
    assert msgspec.to_builtins(found)["texts"][0]["with"] == "alice"

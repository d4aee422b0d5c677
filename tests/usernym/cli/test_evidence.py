"""`usernym evidence`: what a home has, written for others, who check it without a home."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from usernym.cli import main
from usernym.cli.command import Deadline
from usernym.cli.evidence import EvidenceCommand
from usernym.client import Client
from usernym.protocol.cards import make_card
from usernym.protocol.evidence import evidence_in_cards
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack
from usernym.storage.client.store import ClientStore

KEY = SigningKey.from_seed(b"n" * 32)


def client_with_evidence() -> Client:
    """A client as far as this needs one: a store with one piece of evidence."""
    evidence = evidence_in_cards(make_card(KEY, [bytes(96)], 7, 1), make_card(KEY, [b"a" * 96], 7, 1))
    assert evidence is not None
    store = ClientStore.open_plain()
    assert store.evidence.add(pack(evidence), 1_000)
    return Client(cast(Any, SimpleNamespace(read=lambda ask: ask(store))))


def test_what_one_home_exports_another_person_checks_without_a_home(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client, file = client_with_evidence(), tmp_path / "proof.txt"
    reply = EvidenceCommand(str(file)).perform(client, Deadline(1))
    assert [(fault.node, fault.found_at) for fault in reply.faults] == [(KEY.public.hex(), 1_000)]
    assert file.stat().st_mode & 0o777 == 0o600
    assert main(["evidence", "--check", str(file), "--home", str(tmp_path / "none"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [fault["node"] for fault in shown["faults"]] == [KEY.public.hex()]
    assert not (tmp_path / "none").exists()
    assert main(["evidence", "--check", str(file)]) == 0
    assert "it signed two different cards under one number" in capsys.readouterr().out


def test_a_file_with_one_changed_letter_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    client, file = client_with_evidence(), tmp_path / "proof.txt"
    EvidenceCommand(str(file)).perform(client, Deadline(1))
    text = file.read_text()
    at = len(text) // 2
    file.write_text(text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :])
    assert main(["evidence", "--check", str(file)]) == 2
    assert "proves nothing" in capsys.readouterr().err


def test_nothing_is_written_over(tmp_path: Path) -> None:
    from usernym.storage.errors import StoreInaccessible

    client, file = client_with_evidence(), tmp_path / "proof.txt"
    file.write_text("mine")
    with pytest.raises(StoreInaccessible):
        EvidenceCommand(str(file)).perform(client, Deadline(1))
    assert file.read_text() == "mine"

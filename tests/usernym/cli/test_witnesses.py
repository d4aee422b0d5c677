"""`usernym node witness`: two operators name each other's nodes, and each signs the other's log."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.directory_by_the_page import cosigners
from tests.usernym.conftest import WAIT_S
from tests.usernym.test_directory_log import NODE_CARD, Home
from usernym.cli import main
from usernym.protocol.cards import card_text, make_card
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.witnesses import cosign
from usernym.protocol.limits import EPOCH_S
from usernym.protocol.signing import SigningKey

OTHER = SigningKey.from_seed(b"o" * 32)
OTHER_CARD = card_text(make_card(OTHER, [bytes(96)], 1, 1))


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_node_is_named_shown_and_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home = Home(tmp_path / "node")
    home.store.close()
    command = ("--home", home.folder, "node", "witness")
    assert run(capsys, *command) == (0, {"witnesses": []})
    code, shown = run(capsys, *command, OTHER_CARD)
    assert code == 0
    (witness,) = shown["witnesses"]
    nothing = {"signed_by_it": 0, "signed_for_it": 0, "checked": None, "evidence": None}
    assert witness == {"node": OTHER.public.hex(), **nothing}
    assert run(capsys, *command)[1] == shown
    assert main([*map(str, command)]) == 0
    out = capsys.readouterr().out
    assert f"{OTHER.public.hex()}: signed nothing yet; this node signed nothing of its log" in out
    assert run(capsys, *command, OTHER_CARD, "--check")[1]["witnesses"] == [witness | {"checked": 0}]
    assert run(capsys, *command, OTHER_CARD, "--remove") == (0, {"witnesses": []})
    assert main([*map(str, command)]) == 0
    assert "with no other node" in capsys.readouterr().out


@pytest.mark.parametrize(("given", "text"), [
    ((NODE_CARD,), "own card"),
    (("usernym-node:AAAA",), "card"),
    ((OTHER_CARD, "--remove"), "exchanges no signatures"),
    (("--remove",), "name the card"),
])  # fmt: skip
def test_what_is_no_card_of_another_node_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: tuple[str, ...], text: str
) -> None:
    home = Home(tmp_path / "node")
    home.store.close()
    code, failed = run(capsys, "--home", home.folder, "node", "witness", *given)
    assert code == 2
    assert text in failed["text"]


def test_an_export_has_the_signatures_and_an_audit_can_demand_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = Home(tmp_path / "node")
    home.epoch_with("alice")
    home.store.witnesses.add(make_card(OTHER, [bytes(96)], 1, 1))
    folder = home.export()
    code, failed = run(capsys, "audit", folder, "--witness", OTHER_CARD)
    assert (code, failed["error"]) == (1, "log_not_witnessed")
    head = read_checkpoint((folder / "checkpoint").read_bytes())
    home.store.witnesses.note_cosignature(OTHER.public, 1, cosign(OTHER, head, 1_800_000_000))
    home.export()
    home.store.close()
    code, audited = run(capsys, "audit", folder, "--witness", OTHER_CARD)
    assert (code, audited["witnesses"]) == (0, [OTHER.public.hex()])
    assert cosigners((folder / "checkpoint").read_bytes()) == {OTHER.public}, "by the page alone"
    damaged = (folder / "checkpoint").read_bytes().replace(b"usernym/witness/", b"usernym/witness/0", 1)
    (folder / "checkpoint").write_bytes(damaged)
    assert run(capsys, "audit", folder, "--witness", OTHER_CARD)[0] == 1


@pytest.mark.processes
def test_two_running_nodes_sign_each_others_logs(network: Any) -> None:
    terminal = network.terminal
    other = terminal.start("other", "--home", "other", "node", "run", "--mixnet", network.mixnet())
    card = other.wait_for("its card", lambda told: told.get("event") == "up")["card"]
    terminal.ok("--home", "other", "node", "witness", "node.card", "--check")
    terminal.ok("--home", "node", "node", "witness", card)
    network.user("wes")
    end = time.monotonic() + 2 * EPOCH_S + WAIT_S
    while True:  # an epoch comes within a minute
        (ours,) = terminal.ok("--home", "node", "node", "witness")["witnesses"]
        if ours["signed_by_it"] or time.monotonic() > end:
            break
        time.sleep(1)
    assert ours["signed_by_it"] >= 1
    (theirs,) = terminal.ok("--home", "other", "node", "witness")["witnesses"]
    assert theirs["checked"] >= theirs["signed_for_it"] >= ours["signed_by_it"]
    terminal.ok("--home", "node", "node", "log", "export", "log")
    assert len(cosigners((terminal.folder / "log" / "checkpoint").read_bytes())) == 1
    terminal.ok("audit", "log", "--node", "node.card", "--witness", card)
    assert terminal.interrupt(other) == 0

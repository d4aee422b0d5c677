"""`usernym node log` and `usernym audit`, without a node that runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.usernym.test_directory_log import NODE_CARD, Home
from usernym.cli import main


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "node")
    made.epoch_with("alice", "bob")
    yield made
    made.store.close()


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = main([*map(str, arguments), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_audit_follows_a_log(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.store.close()
    code, exported = run(capsys, "--home", home.folder, "node", "log", "export", tmp_path / "log")
    assert (code, exported["epochs"]) == (0, 1)
    code, audited = run(capsys, "audit", tmp_path / "log")
    assert (code, audited["names"], audited["checked_before"], len(audited["changes"])) == (0, 2, 0, 1)
    assert (tmp_path / "log.seen").read_bytes() == (tmp_path / "log" / "checkpoint").read_bytes()
    home.store = home.open()
    home.epoch_with("carol")
    home.store.close()
    assert main(["--home", str(home.folder), "node", "log", "export", str(tmp_path / "log")]) == 0
    assert "2 epochs" in capsys.readouterr().out
    assert main(["audit", str(tmp_path / "log")]) == 0
    out = capsys.readouterr().out
    assert "epoch 1, 2027-01-15 08:00:00 UTC: 1 new names, 0 changed" in out
    assert "continues the 1 epochs" in out


def test_a_fork_ends_an_audit_with_both_heads(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home.export()
    assert run(capsys, "audit", folder)[0] == 0
    known = folder.with_name(f"{folder.name}.seen").read_bytes()
    twin = Home(tmp_path / "twin")
    twin.epoch_with("mallory")
    other = twin.export()
    twin.store.close()
    code, failed = run(capsys, "audit", other, "--seen", folder.with_name(f"{folder.name}.seen"))
    assert (code, failed["error"]) == (1, "log_forked")
    assert (failed["first"].encode(), failed["second"].encode()) == (known, (other / "checkpoint").read_bytes())
    assert folder.with_name(f"{folder.name}.seen").read_bytes() == known, "what was seen is kept"


def test_a_log_that_does_not_hold_or_is_another_nodes_is_refused(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home.export()
    assert run(capsys, "audit", folder, "--node", NODE_CARD)[0] == 0
    code, failed = run(capsys, "audit", tmp_path / "nothing")
    assert (code, failed["error"]) == (1, "log_invalid")
    (folder / "changes/000").write_bytes(b"")
    code, failed = run(capsys, "audit", folder)
    assert (code, failed["error"]) == (1, "log_invalid")


def test_a_card_of_another_node_is_noticed(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    from usernym.protocol.cards import card_text, make_card
    from usernym.protocol.signing import SigningKey

    card = card_text(make_card(SigningKey.from_seed(bytes(32)), [bytes(96)], 1, 1))
    code, failed = run(capsys, "audit", home.export(), "--node", card)
    assert (code, failed["error"]) == (1, "log_invalid")
    assert "another node" in failed["text"]
    assert not home.export_folder.with_name(f"{home.export_folder.name}.seen").exists()


def test_a_log_is_recovered_by_a_command(home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = home.copy()
    home.epoch_with("carol")
    folder = home.export()
    home.put_back(copy)
    home.store.close()
    code, failed = run(capsys, "--home", home.folder, "node", "log", "export", folder)
    assert (code, failed["error"]) == (4, "storage")
    assert "usernym node log recover" in failed["text"]
    assert run(capsys, "--home", home.folder, "node", "log", "recover", folder) == (
        0,
        {"epochs_before": 1, "epochs": 2},
    )
    assert run(capsys, "--home", home.folder, "node", "log", "export", folder)[0] == 0
    code, failed = run(capsys, "--home", home.folder, "node", "log", "recover", tmp_path / "nothing")
    assert (code, failed["error"]) == (1, "log_invalid")


def test_a_home_without_a_node_is_left_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words in ("export", "recover"):
        assert run(capsys, "--home", tmp_path / "none", "node", "log", words, tmp_path / "log")[0] == 4
    assert not (tmp_path / "none").exists()

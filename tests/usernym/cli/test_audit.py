"""`usernym node log` and `usernym audit`, without a node that runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.node.test_epochs import KEY, NOW
from tests.usernym.test_directory_days import DAY, other_key_file
from tests.usernym.test_directory_log import NODE_CARD, Home
from usernym.cli import main
from usernym.protocol.limits import DAY_S


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


def test_days_are_counted_and_their_key_stays_the_one_that_was_seen(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home.export()
    seen_key = folder.with_name(f"{folder.name}.seen-key")
    assert run(capsys, "audit", folder)[1]["signed_days"] == 1
    assert seen_key.read_bytes() == (folder / "ml-dsa-44").read_bytes()
    home.epoch_with("carol", at=NOW + DAY_S)
    home.export()
    assert main(["audit", str(folder)]) == 0
    assert "heads of 2 days are signed with ML-DSA-44, too" in capsys.readouterr().out
    # Who can make the node's Ed25519 signatures, but does not have its seed:
    seen = folder.with_name(f"{folder.name}.seen").read_bytes()
    home.epoch_with("dave", at=NOW + 2 * DAY_S)
    home.export()
    shutil.rmtree(folder / "daily")
    (folder / "ml-dsa-44").write_bytes(other_key_file(KEY))
    code, failed = run(capsys, "audit", folder)
    assert (code, failed["error"]) == (1, "log_invalid")
    assert str(seen_key) in failed["text"]
    assert folder.with_name(f"{folder.name}.seen").read_bytes() == seen, "what was seen is kept"
    seen_key.unlink()
    assert run(capsys, "audit", folder)[0] == 0, "nothing else is wrong"


def test_a_days_head_of_another_history_ends_an_audit_with_both_heads(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = home.export()
    twin = Home(tmp_path / "twin")
    twin.epoch_with("mallory")
    day = (twin.export() / DAY).read_bytes()
    twin.store.close()
    (folder / DAY).write_bytes(day)
    code, failed = run(capsys, "audit", folder)
    assert (code, failed["error"]) == (1, "log_forked")
    assert (failed["first"].encode(), failed["second"].encode()) == (day, (folder / "checkpoint").read_bytes())
    assert str(folder / "daily") in failed["text"]


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

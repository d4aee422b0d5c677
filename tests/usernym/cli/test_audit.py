"""`usernym node log` and `usernym audit`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, QUICK_HOPS
from tests.helpers.mixnet_networks import ServerThread
from tests.storage.node.test_epochs import KEY, NOW
from tests.usernym.test_directory_days import DAY, other_key_file
from tests.usernym.test_directory_log import NODE_CARD, Home
from usernym.cli import main
from usernym.mixnet.emulator.server import ServerSettings
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


# -- a log that is read from a running node ----------------------------------------------------------------------------


@contextmanager
def running(home: Home) -> Iterator[tuple[str, str]]:
    """A node on this home, whose store is closed meanwhile: its card, and a mixnet client for someone else."""
    home.store.close()
    server = ServerThread(ServerSettings(first_port=0, clients=2, faults=QUICK_HOPS))
    try:
        with usernym.Node.open(home.folder, mixnet=server.url(0)) as node:
            yield node.card(PATIENCE_S), server.url(1)
    finally:
        server.close()
        home.store = home.open()


@pytest.mark.seconds
def test_a_log_is_read_from_its_node_and_followed(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / KEY.public.hex()[:16]
    with running(home) as (card, mixnet):
        code, audited = run(capsys, "audit", card, "--mixnet", mixnet)
    assert (code, audited["names"], audited["checked_before"], len(audited["changes"])) == (0, 2, 0, 1)
    assert (audited["folder"], audited["seen"]) == (str(folder), f"{folder}.seen")
    home.epoch_with("carol")
    with running(home) as (card, mixnet):
        (tmp_path / "node.card").write_text(card)
        assert main(["audit", "node.card", "--mixnet", mixnet, "--node", card]) == 0
    out = capsys.readouterr().out
    assert "epoch 1, 2027-01-15 08:00:00 UTC: 1 new names, 0 changed" in out
    assert f"holds, in {folder}: 2 epochs" in out
    assert "continues the 1 epochs" in out
    assert run(capsys, "audit", folder)[1]["checked_before"] == 2


@pytest.mark.seconds
def test_a_fork_that_a_node_shows_ends_an_audit_with_both_heads(
    home: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, seen = home.export(), home.export_folder.with_name(f"{home.export_folder.name}.seen")
    assert run(capsys, "audit", folder)[0] == 0
    known = seen.read_bytes()
    twin = Home(tmp_path / "twin")
    twin.epoch_with("mallory")
    twin.epoch_with("bob")
    with running(twin) as (card, mixnet):
        code, failed = run(capsys, "audit", card, "--mixnet", mixnet, "--into", folder)
        elsewhere = run(capsys, "audit", card, "--mixnet", mixnet, "--into", tmp_path / "new", "--seen", seen)
    twin.store.close()
    other = folder.with_name(f"{folder.name}.fork") / "checkpoint"
    assert (code, failed["error"], failed["first"].encode()) == (1, "log_forked", known)
    assert failed["second"].encode() == other.read_bytes()
    assert str(folder) in failed["text"]
    assert str(other.parent) in failed["text"]
    assert (elsewhere[0], elsewhere[1]["error"]) == (1, "log_forked"), "by the head that was seen"
    assert seen.read_bytes() == known
    assert run(capsys, "audit", folder)[0] == 0, "the copy stays"


def test_a_node_whose_log_does_not_hold_is_refused(home: Home, capsys: pytest.CaptureFixture[str]) -> None:
    folder = home.export()
    (folder / "changes/000").write_bytes(b"")
    with running(home) as (card, mixnet):
        code, failed = run(capsys, "audit", card, "--mixnet", mixnet, "--into", folder)
    assert (code, failed["error"]) == (1, "log_invalid")


@pytest.mark.parametrize(("arguments", "text"), [
    ((NODE_CARD,), "needs --mixnet"),
    (("usernym-node:nonsense", "--mixnet", "ws://127.0.0.1:1"), "card"),
    ((NODE_CARD, "--mixnet", "nonsense"), "mixnet"),
    (("folder", "--into", "other"), "name its card"),
    (("folder", "--mixnet", "ws://127.0.0.1:1"), "name its card"),
])  # fmt: skip
def test_what_can_not_be_read_is_said_before_anything_is_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: Any, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    code, failed = run(capsys, "audit", *arguments)
    assert code == 2
    assert text in failed["text"]
    assert not list(tmp_path.iterdir())


@pytest.mark.seconds
def test_a_node_that_is_silent_ends_an_audit_in_time(
    silent_mixnet: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    into = tmp_path / "log"
    code, failed = run(capsys, "audit", NODE_CARD, "--mixnet", silent_mixnet, "--into", into, "--timeout", "0.5s")
    assert (code, failed["error"]) == (3, "no_mixnet")
    assert not into.exists()

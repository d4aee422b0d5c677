"""A head a day with a signature of ML-DSA-44: what an export writes, and what an audit finds in it."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

from tests.helpers import directory_by_the_page as page
from tests.storage.node.test_epochs import KEY, NOW
from tests.usernym.test_directory_log import Home
from usernym import directory_export
from usernym.directory_audit import FolderLog, audit_log
from usernym.directory_export import export_log
from usernym.protocol.directory.checkpoints import LogHead, read_checkpoint
from usernym.protocol.directory.days import DayKey, day_files
from usernym.protocol.directory.faults import DirectoryInvalid, LogForked
from usernym.protocol.limits import DAY_S
from usernym.protocol.signing import Context, SigningKey

DAY: Final = "daily/2027-01-15"
NEXT_DAY: Final = "daily/2027-01-16"
OTHER: Final = SigningKey.from_seed(bytes(32))


def other_key_file(node: SigningKey) -> bytes:
    """A key for days that `node` has signed, but which is not made from its seed."""
    public = MLDSA44PrivateKey.from_seed_bytes(bytes(32)).public_key().public_bytes_raw()
    return DayKey(node.public, public).file(node.sign(Context.DAY_KEY, public))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path / "node")
    made.epoch_with("alice")
    yield made
    made.store.close()


def days_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "daily").iterdir())}


def size_in(path: Path) -> int:
    return read_checkpoint(path.read_bytes()).size


def test_a_days_first_export_makes_its_file_and_the_next_day_has_another(home: Home) -> None:
    folder = home.export()
    first = days_in(folder)
    assert list(first) == ["2027-01-15"]
    for at in (NOW + 1, (NOW // DAY_S + 1) * DAY_S - 1):
        home.epoch_with(f"name{at}", at=at)
        home.export()
        assert days_in(folder) == first, "made once"
    home.epoch_with("bob", at=(NOW // DAY_S + 1) * DAY_S)
    home.export()
    assert list(days_in(folder)) == ["2027-01-15", "2027-01-16"]
    assert (size_in(folder / DAY), size_in(folder / NEXT_DAY)) == (1, 4)
    home.epoch_with("carol", at=NOW + 9 * DAY_S)
    home.export()
    assert list(days_in(folder)) == ["2027-01-15", "2027-01-16", "2027-01-24"], "the log did not grow between them"
    assert audit_log(folder, None).signed_days == 3


def test_the_files_hold_by_the_page_alone(home: Home) -> None:
    folder = home.export()
    home.epoch_with("bob", at=NOW + DAY_S)
    home.export()
    page.check_folder(folder)
    entries = page.entries(folder, 2)
    assert [page.check_day(folder, day, entries) for day in days_in(folder)] == [1, 2]
    secret = MLDSA44PrivateKey.from_seed_bytes(page.digest("directory day key", b"node" * 8))
    assert page.day_key(folder, KEY.public)[1] == secret.public_key().public_bytes_raw()


def test_an_export_that_ended_before_the_days_file_is_made_whole_by_the_next(home: Home) -> None:
    folder = home.export()
    (folder / DAY).rename(folder / "daily/.2027-01-15.new")
    (folder / "daily/.2027-01-15.new").write_bytes(b"half")
    assert audit_log(folder, None).signed_days == 0
    assert export_log(home.store, home.mark, folder).files_written == 1
    assert audit_log(folder, None).signed_days == 1


def test_an_audit_holds_while_an_export_goes_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, written = home.export(), []
    replace, read = directory_export.put_file, FolderLog._read

    def replaced(path: Path, content: bytes) -> None:
        replace(path, content)
        written.append(path.name)
        audit_log(folder, None)

    def exported_meanwhile(log: FolderLog, path: str, size_max: int) -> bytes:
        content = read(log, path, size_max)
        if path == "checkpoint" and home.store.log.size() == 2:
            home.epoch_with("carol", at=NOW + 2 * DAY_S)
            home.export()
        return content

    home.epoch_with("bob", at=NOW + DAY_S)
    with monkeypatch.context() as watched:
        watched.setattr(directory_export, "put_file", replaced)
        home.export()
    assert written[-2:] == ["checkpoint", "2027-01-16"]
    monkeypatch.setattr(FolderLog, "_read", exported_meanwhile)
    assert audit_log(folder, None).signed_days == 2
    assert audit_log(folder, None).signed_days == 3


# -- what an audit finds ----------------------------------------------------------------------------------------------


def test_an_export_without_days_holds_and_one_without_their_key_does_not(home: Home) -> None:
    folder = home.export()
    key = (folder / "ml-dsa-44").read_bytes()
    (folder / "ml-dsa-44").unlink()
    with pytest.raises(DirectoryInvalid, match="ml-dsa-44 is missing"):
        audit_log(folder, None)
    day = (folder / DAY).read_bytes()
    (folder / DAY).unlink()
    audited = audit_log(folder, None)
    assert (audited.signed_days, audited.day_key) == (0, None)
    (folder / "ml-dsa-44").write_bytes(key)
    (folder / DAY).write_bytes(day)
    audited = audit_log(folder, None)
    assert (audited.signed_days, audited.day_key) == (1, key)


@pytest.mark.parametrize("name", [DAY, "ml-dsa-44"])
def test_a_changed_byte_or_a_file_that_was_cut_is_found(home: Home, name: str) -> None:
    path = home.export() / name
    content = path.read_bytes()
    size = len(content)
    for at in {*range(0, size, 97), size - 1}:
        path.write_bytes(content[:at] + bytes((content[at] ^ 1,)) + content[at + 1 :])
        with pytest.raises(DirectoryInvalid):
            audit_log(home.export_folder, None)
    for wrong in (content[:-1], content + b"\0", content + content.splitlines(keepends=True)[-1], b""):
        path.write_bytes(wrong)
        with pytest.raises(DirectoryInvalid):
            audit_log(home.export_folder, None)


def test_each_of_the_two_signatures_is_demanded(home: Home) -> None:
    path = home.export() / DAY
    *text, ed25519, ml_dsa = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join((*text, ed25519)))
    with pytest.raises(DirectoryInvalid, match="2027-01-15: it is not signed with the node's ML-DSA-44 key"):
        audit_log(home.export_folder, None)
    path.write_bytes(b"".join((*text, ml_dsa)))
    with pytest.raises(DirectoryInvalid, match="2027-01-15: the checkpoint is not signed"):
        audit_log(home.export_folder, None)
    path.write_bytes(b"".join((*text, ml_dsa, ed25519)))
    assert audit_log(home.export_folder, None).signed_days == 1, "in any order"


def test_another_key_is_found(home: Home) -> None:
    folder = home.export()
    key = folder / "ml-dsa-44"
    good = key.read_bytes()
    key.write_bytes(other_key_file(KEY))
    with pytest.raises(DirectoryInvalid, match="2027-01-15: it is not signed with"):
        audit_log(folder, None)
    key.write_bytes(other_key_file(OTHER))
    with pytest.raises(DirectoryInvalid, match="another node's"):
        audit_log(folder, None)
    key.write_bytes(good.splitlines(keepends=True)[0] + other_key_file(KEY).splitlines(keepends=True)[1])
    with pytest.raises(DirectoryInvalid, match="not signed by the node"):
        audit_log(folder, None)


def test_a_head_of_another_history_another_log_or_another_time_is_found(home: Home, tmp_path: Path) -> None:
    folder = home.export()
    good, head = (folder / DAY).read_bytes(), read_checkpoint((folder / "checkpoint").read_bytes())
    twin = Home(tmp_path / "twin")
    twin.epoch_with("mallory")
    (folder / DAY).write_bytes((twin.export() / DAY).read_bytes())
    with pytest.raises(LogForked, match=r"daily/2027-01-15 is not a part of the log") as forked:
        audit_log(folder, None)
    assert [read_checkpoint(each).size for each in (forked.value.first, forked.value.second)] == [1, 1]
    twin.epoch_with("carol", at=NOW + DAY_S)
    (folder / DAY).write_bytes((twin.export() / NEXT_DAY).read_bytes())
    with pytest.raises(DirectoryInvalid, match="its head has 2 epochs, and the log 1"):
        audit_log(folder, None)
    twin.store.close()
    for at in (NOW + 1, 2**63 - 1):
        (folder / DAY).write_bytes(dict(day_files(KEY, head, at)).popitem()[1])
        with pytest.raises(DirectoryInvalid, match="another time"):
            audit_log(folder, None)
    theirs = LogHead(OTHER.public, head.size, head.root)
    secret = MLDSA44PrivateKey.from_seed_bytes(KEY.derived_seed(Context.DAY_KEY))
    key = DayKey(KEY.public, secret.public_key().public_bytes_raw())
    line = base64.b64encode(key.id + NOW.to_bytes(8, "big") + secret.sign(key.signed_bytes(theirs, NOW))).decode()
    (folder / DAY).write_bytes(theirs.signed(OTHER) + f"— {key.name} {line}\n".encode())
    with pytest.raises(DirectoryInvalid, match="it is not signed with the node's ML-DSA-44 key"):
        audit_log(folder, None)
    (folder / DAY).write_bytes(good)
    assert audit_log(folder, None).signed_days == 1
    (folder / DAY).rename(folder / NEXT_DAY)
    with pytest.raises(DirectoryInvalid, match="another time"):
        audit_log(folder, None)

"""File systems without hard links, without renames that refuse to replace, without folders that can be synced; full."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path
from typing import Any

import pytest

from usernym.storage import files
from usernym.storage.client.store import ClientStore
from usernym.storage.errors import HomeInUse, StoreFull, StoreInaccessible
from usernym.storage.files import move_new, sync_folder, write_private
from usernym.storage.keyfile import Argon2Cost
from usernym.storage.locks import Home

CHEAP = Argon2Cost(memory_kib=8, passes=1)


def no_links(*_arguments: object, **_more: object) -> None:
    raise PermissionError(errno.EPERM, "Operation not permitted")


@pytest.fixture(params=["renames that refuse", "neither"])
def poor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """As exFAT: no hard links; and as its FUSE driver: no rename that refuses to replace either."""
    monkeypatch.setattr(os, "link", no_links)
    if request.param == "neither":
        monkeypatch.setattr(files, "_rename_new", lambda _source, _target: False)


@pytest.mark.usefixtures("poor")
def test_a_new_name_is_given_once(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("whole")
    move_new(source, target)
    assert (target.read_text(), source.exists()) == ("whole", False)
    source.write_text("another")
    with pytest.raises(FileExistsError):
        move_new(source, target)
    assert (target.read_text(), source.read_text()) == ("whole", "another")
    target.unlink()
    target.symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        move_new(source, target)


@pytest.mark.usefixtures("poor")
def test_private_files_and_homes_are_made_and_never_replaced(tmp_path: Path) -> None:
    write_private(tmp_path / "key", b"first", replace=False)
    with pytest.raises(StoreInaccessible):
        write_private(tmp_path / "key", b"second", replace=False)
    assert (tmp_path / "key").read_bytes() == b"first"
    assert [file.name for file in tmp_path.iterdir()] == ["key"]
    ClientStore.open(tmp_path / "home", "a passphrase", cost=CHEAP).close()
    ClientStore.open(tmp_path / "home", "a passphrase").close()


def test_a_rename_that_fails_leaves_no_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_rename_new", lambda _source, _target: False)
    with pytest.raises(FileNotFoundError):
        move_new(tmp_path / "nothing", tmp_path / "target")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_folder_that_can_not_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", refuse)
    sync_folder(tmp_path)


def test_a_disk_that_fails_is_not_hidden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="Input/output"):
        sync_folder(tmp_path)


# -- full -------------------------------------------------------------------------------------------------------------


def full(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_home_is_held_though_its_lock_has_no_room_for_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", full)
    monkeypatch.setattr(os, "ftruncate", full)
    before = open_descriptors()
    for _ in range(3):
        with Home(tmp_path, "test"), pytest.raises(HomeInUse), Home(tmp_path, "another"):
            pass
    assert open_descriptors() == before, "no descriptor stays open"


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFull), (errno.ENOLCK, StoreInaccessible)])
def test_a_lock_that_can_not_be_taken_is_said_and_leaks_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception]
) -> None:
    def refuse(*_arguments: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = open_descriptors()
    with pytest.raises(kind), Home(tmp_path, "test"):
        pass
    assert open_descriptors() == before

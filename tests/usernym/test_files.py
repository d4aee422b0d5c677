"""Files as a program sends, reads and saves them."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from PIL import Image

from tests.helpers.handles import PATIENCE_S, Handles
from usernym import (
    Client,
    ConversationEntry,
    FileChanged,
    FileState,
    FileUnfit,
    FileView,
    NoSuchFile,
    NoSuchMessage,
    PictureUnfit,
)
from usernym.transfers import saved

CONTENT: Final = os.urandom(100_000)


@pytest.fixture
def people(tmp_path: Path) -> Iterator[tuple[Client, Client]]:
    handles = Handles(tmp_path)
    try:
        yield handles.client("alice"), handles.client("bob")
    finally:
        handles.close()


def came(bob: Client) -> FileView:
    """The newest file that came, when it is whole."""
    Handles.wait_for(lambda: bool(bob.files.page("alice")) and bob.files.page("alice")[0].state is FileState.COMPLETE)
    return bob.files.page("alice")[0]


@pytest.mark.seconds
def test_from_folder_to_folder(people: tuple[Client, Client], tmp_path: Path) -> None:
    alice, bob = people
    source, target = tmp_path / "report.pdf", tmp_path / "inbox"
    source.write_bytes(CONTENT)
    target.mkdir()
    with alice.subscribe() as events:
        sent = alice.files.send("bob", source, timeout=PATIENCE_S)
        assert (sent.state, sent.done, sent.size, sent.name) == (
            FileState.COMPLETE, len(CONTENT), len(CONTENT), "report.pdf",
        )  # fmt: skip
        last = events.wait_for(lambda event: isinstance(event, FileChanged) and event.state is FileState.COMPLETE, 5)
        assert last is not None
    file = came(bob)
    assert (file.file_id, file.outgoing, file.is_picture, file.read) == (sent.file_id, False, False, False)
    paths = [bob.files.save("alice", file.file_id, target) for _ in range(3)]
    assert [path.name for path in paths] == ["report.pdf", "report (1).pdf", "report (2).pdf"]
    assert {path.read_bytes() for path in paths} == {CONTENT}
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    bob.files.mark_read(file)
    assert bob.files.get("alice", file.file_id).read
    assert bob.files.erase("alice", file.file_id)
    assert bob.files.page() == []
    with pytest.raises(NoSuchFile):
        bob.files.content("alice", file.file_id)


@pytest.mark.seconds
def test_a_picture_leaves_without_metadata_and_can_be_shown(people: tuple[Client, Client], tmp_path: Path) -> None:
    alice, bob = people
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    out = io.BytesIO()
    Image.new("RGB", (50, 30), "green").save(out, "WEBP", exif=exif)
    path = tmp_path / "photo.webp"
    path.write_bytes(out.getvalue())
    alice.files.send("bob", path, timeout=PATIENCE_S)
    file = came(bob)
    assert (file.name, file.is_picture) == ("photo.jpg", True)
    assert b"where it was taken" not in bob.files.content("alice", file.file_id)
    picture = bob.files.picture("alice", file.file_id)
    assert (picture.media_type, picture.width, picture.height) == ("image/jpeg", 50, 30)
    alice.files.send("bob", path, redraw=False, timeout=PATIENCE_S)
    assert b"where it was taken" in bob.files.content("alice", came(bob).file_id)
    assert b"where it was taken" not in bob.files.picture("alice", came(bob).file_id).content


@pytest.mark.seconds
def test_nothing_of_a_file_is_read_before_it_is_whole(people: tuple[Client, Client]) -> None:
    alice, bob = people
    alice.send("bob", "hi", wait="delivered", timeout=PATIENCE_S)
    with bob.subscribe() as events:
        sent = alice.files.send("bob", CONTENT * 20, called="big.bin", wait="queued")
        events.wait_for(lambda event: isinstance(event, FileChanged) and event.done > 0, PATIENCE_S)
        with pytest.raises(NoSuchFile):
            bob.files.content("alice", sent.file_id)
        assert bob.files.cancel("alice", sent.file_id)
    Handles.wait_for(lambda: alice.files.get("bob", sent.file_id).state is FileState.ENDED)
    assert not bob.files.cancel("alice", sent.file_id)


def test_what_can_not_be_sent(people: tuple[Client, Client], tmp_path: Path) -> None:
    alice, _ = people
    for unfit in (b"", bytes(10 * 2**20 + 1), tmp_path / "missing", tmp_path):
        with pytest.raises(FileUnfit):
            alice.files.send("bob", unfit)
    with pytest.raises(PictureUnfit):
        alice.files.send("bob", b"\xff\xd8\xff and no more")
    assert alice.files.page() == []


def test_nothing_is_overwritten_or_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "folder"
    folder.mkdir()
    (folder / "x.txt").symlink_to(outside)
    (folder / "x (1).txt").write_bytes(b"mine")
    assert saved(b"theirs", folder, "x.txt").name == "x (2).txt"
    assert not outside.exists()
    assert (folder / "x (1).txt").read_bytes() == b"mine"
    with pytest.raises(FileUnfit):
        saved(b"", tmp_path / "missing", "x")


@pytest.mark.seconds
def test_files_stand_among_the_texts_and_in_the_list_of_contacts(people: tuple[Client, Client]) -> None:
    alice, bob = people
    for number in range(3):
        alice.send("bob", f"text {number}", timeout=PATIENCE_S)
        alice.files.send("bob", b"content", called=f"file-{number}\u202e.txt", timeout=PATIENCE_S)
    Handles.wait_for(lambda: len(bob.entries.page("alice")) == 6)
    every = bob.entries.page("alice")
    shown = [f"{kind} {number}" for number in range(3) for kind in ("text", "file")]
    assert [entry.message.text.replace("-", " ").removesuffix("_.txt") for entry in every] == shown
    assert [entry.file is not None for entry in every] == [False, True] * 3
    pages: list[ConversationEntry] = []
    row: int | None = None
    while page := bob.entries.page("alice", 2, row):
        pages, row = [*page, *pages], page[0].message.row
    assert pages == every
    assert bob.entries.page("alice", 2, after=every[0].message.row) == every[1:3]
    assert bob.entries.one("alice", every[1].message.message_id, outgoing=False) == every[1]
    with pytest.raises(NoSuchMessage):
        bob.entries.one("alice", "00" * 16, outgoing=False)
    line = bob.contact_list.one("alice")
    assert line.last is not None
    assert (line.unread, line.last.is_file, line.last.beginning) == (6, True, every[-1].message.text)
    assert bob.contact_list.mark_read("alice", every[-1].message.row) == 6
    assert bob.contact_list.one("alice").unread == 0
    found = bob.entries.files_at([entry.message.row for entry in every])
    assert [file.name for file in found] == [entry.message.text for entry in every if entry.file is not None]
    assert bob.files.erase("alice", found[0].file_id)
    assert bob.entries.page("alice") == [
        bob.entries.one("alice", e.message.message_id, outgoing=False) for e in every if e != every[1]
    ]

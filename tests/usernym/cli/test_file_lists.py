"""Files by command: pages of them, naming one by digits, and ending it."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.handles import Handles
from tests.helpers.holder import performing
from usernym import FileState
from usernym.cli import files
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.files import CancelFileCommand, EraseFileCommand, FilesCommand, SaveCommand, SendFileCommand


def refused(do: Any, command: Any) -> tuple[Exit, str]:
    with pytest.raises(CommandFailed) as failed:
        do(command)
    return failed.value.exit_code, failed.value.kind


@pytest.mark.seconds
def test_pages_of_files_and_one_by_its_digits(
    handles: Handles, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alice, _bob = handles.client("alice"), handles.client("bob")
    do = performing(alice)
    for number in range(3):
        (tmp_path / f"{number}").write_bytes(bytes([number]))
        do(SendFileCommand("bob", str(tmp_path / f"{number}"), True, True))
    page = do(FilesCommand(2))
    assert [file.name for file in page.files] == ["2", "1"]
    assert page.earlier
    files._print_files(page, Namespace(name=None))
    shown = capsys.readouterr()
    assert f"{page.files[0].id[:8]} to bob (file, " in shown.out
    assert shown.err.endswith(f": usernym files --before {page.files[-1].place}\n")
    rest = do(FilesCommand(2, before=page.files[-1].place))
    assert [file.name for file in rest.files] == ["0"]
    assert not rest.earlier

    assert refused(do, EraseFileCommand("bob", page.files[0].id[:7])) == (Exit.USAGE, "settings"), "too few digits"
    assert refused(do, SaveCommand("bob", "f" * 8 + "0" * 24, str(tmp_path))) == (Exit.REFUSED, "no_file")
    assert refused(do, FilesCommand(2, "carol")) == (Exit.REFUSED, "no_contact")
    assert do(EraseFileCommand("bob", page.files[0].id[:8].upper())).id == page.files[0].id
    assert [file.name for file in do(FilesCommand(50, "bob")).files] == ["1", "0"]


@pytest.mark.seconds
def test_a_file_that_is_under_way_is_cancelled_once(handles: Handles, tmp_path: Path) -> None:
    alice = handles.client("alice")
    handles.client("bob").close()
    (tmp_path / "big").write_bytes(bytes(200_000))
    do = performing(alice)
    sent = do(SendFileCommand("bob", str(tmp_path / "big"), True, True))
    assert do(CancelFileCommand("bob", sent.id[:8])).id == sent.id
    handles.wait_for(lambda: alice.files.get("bob", sent.id).state is FileState.CANCELLED)
    assert refused(do, CancelFileCommand("bob", sent.id)) == (Exit.REFUSED, "not_cancelled")

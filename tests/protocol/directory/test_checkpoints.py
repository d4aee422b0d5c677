"""Signed heads: what is read is what was signed, and nothing else is taken for one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import directory_by_the_page as page
from tests.helpers.examples import examples
from usernym.protocol.directory.checkpoints import CHECKPOINT_BYTES_MAX, LogHead, read_checkpoint
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.signing import SigningKey

KEY = SigningKey.from_seed(bytes(range(32)))
OTHER = SigningKey.from_seed(bytes(32))
HEAD = LogHead(KEY.public, 7, hashlib.sha256(b"root").digest())
NOTE = HEAD.signed(KEY)
OTHERS_LINE = f"— example.org/witness {base64.b64encode(bytes(76)).decode()}\n".encode()


@given(st.integers(0, 10**16 - 1), st.binary(min_size=32, max_size=32))
@examples(300)
def test_a_signed_head_is_read_by_both_implementations(size: int, root: bytes) -> None:
    head = LogHead(KEY.public, size, root)
    assert read_checkpoint(head.signed(KEY)) == head
    assert page.checkpoint(head.signed(KEY)) == (KEY.public, size, root)


def test_signatures_of_others_are_ignored() -> None:
    assert read_checkpoint(NOTE + OTHERS_LINE) == HEAD
    start, end = NOTE.split(b"\n\n")
    assert read_checkpoint(start + b"\n\n" + OTHERS_LINE + end) == HEAD


@given(st.data())
@examples(300)
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(NOTE) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != NOTE[at]))
    with pytest.raises(DirectoryInvalid):
        read_checkpoint(NOTE[:at] + bytes((byte,)) + NOTE[at + 1 :])


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        NOTE[:-1],
        NOTE + b"\n",
        NOTE.split(b"\n\n")[0] + b"\n\n",
        NOTE.split(b"\n\n")[0] + b"\n\n" + OTHERS_LINE,
        NOTE.replace(b"\n7\n", b"\n07\n"),
        NOTE.replace(b"\n7\n", b"\n7\nan extension\n"),
        NOTE + OTHERS_LINE * 200,
        HEAD.signed(OTHER),
        LogHead(OTHER.public, 7, HEAD.root).signed(KEY),
    ],
)
def test_what_is_no_signed_head_is_refused(note: bytes) -> None:
    with pytest.raises(DirectoryInvalid):
        read_checkpoint(note)


def test_as_many_signatures_as_the_specification_asks_for_fit() -> None:
    note = NOTE + OTHERS_LINE * 15
    assert len(note) < CHECKPOINT_BYTES_MAX
    assert read_checkpoint(note) == HEAD


def test_only_a_note_is_signed_without_a_label() -> None:
    with pytest.raises(ValueError, match="labelled"):
        KEY.sign_text(b"usernym/1 request\0")

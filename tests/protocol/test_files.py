"""Files: chunks that fill packets and come together again, what is whole, and names that are never a path."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from usernym.protocol import files as f
from usernym.protocol import payloads as p
from usernym.protocol.errors import Code
from usernym.protocol.limits import CHUNK_PACKETS, FILE_BYTES_MAX, FILE_NAME_LETTERS_MAX, UINT32_MAX
from usernym.protocol.wire import pack

CHUNKS_MAX = f.chunks_of(FILE_BYTES_MAX)
SIZES = st.one_of(
    st.integers(1, FILE_BYTES_MAX),
    st.integers(1, CHUNKS_MAX - 1).flatmap(
        lambda chunks: st.integers(chunks * p.CHUNK_BYTES - 1, chunks * p.CHUNK_BYTES + 1)
    ),
)


def test_a_chunk_fills_its_packets_and_a_byte_more_would_not_fit() -> None:
    longest = p.FileChunk(0, UINT32_MAX, bytes(16), None, bytes(16), UINT32_MAX, bytes(p.CHUNK_BYTES))
    room = p.plaintext_bytes(CHUNK_PACKETS, first_contact=False)
    assert len(p.pad_payload(longest, first_contact=False)) == room
    longest = p.FileChunk(p.COUNTER_MAX, UINT32_MAX, bytes(16), None, bytes(16), UINT32_MAX, bytes(p.CHUNK_BYTES))
    assert len(p.pad_payload(longest, first_contact=False)) == room
    assert len(pack(longest)) + len(p.PAD) == room


def test_an_offer_with_the_longest_name_in_ascii_fits_one_packet_at_first_contact() -> None:
    name = "n" * FILE_NAME_LETTERS_MAX
    offer = p.FileOffer(UINT32_MAX, UINT32_MAX, bytes(16), None, name, FILE_BYTES_MAX, f.PICTURE, bytes(32))
    assert len(p.pad_payload(offer, first_contact=True)) == p.plaintext_bytes(1, first_contact=True)


@examples(50)
@given(size=SIZES)
def test_chunks_cover_a_file_once(size: int) -> None:
    sizes = [f.bytes_of_chunk(size, number) for number in range(f.chunks_of(size))]
    assert sum(sizes) == size
    assert all(0 < each <= p.CHUNK_BYTES for each in sizes)
    assert set(sizes[:-1]) <= {p.CHUNK_BYTES}
    assert f.bytes_of_chunk(size, f.chunks_of(size)) == 0


@examples(50)
@given(content=st.binary(min_size=1, max_size=200), repeated=st.integers(1, 800))
def test_what_is_cut_comes_together_again(content: bytes, repeated: int) -> None:
    whole = content * repeated
    chunks = f.cut(whole)
    assert b"".join(chunks) == whole
    assert len(chunks) == f.chunks_of(len(whole))
    for number, chunk in enumerate(chunks):
        f.check_chunk(len(whole), number, chunk)
    assert f.is_whole(b"".join(chunks), len(whole), f.digest_of(whole))


@examples(50)
@given(size=SIZES, number=st.integers(0, CHUNKS_MAX + 2), off=st.integers(-3, 3).filter(bool))
def test_no_other_chunk_is_one_of_the_file(size: int, number: int, off: int) -> None:
    wrong = max(0, f.bytes_of_chunk(size, number) + off)
    if wrong != f.bytes_of_chunk(size, number):
        assert refusal(lambda: f.check_chunk(size, number, bytes(wrong))) is Code.MALFORMED


@examples(50)
@given(content=st.binary(min_size=1, max_size=100), at=st.integers(0, 99), bit=st.integers(0, 7), data=st.data())
def test_nothing_else_is_whole(content: bytes, at: int, bit: int, data: st.DataObject) -> None:
    digest = f.digest_of(content)
    changed = bytearray(content)
    changed[at % len(content)] ^= 1 << bit
    assert not f.is_whole(bytes(changed), len(content), digest)
    cut = data.draw(st.integers(0, len(content) - 1))
    assert not f.is_whole(content[:cut], len(content), digest)
    assert not f.is_whole(content + b"\0", len(content), digest)


# -- names --


@examples(500)
@given(name=st.text(max_size=300) | st.text(alphabet="./\\ :\u202e\0con.", max_size=40))
def test_a_safe_name_is_a_name_in_a_folder(name: str) -> None:
    safe = f.safe_name(name)
    assert 0 < len(safe) <= FILE_NAME_LETTERS_MAX
    assert len(safe.encode()) <= 255
    assert not set(safe) & set('/\\:*?"<>|\0')
    assert not any(unicodedata.category(letter).startswith(("C", "Zl", "Zp")) for letter in safe)
    assert safe not in {".", ".."}
    assert not safe.startswith((".", " "))
    assert not safe.endswith((".", " "))
    assert f.safe_name(safe) == safe
    assert f.is_name(safe)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("..\\..\\autoexec.bat", "_.._autoexec.bat"),
        (".bashrc", "bashrc"),
        ("con", "_con"),
        ("NUL.txt", "_NUL.txt"),
        ("com1 .txt", "_com1.txt"),
        ("photo\u202egpj.exe", "photo_gpj.exe"),
        ("a\nb", "a_b"),
        ("", "file"),
        ("...", "file"),
        ("x" * 300 + ".jpeg", "x" * 59 + ".jpeg"),
        ("holiday.jpg", "holiday.jpg"),
        ("Grüße vom Meer.png", "Grüße vom Meer.png"),
    ],
)
def test_some_names(name: str, safe: str) -> None:
    assert f.safe_name(name) == safe

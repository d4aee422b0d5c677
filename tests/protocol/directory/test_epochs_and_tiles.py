"""Entries, changes and the files of a log: what is written is read again, and what is malformed is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import directory_by_the_page as page
from tests.helpers.examples import examples
from usernym.protocol.directory.epochs import EpochEntry, MapChange, decode_changes, decode_entry, encode_changes
from usernym.protocol.directory.events import NO_EVENTS
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import entry_hash
from usernym.protocol.directory.name_map import MapLeaf
from usernym.protocol.directory.tiles import bundled_entries, changes_path, tile_files, tile_path

HASH = st.binary(min_size=32, max_size=32)
U64 = st.integers(0, 2**64 - 1)
ENTRIES = st.builds(EpochEntry, HASH, HASH, U64, U64, U64, HASH)
CHANGES = st.lists(
    st.builds(MapChange, HASH, st.integers(0, 2**32 - 1), st.lists(HASH, min_size=1, max_size=5).map(tuple)),
    max_size=5,
    unique_by=lambda change: change.label,
).map(lambda changes: sorted(changes, key=lambda change: change.label))


@given(ENTRIES)
@examples(300)
def test_an_entry_is_read_as_it_was_written(entry: EpochEntry) -> None:
    data = entry.encoded()
    assert len(data) == 147
    assert decode_entry(data) == entry
    for wrong in (data[:-1], data + b"\0", b"U" + data[1:]):
        with pytest.raises(DirectoryInvalid):
            decode_entry(wrong)


@given(CHANGES)
@examples(300)
def test_changes_are_read_as_they_were_written(changes: list[MapChange]) -> None:
    data = encode_changes(changes)
    assert list(decode_changes(data)) == changes
    assert [MapChange(name, before, tuple(new)) for name, before, new in page.changes(data)] == changes


@given(CHANGES.filter(bool), st.data())
@examples(300)
def test_changes_that_were_cut_are_refused(changes: list[MapChange], data: st.DataObject) -> None:
    whole = encode_changes(changes)
    ends = {len(encode_changes(changes[:count])) for count in range(len(changes))}
    at = data.draw(st.integers(0, len(whole) - 1).filter(lambda place: place not in ends))
    with pytest.raises(DirectoryInvalid):
        list(decode_changes(whole[:at]))


def test_changes_out_of_order_or_twice_or_of_nothing_are_refused() -> None:
    low, high = (MapChange(bytes((first,)) * 32, 0, (bytes(32),)) for first in (1, 2))
    for wrong in ([high, low], [low, low], [MapChange(low.label, 0, ())]):
        with pytest.raises(DirectoryInvalid):
            list(decode_changes(encode_changes(wrong)))


def test_a_change_continues_the_chain_that_is_there() -> None:
    first = MapChange(bytes(32), 0, (b"a" * 32, b"b" * 32)).applied(None)
    by_parts = MapChange(bytes(32), 1, (b"b" * 32,)).applied(MapChange(bytes(32), 0, (b"a" * 32,)).applied(None))
    assert first == by_parts
    assert first.events == 2
    assert first.head == page.digest(
        "directory chain",
        page.digest("directory chain", NO_EVENTS, (1).to_bytes(4, "big"), b"a" * 32),
        (2).to_bytes(4, "big"),
        b"b" * 32,
    )
    for before in (None, MapLeaf(bytes(32), 2, bytes(32))):
        with pytest.raises(DirectoryInvalid):
            MapChange(bytes(32), 1, (b"b" * 32,)).applied(before)


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 512, 700])
def test_the_files_of_a_log_are_those_of_tlog_tiles(tmp_path: Path, size: int) -> None:
    entries = [str(number).encode() for number in range(size)]
    for path, content in tile_files(entries):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    assert page.entries(tmp_path, size) == entries
    page.check_tiles(tmp_path, [entry_hash(entry) for entry in entries])


def test_the_example_of_tlog_tiles() -> None:
    paths = [path for path, _ in tile_files([b""] * 70_000)]
    levels = {level: [path for path in paths if path.startswith(f"tile/{level}/")] for level in ("0", "1", "2", "3")}
    assert len(levels["0"]) == 274
    assert levels["0"][-1] == "tile/0/273.p/112"
    assert levels["1"] == ["tile/1/000", "tile/1/001.p/17"]
    assert levels["2"] == ["tile/2/000.p/1"]
    assert levels["3"] == []
    assert tile_path("0", 1_234_067) == "tile/0/x001/x234/067"
    assert changes_path(1_000) == "changes/x001/000"


def test_a_bundle_that_was_cut_or_lengthened_is_refused() -> None:
    bundle = b"\0\x01a\0\x02bc"
    assert bundled_entries(bundle, 2) == [b"a", b"bc"]
    for wrong, width in ((bundle[:-1], 2), (bundle + b"\0", 2), (bundle, 1), (bundle, 3)):
        with pytest.raises(DirectoryInvalid):
            bundled_entries(wrong, width)

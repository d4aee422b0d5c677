"""The map: what is stored in parts gives the root of all leaves, as the page defines it."""

from __future__ import annotations

from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import directory_by_the_page as page
from tests.helpers.examples import examples
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.name_map import (
    BUCKETS,
    ROOT_PLACE,
    MapLeaf,
    bit,
    bucket_of,
    bucket_start,
    path_to,
    raised,
    root_above,
)

LABELS = st.binary(min_size=32, max_size=32) | st.tuples(
    # Labels that share a long beginning, or a bucket.
    st.sampled_from((bytes(30), b"\xff" * 30, b"\x80" + bytes(29), bytes(1) + b"\xff" * 29)),
    st.binary(min_size=2, max_size=2),
).map(b"".join)
LEAVES = st.builds(MapLeaf, LABELS, st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32))


@pytest.mark.seconds
@given(st.lists(st.lists(LEAVES, min_size=1, max_size=6), min_size=1, max_size=6))
@examples(300)
def test_a_map_changed_in_epochs_has_the_root_of_the_page(epochs: list[list[MapLeaf]]) -> None:
    leaves: dict[bytes, MapLeaf] = {}
    hashes: dict[int, bytes] = {}

    def read(places: Collection[int]) -> dict[int, bytes]:
        return {place: hashes[place] for place in places if place in hashes}

    for changed in epochs:
        leaves |= {leaf.label: leaf for leaf in changed}
        touched = {bucket_of(leaf.label) for leaf in changed}
        buckets = {
            number: sorted(leaf for leaf in leaves.values() if bucket_of(leaf.label) == number) for number in touched
        }
        hashes |= raised(buckets, read)
        chains = {leaf.label: (leaf.events, leaf.head) for leaf in leaves.values()}
        assert hashes[ROOT_PLACE] == page.map_root(chains)


@given(st.lists(LEAVES, min_size=1, max_size=12, unique_by=lambda leaf: leaf.label), LABELS)
@examples(300)
def test_each_label_has_one_way_down_which_gives_the_root(leaves: list[MapLeaf], absent: bytes) -> None:
    buckets = {
        number: sorted(leaf for leaf in leaves if bucket_of(leaf.label) == number)
        for number in {bucket_of(leaf.label) for leaf in leaves}
    }
    hashes = raised(buckets, lambda _places: {})

    def read(places: Collection[int]) -> dict[int, bytes]:
        return {place: hashes[place] for place in places if place in hashes}

    for label in [leaf.label for leaf in leaves] + [absent]:
        path = path_to(label, read, lambda number: buckets.get(number, []))
        assert root_above(label, path.leaf.hash(), path.depths, path.siblings) == hashes[ROOT_PLACE]
        assert list(path.depths) == sorted(set(path.depths))
        assert all(bit(path.leaf.label, depth) == bit(label, depth) for depth in path.depths)
        assert (path.leaf.label == label) is (label in {leaf.label for leaf in leaves})


def test_what_is_no_map_has_no_way_down() -> None:
    leaf = MapLeaf(bytes(32), 1, bytes(32))
    hashes = raised({0: [leaf]}, lambda _places: {})

    def whole(places: Collection[int]) -> dict[int, bytes]:
        return {place: hashes[place] for place in places if place in hashes}

    assert path_to(b"\xff" * 32, whole, lambda _number: [leaf]).leaf == leaf
    with pytest.raises(DirectoryInvalid, match="bucket"):
        path_to(bytes(32), whole, lambda _number: [])
    for place in list(hashes):
        if place != ROOT_PLACE:
            gone = place
            with pytest.raises(DirectoryInvalid, match="nothing below"):
                path_to(bytes(32), lambda places: whole(set(places) - {gone}), lambda _number: [leaf])  # noqa: B023


@given(LABELS)
@examples(300)
def test_a_label_is_in_its_bucket(label: bytes) -> None:
    bucket = bucket_of(label)
    assert 0 <= bucket < BUCKETS
    assert bucket_start(bucket) <= label
    assert bucket + 1 == BUCKETS or label < bucket_start(bucket + 1)

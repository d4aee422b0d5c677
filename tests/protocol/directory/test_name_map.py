"""The map: what is stored in parts gives the root of all leaves, as the page defines it."""

from __future__ import annotations

from collections.abc import Collection

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import directory_by_the_page as page
from tests.helpers.examples import examples
from usernym.protocol.directory.name_map import BUCKETS, ROOT_PLACE, MapLeaf, bucket_of, bucket_start, raised

LABELS = st.binary(min_size=32, max_size=32) | st.tuples(
    # Labels that share a long beginning, or a bucket.
    st.sampled_from((bytes(30), b"\xff" * 30, b"\x80" + bytes(29), bytes(1) + b"\xff" * 29)),
    st.binary(min_size=2, max_size=2),
).map(b"".join)
LEAVES = st.builds(MapLeaf, LABELS, st.integers(1, 2**32 - 1), st.binary(min_size=32, max_size=32))


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


@given(LABELS)
@examples(300)
def test_a_label_is_in_its_bucket(label: bytes) -> None:
    bucket = bucket_of(label)
    assert 0 <= bucket < BUCKETS
    assert bucket_start(bucket) <= label
    assert bucket + 1 == BUCKETS or label < bucket_start(bucket + 1)

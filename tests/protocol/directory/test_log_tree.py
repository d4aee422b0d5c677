"""The log's tree: the public vectors of RFC 6962's reference implementation, and the definition itself."""

from __future__ import annotations

from functools import reduce
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import directory_by_the_page as page
from tests.helpers.examples import examples
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.directory.log_tree import Frontier, beginning, entry_hash, root_of, spans

LEAVES: Final = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS: Final = (
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def _frontier(entries: list[bytes]) -> Frontier:
    frontier = Frontier()
    for entry in entries:
        frontier = frontier.with_leaf(entry_hash(entry))
    return frontier


@pytest.mark.parametrize("size", range(9))
def test_the_roots_of_certificate_transparency(size: int) -> None:
    assert _frontier([bytes.fromhex(leaf) for leaf in LEAVES[:size]]).root().hex() == ROOTS[size]


@given(st.lists(st.binary(max_size=5), max_size=70))
@examples(300)
def test_a_tree_that_grows_is_the_tree_of_the_definition(entries: list[bytes]) -> None:
    frontier = _frontier(entries)
    assert frontier.size == len(entries)
    assert len(frontier.peaks) == len(entries).bit_count()
    assert frontier.root() == page.log_root([entry_hash(entry) for entry in entries])


@examples(200)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
def test_a_tree_continues_another_by_the_roots_between(one: int, two: int, three: int) -> None:
    first, middle, last = sorted((one, two, three))
    leaves = [entry_hash(bytes((number % 256, number // 256))) for number in range(last)]

    def tree(size: int) -> Frontier:
        return reduce(Frontier.with_leaf, leaves[:size], Frontier())

    def between(start: int, end: int) -> list[bytes]:
        return [root_of(leaves[place << level : (place + 1) << level]) for level, place in spans(start, end)]

    assert tree(first).through(last, between(first, last)) == tree(last)
    assert tree(first).through(middle, between(first, middle)).through(last, between(middle, last)) == tree(last)
    if middle:
        shown = [*tree(middle).peaks, *between(middle, last)]
        assert page.log_root(leaves) == root_of(leaves)
        assert beginning(middle, last, root_of(leaves), shown) == tree(middle)
        for changed in (shown[:-1], [*shown, bytes(32)], [bytes(32), *shown[1:]]):
            with pytest.raises(DirectoryInvalid):
                beginning(middle, last, root_of(leaves), changed)

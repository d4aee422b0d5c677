"""How fast a file is on a link of Nym's pace that loses a fifth of the packets, beside texts of as many bytes."""

from __future__ import annotations

import pytest

from bench.files import carried


@pytest.mark.seconds
@pytest.mark.parametrize(("direct", "worlds"), [(True, 16), (False, 3)])
def test_a_file_gets_nine_tenths_of_what_the_link_can_carry(direct: bool, worlds: int) -> None:
    row = carried(1_000_000, direct=direct, worlds=worlds)
    assert row.share >= 0.9
    assert row.file_s <= 400, "it waits for no heartbeat, and ten minutes for no new address"

"""How fast a file is on a link of Nym's pace that loses a fifth of the packets, beside texts of as many bytes."""

from __future__ import annotations

import pytest

from bench.files import carried


@pytest.mark.seconds
@pytest.mark.parametrize(("direct", "worlds"), [(True, 16), (False, 3)])
def test_a_file_gets_nine_tenths_of_what_the_link_can_carry(direct: bool, worlds: int) -> None:
    assert carried(1_000_000, direct=direct, worlds=worlds).share >= 0.9

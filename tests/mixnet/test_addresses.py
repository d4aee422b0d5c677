"""The text form of Nym addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usernym.mixnet.addresses import ADDRESS_LETTERS_MAX, AddressError, format_address, parse_address
from usernym.mixnet.transport import ADDRESS_BYTES

SOUND = format_address(bytes(range(ADDRESS_BYTES)))


@given(st.binary(min_size=ADDRESS_BYTES, max_size=ADDRESS_BYTES))
def test_round_trip(address: bytes) -> None:
    text = format_address(address)
    assert len(text) <= ADDRESS_LETTERS_MAX
    assert parse_address(text) == address


def test_known_address() -> None:
    assert format_address(bytes(96)) == f"{'1' * 32}.{'1' * 32}@{'1' * 32}"
    assert SOUND.startswith("1thX6LZfHDZZKUs92febYZhYRcXddmzfzF2NvTkPNE.")


@pytest.mark.parametrize("size", [0, 95, 97])
def test_other_lengths_have_no_text(size: int) -> None:
    with pytest.raises(AddressError, match="96 bytes"):
        format_address(bytes(size))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        SOUND.replace("@", "."),
        SOUND.replace(".", "@"),
        SOUND + "\n",
        " " + SOUND,
        SOUND + "1",
        SOUND[:-2],
        "1" + SOUND,
        SOUND.replace("1thX", "0thX"),
        SOUND.replace("1thX", "lthX"),
        SOUND.replace("1thX", "é1hX"),
        f"{'z' * 44}.{'1' * 32}@{'1' * 32}",
        "1" * 10_000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        parse_address(text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        address = parse_address(text)
    except AddressError:
        return
    assert format_address(address) == text


def test_error_does_not_repeat_the_address() -> None:
    with pytest.raises(AddressError) as refused:
        parse_address(SOUND[:-5])
    assert SOUND[:20] not in str(refused.value)

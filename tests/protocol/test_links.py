"""A link has one form, survives what people do to text, and no letter of it can be changed; so with safety numbers."""

from __future__ import annotations

import re
import string
from functools import partial

from hypothesis import assume, given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from usernym.protocol.errors import Code
from usernym.protocol.links import LINK_LETTERS_MAX, is_link, link_text, make_link, parse_link
from usernym.protocol.safety import number_code, parse_number, safety_number

keys = st.binary(min_size=32, max_size=32)
names = st.from_regex(r"[a-z][a-z0-9_]{2,31}", fullmatch=True)
spaces = st.text(" \t\r\n", max_size=3)


@given(keys, names, keys)
def test_a_links_text_is_the_link(node: bytes, name: str, key: bytes) -> None:
    link = make_link(node, name, key)
    text = link_text(link)
    assert parse_link(text) == link
    assert link.matches(node, key)
    assert len(text) == LINK_LETTERS_MAX - 32 + len(name)
    assert re.fullmatch(r"usernym:[a-z][a-z0-9_]*/[a-z2-7]{56}", text)
    assert name not in repr(link)


@given(keys, names, keys, st.data())
def test_whatever_case_and_white_space_a_link_comes_in_it_is_the_same(
    node: bytes, name: str, key: bytes, data: st.DataObject
) -> None:
    text = link_text(make_link(node, name, key))
    upper = data.draw(st.lists(st.booleans(), min_size=len(text), max_size=len(text)))
    typed = "".join(letter.upper() if up else letter for letter, up in zip(text, upper, strict=True))
    assert parse_link(data.draw(spaces) + typed + data.draw(spaces)) == parse_link(text)
    assert is_link(typed)
    assert not is_link(name)


@given(keys, keys, names, names, keys, keys)
def test_a_link_matches_one_node_one_name_one_key(
    node: bytes, other_node: bytes, name: str, other_name: str, key: bytes, other_key: bytes
) -> None:
    assume(node != other_node)
    assume(name != other_name)
    assume(key != other_key)
    link = make_link(node, name, key)
    assert not link.matches(node, other_key)
    assert not link.matches(other_node, key)
    assert not link.is_of_node(other_node)
    other = make_link(node, other_name, key)
    assert other.identity_fingerprint != link.identity_fingerprint, "no search serves against two names"
    assert make_link(other_node, name, key).identity_fingerprint != link.identity_fingerprint


def test_no_letter_of_a_link_can_be_changed_or_swapped_with_the_next() -> None:
    """All of them, of one link: a slip passes the check once in 65,536 times, and none of these does."""
    text = link_text(make_link(b"n" * 32, "alice_01", b"k" * 32))
    for at in range(len(text)):
        changed = [text[:at] + letter + text[at + 1 :] for letter in string.printable + "\u0131\u212a"]
        changed += [text[:at] + text[at + 1 :], text[:at] + text[at : at + 2][::-1] + text[at + 2 :]]
        for typed in changed:
            expected = None if typed.strip().lower() == text and typed.isascii() else Code.LINK_INVALID
            assert refusal(partial(parse_link, typed)) is expected, typed


@examples(300)
@given(st.text(max_size=60) | st.text("abcdefgh234567ABC/?#=", max_size=120))
def test_any_text_is_refused(text: str) -> None:
    assert refusal(lambda: parse_link(text)) is Code.LINK_INVALID
    # Once in 65,536 times letters fit their check: then they are of another version.
    assert refusal(lambda: parse_link(f"usernym:alice/{text}")) in {Code.LINK_INVALID, Code.UNSUPPORTED_VERSION}
    assert refusal(lambda: parse_link(link_text(make_link(b"n" * 32, "alice", b"k" * 32)) + "/" + text)) is (
        Code.LINK_INVALID
    )


@given(keys, names, keys, names, keys, st.data())
def test_both_sides_show_one_code_and_whatever_is_scanned_is_the_number(
    node: bytes, name: str, key: bytes, other_name: str, other_key: bytes, data: st.DataObject
) -> None:
    mine, theirs = (name, key), (other_name, other_key)
    number = safety_number(node, mine, theirs)
    code = number_code(number)
    assert code == number_code(safety_number(node, theirs, mine))
    digits = number.replace(" ", "")
    for text in (number, digits, code, code.upper()):
        assert parse_number(data.draw(spaces) + text + data.draw(spaces)) == digits
    at = data.draw(st.integers(0, len(code) - 1))
    letter = data.draw(st.characters(exclude_characters=string.whitespace + code[at] + code[at].upper()))
    assume(not letter.isspace())
    changed = code[:at] + letter + code[at + 1 :]
    if letter.isascii() and letter.isdigit() and at >= len("usernym-safety:"):
        assert parse_number(changed) != digits
    else:
        assert refusal(lambda: parse_number(changed)) is Code.MALFORMED

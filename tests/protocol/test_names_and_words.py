"""Names have one form and one skeleton; words give one set of keys; safety numbers are the same for both sides."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from usernym.protocol import names, words
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import NAME_LETTERS_MAX, NAME_LETTERS_MIN
from usernym.protocol.safety import safety_number
from usernym.protocol.signing import SigningKey

valid_names = st.from_regex(r"[a-z][a-z0-9_]{2,31}", fullmatch=True)
near_names = st.text(string.ascii_letters + string.digits + "_- .\u0430\u212a\u0131\n", max_size=36)
REASONS = {Code.NAME_BAD_CHARACTER, Code.NAME_TOO_SHORT, Code.NAME_TOO_LONG, Code.NAME_BAD_START}


@given(valid_names)
def test_a_valid_name_is_its_own_form(name: str) -> None:
    names.check(name)
    assert names.canonical(name) == name
    assert names.canonical(f" {name.upper()}\t") == name


@examples(500)
@given(near_names | st.text(max_size=40))
def test_what_is_typed_is_a_name_or_refused_with_a_reason(typed: str) -> None:
    refused = refusal(lambda: names.canonical(typed))
    if refused is not None:
        assert refused in REASONS
        return
    name = names.canonical(typed)
    assert name == typed.strip().lower()
    assert NAME_LETTERS_MIN <= len(name) <= NAME_LETTERS_MAX
    assert set(name) <= set(string.ascii_lowercase + string.digits + "_")
    assert name[0] in string.ascii_lowercase
    assert names.canonical(name) == name


@examples(500)
@given(near_names | st.text(max_size=40))
def test_a_name_on_the_wire_has_its_form_or_is_refused(name: str) -> None:
    refused = refusal(lambda: names.check(name))
    assert refused in {*REASONS, None}
    if refused is None:
        assert names.canonical(name) == name


@given(valid_names)
def test_skeletons_are_their_own_skeletons(name: str) -> None:
    skeleton = names.skeleton(name)
    assert names.skeleton(skeleton) == skeleton
    assert len(skeleton) == len(name)
    assert not set(skeleton) & set("01i")


@given(valid_names, st.data())
def test_a_look_alike_has_the_same_skeleton(name: str, data: st.DataObject) -> None:
    alike = {"o": "o0", "0": "o0", "l": "l1i", "1": "l1i", "i": "l1i"}
    other = "".join(data.draw(st.sampled_from(alike.get(letter, letter))) for letter in name)
    assert names.skeleton(other) == names.skeleton(name)


@given(valid_names, valid_names)
def test_names_that_differ_otherwise_have_other_skeletons(one: str, other: str) -> None:
    fold = {"0": "o", "1": "l", "i": "l"}
    look = [[fold.get(letter, letter) for letter in name] for name in (one, other)]
    assert (look[0] == look[1]) == (names.skeleton(one) == names.skeleton(other))


@pytest.mark.parametrize("name", sorted(names.RESERVED))
def test_reserved_names_are_names_that_nobody_can_register(name: str) -> None:
    names.check(name)
    for spelling in {name, name[0] + name[1:].replace("o", "0").replace("l", "1"), name.replace("i", "l")}:
        with pytest.raises(RemoteProtocolError) as caught:
            names.check_registrable(spelling)
        assert caught.value.code is Code.NAME_RESERVED


@examples(25)
@given(st.binary(min_size=16, max_size=16))
def test_words_give_the_same_keys_however_they_are_typed(entropy: bytes) -> None:
    written = words.words_from_entropy(entropy)
    root = words.root_from_words(written)
    assert len(written.split()) == 12
    assert len(root) == 64
    assert words.root_from_words(f"\n{written.upper().replace(' ', '   ')} ") == root


@examples(25)
@given(st.binary(min_size=64, max_size=64), st.sets(st.binary(min_size=32, max_size=32), min_size=2, max_size=5))
def test_all_keys_of_a_root_are_different(root: bytes, fresh: set[bytes]) -> None:
    seeds = [words.first_identity_seed(root), *(words.next_identity_seed(root, each) for each in fresh)]
    publics = {SigningKey.from_seed(seed).public for seed in seeds}
    publics.add(words.recovery_key(root).public)
    assert len(publics) == len(fresh) + 2
    with pytest.raises(ValueError, match="32 fresh bytes"):
        words.next_identity_seed(root, bytes(31))


@examples(200)
@given(st.binary(min_size=16, max_size=16), st.data())
def test_other_words_give_other_keys_or_none(entropy: bytes, data: st.DataObject) -> None:
    written = words.words_from_entropy(entropy).split()
    at = data.draw(st.integers(0, 11))
    known = words.words_from_entropy(data.draw(st.binary(min_size=16, max_size=16))).split()
    changed = [*written[:at], data.draw(st.sampled_from(known)), *written[at + 1 :]]
    root, wrong = words.root_from_words(" ".join(written)), ""
    try:
        other = words.root_from_words(" ".join(changed))
    except words.WordsInvalid as error:
        other, wrong = b"", str(error)
    assert (other == root) == (changed == written)
    # The same text whatever the words: it must not repeat them.
    assert wrong in {"", "one of the words is wrong, or two are swapped: their checksum does not hold"}


@examples(15)
@given(valid_names, valid_names, st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_both_sides_see_one_safety_number(mine: str, theirs: str, my_key: bytes, their_key: bytes) -> None:
    node = b"n" * 32
    number = safety_number(node, (mine, my_key), (theirs, their_key))
    assert number == safety_number(node, (theirs, their_key), (mine, my_key))
    groups = number.split(" ")
    assert [len(group) for group in groups] == [5] * 12
    assert "".join(groups).isdigit()
    assert number != safety_number(node, (mine, my_key), (theirs, bytes((their_key[0] ^ 1,)) + their_key[1:]))
    assert number != safety_number(b"m" * 32, (mine, my_key), (theirs, their_key))

"""Records and chains of identities: honest ones verify, tampered ones do not, and no thief gets past a recovery."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.examples import examples
from tests.helpers.refusals import refusal
from tests.helpers.wire_strategies import strategy
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.records import (
    NO_PREVIOUS,
    Authority,
    KeyRecord,
    RecordStub,
    Succession,
    accepts_change,
    authorise,
    decode_record,
    decode_succession,
    extend_chain,
    first_succession,
    is_update,
    record_hash,
    sign_record,
    verify_chain,
    verify_record,
    verify_record_in_chain,
    verify_stub,
)
from usernym.protocol.sealing import MessageKey
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import pack

NODE, NAME = b"n" * 32, "alice"
HPKE = MessageKey.from_seed(bytes(32)).public
Chain = tuple[Succession, ...]
LIES = {Code.RECORD_INVALID, Code.SUCCESSION_INVALID}


@cache
def key(what: str) -> SigningKey:
    return SigningKey.from_seed(what.encode().ljust(32, b"."))


@dataclass(frozen=True)
class Link:
    """A link with the private keys behind it."""

    record: KeyRecord
    link: Succession
    identity: SigningKey
    recovery: SigningKey


def record(
    identity: SigningKey,
    recovery: bytes,
    before: RecordStub | None = None,
    recoveries: int = 0,
    hpke_number: int = 1,
    number: int | None = None,
) -> KeyRecord:
    previous = NO_PREVIOUS if before is None else record_hash(NODE, NAME, before)
    number = number or (1 if before is None else before.number + 1)
    unsigned = KeyRecord(number, recoveries, identity.public, recovery, HPKE, hpke_number, 20_000, previous, b"")
    return sign_record(identity, NODE, NAME, unsigned)


def genesis(identity: str, recovery: str) -> Link:
    made = record(key(identity), key(recovery).public)
    return Link(made, first_succession(made), key(identity), key(recovery))


def follow(before: Link, identity: str, recovery: str | None = None) -> Link:
    """The owner's next link: by the recovery key if it names one, else by the identity key."""
    by_recovery = recovery is not None
    stub = before.record.stub()
    heir = before.recovery if recovery is None else key(recovery)
    made = record(key(identity), heir.public, stub, stub.recoveries + by_recovery)
    authority = Authority.RECOVERY if by_recovery else Authority.IDENTITY
    allowing = before.recovery if by_recovery else before.identity
    link = authorise(allowing, NODE, NAME, made.stub(), authority)
    return Link(made, link, key(identity), heir)


@st.composite
def histories(draw: st.DrawFn) -> list[Link]:
    """An owner's chain: one to six identities, some by recovery, some of those with a new recovery key."""
    links = [genesis("owner 0", "recovery 0")]
    spare = 1
    for at in range(1, draw(st.integers(1, 6))):
        match draw(st.sampled_from(["identity", "recovery", "new recovery"])):
            case "identity":
                links.append(follow(links[-1], f"owner {at}"))
            case "recovery":
                same = f"recovery {spare - 1}"
                links.append(follow(links[-1], f"owner {at}", same))
            case "new recovery":
                links.append(follow(links[-1], f"owner {at}", f"recovery {spare}"))
                spare += 1
    return links


def chain_of(links: list[Link]) -> Chain:
    return tuple(link.link for link in links)


@given(histories())
def test_an_owners_chain_holds_and_everybody_follows_it(links: list[Link]) -> None:
    chain = chain_of(links)
    verify_chain(NODE, NAME, chain)
    grown: Chain = chain[:1]
    for succession in chain[1:]:
        grown = extend_chain(NODE, NAME, grown, succession)
    assert grown == chain
    for at, link in enumerate(links):
        verify_record_in_chain(NODE, NAME, chain[: at + 1], link.record)
        assert accepts_change(link.record, chain)
        assert all(not accepts_change(link.record, chain[:until]) for until in range(1, at + 1))
        assert decode_succession(pack(link.link)) == link.link
        assert decode_record(pack(link.record)) == link.record


@given(histories(), st.data())
@examples(300)
def test_no_byte_of_a_chain_can_be_changed(links: list[Link], data: st.DataObject) -> None:
    chain = list(chain_of(links))
    at = data.draw(st.integers(0, len(chain) - 1))
    encoded = bytearray(pack(chain[at]))
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))

    def check() -> None:
        chain[at] = decode_succession(bytes(encoded))
        verify_chain(NODE, NAME, tuple(chain))

    assert refusal(check) in {*LIES, Code.MALFORMED}


@given(histories(), st.data())
def test_a_chain_holds_for_its_node_and_name_and_order_alone(links: list[Link], data: st.DataObject) -> None:
    chain = chain_of(links)
    assert refusal(lambda: verify_chain(b"m" * 32, NAME, chain)) is Code.RECORD_INVALID
    assert refusal(lambda: verify_chain(NODE, "alicf", chain)) is Code.RECORD_INVALID
    shuffled = tuple(data.draw(st.permutations(chain)))
    assert (refusal(lambda: verify_chain(NODE, NAME, shuffled)) is None) == (shuffled == chain)
    shorter = tuple(data.draw(st.lists(st.sampled_from(chain), max_size=len(chain))))
    assert (refusal(lambda: verify_chain(NODE, NAME, shorter)) is None) == (shorter == chain[: len(shorter)] != ())


@given(st.data())
def test_no_field_of_a_record_can_be_changed(data: st.DataObject) -> None:
    made = genesis("owner 0", "recovery 0").record
    verify_record(NODE, NAME, made)
    verify_stub(NODE, NAME, made.stub())
    other = data.draw(strategy(KeyRecord))
    changed = [field for field in made.__struct_fields__ if getattr(made, field) != getattr(other, field)]
    for name in changed:
        tampered = msgspec.structs.replace(made, **{name: getattr(other, name)})
        assert refusal(partial(verify_record, NODE, NAME, tampered)) is Code.RECORD_INVALID
    assert set(changed) >= {"identity_key", "recovery_key", "hpke_key", "signature"}


# -- thieves ---------------------------------------------------------------------------------------------------------


@dataclass
class Thief:
    """Holds some of the owner's identity keys, all replaced recovery keys perhaps, and keys of his own."""

    keys: dict[bytes, SigningKey] = field(default_factory=dict)

    def learn(self, *keys: SigningKey) -> None:
        self.keys |= {each.public: each for each in keys}

    def forge(self, draw: st.DrawFn, honest: Chain, publics: list[bytes]) -> Chain:
        """Any chain that he can make to hold: a start of the owner's or of his own, and links with keys he knows."""
        own = list(self.keys)
        if draw(st.booleans()):
            chain = honest[: draw(st.integers(1, len(honest)))]
        else:
            identity = self.keys[draw(st.sampled_from(own))]
            chain = (first_succession(record(identity, draw(st.sampled_from(publics)))),)
        for _ in range(draw(st.integers(0, 4))):
            chain = (*chain, self._link(draw, chain[-1].stub, publics))
        return chain

    def _link(self, draw: st.DrawFn, before: RecordStub, publics: list[bytes]) -> Succession:
        able = [Authority.IDENTITY] * (before.identity_key in self.keys)
        able += [Authority.RECOVERY] * (before.recovery_key in self.keys)
        # Mostly what can hold; now and then anything.
        authority = draw(st.sampled_from(able or [Authority.IDENTITY, Authority.RECOVERY]))
        recovers = authority is Authority.RECOVERY
        allowing = self.keys.get(before.recovery_key if recovers else before.identity_key)
        identity = self.keys[draw(st.sampled_from(list(self.keys)))]
        recovery = draw(
            st.sampled_from([*publics, *([before.recovery_key] * len(publics) * 3 if not recovers else [])])
        )
        recoveries = before.recoveries + draw(st.sampled_from([recovers, recovers, recovers, True, 2]))
        made = record(identity, recovery, before, recoveries, number=before.number + draw(st.integers(1, 3)))
        signer = allowing or draw(st.sampled_from(list(self.keys.values())))
        return authorise(signer, NODE, NAME, made.stub(), authority)


@st.composite
def thefts(draw: st.DrawFn) -> tuple[list[Link], int, Chain, Thief]:
    """An owner's history, what a contact has pinned of it, and a chain that a thief who has some keys can show."""
    links = draw(histories())
    pinned = draw(st.integers(0, len(links) - 1))
    thief = Thief()
    thief.learn(key("thief 0"), key("thief 1"), key("thief's recovery"))
    thief.learn(*(link.identity for link in links if draw(st.booleans())))
    # Recovery keys that were replaced up to what is pinned may have leaked; the pinned one and later ones have not.
    kept = {link.recovery.public for link in links[pinned:]}
    thief.learn(*(link.recovery for link in links[:pinned] if link.recovery.public not in kept and draw(st.booleans())))
    publics = [*thief.keys, *{link.recovery.public for link in links}]
    return links, pinned, thief.forge(draw, chain_of(links), publics), thief


@pytest.mark.seconds
@given(thefts())
@examples(1500)
def test_no_thief_gets_past_a_recovery_or_changes_a_recovery_key(theft: tuple[list[Link], int, Chain, Thief]) -> None:
    links, at, chain, thief = theft
    if refusal(lambda: verify_chain(NODE, NAME, chain)) is not None:
        return
    pinned = links[at].record
    if not accepts_change(pinned, chain):
        return
    honest = {link.link for link in links}
    last = chain[-1].stub
    later = [link for link in chain if link in honest and link.stub.recoveries > pinned.recoveries]
    # What a contact pins never has fewer recoveries, and another recovery key only by the recovery key's own word.
    assert last.recoveries >= pinned.recoveries
    assert later or (last.recovery_key, last.recoveries) == (pinned.recovery_key, pinned.recoveries)
    # A thief who never had the pinned identity's key shows nothing that leaves it out.
    if pinned.identity_key not in thief.keys:
        assert later or links[at].link in chain


@given(histories(), st.integers(1, 3), st.booleans())
def test_a_recovery_beats_what_a_thief_had_accepted(links: list[Link], stolen: int, known: bool) -> None:
    """Also if the contact never heard of the recovery's beginning, and the thief can't come back afterwards."""
    thiefs = [links[-1]]
    for at in range(stolen):
        thiefs.append(follow(thiefs[-1], f"thief {at}"))
    stolen_chain = chain_of(links) + chain_of(thiefs[1:])
    verify_chain(NODE, NAME, stolen_chain)
    pinned = links[-1].record
    assert accepts_change(pinned, stolen_chain)
    back = follow(thiefs[-1] if known else links[-1], "owner again", "recovery new")
    chain = extend_chain(NODE, NAME, stolen_chain, back.link)
    assert chain == ((*stolen_chain, back.link) if known else (*chain_of(links), back.link))
    for each in (pinned, *(thief.record for thief in thiefs)):
        assert accepts_change(each, chain)
    assert not accepts_change(back.record, stolen_chain)
    again = follow(thiefs[-1], "thief again")
    assert refusal(lambda: extend_chain(NODE, NAME, chain, again.link)) is Code.SUCCESSION_INVALID
    assert not accepts_change(back.record, (*stolen_chain, again.link))


@given(histories())
def test_an_old_recovery_moves_nobody_who_knows_a_newer_one(links: list[Link]) -> None:
    kept = [*links, _recover_with_same_key(links[-1], "owner a")]
    twice = [*kept, _recover_with_same_key(kept[-1], "owner b")]
    old, new = chain_of(kept), chain_of(twice)
    assert accepts_change(links[-1].record, old)
    assert accepts_change(kept[-1].record, new)
    assert not accepts_change(twice[-1].record, old)
    fork = (*chain_of(links), _recover_with_same_key(links[-1], "owner c").link)
    verify_chain(NODE, NAME, fork)
    assert not accepts_change(kept[-1].record, fork)
    assert refusal(lambda: extend_chain(NODE, NAME, old, fork[-1])) is Code.SUCCESSION_INVALID


def _recover_with_same_key(before: Link, identity: str) -> Link:
    stub = before.record.stub()
    made = record(key(identity), before.recovery.public, stub, stub.recoveries + 1)
    return Link(
        made, authorise(before.recovery, NODE, NAME, made.stub(), Authority.RECOVERY), key(identity), before.recovery
    )


@pytest.mark.parametrize("change", ["recovery key", "recoveries", "both"])
def test_the_identity_key_alone_changes_nothing_but_itself(change: str) -> None:
    owner = genesis("owner 0", "recovery 0")
    recovery = key("thief's recovery").public if change != "recoveries" else owner.recovery.public
    recoveries = 1 if change != "recovery key" else 0
    renewed = record(owner.identity, recovery, owner.record.stub(), recoveries)
    verify_record(NODE, NAME, renewed)
    assert refusal(lambda: is_update(owner.record, renewed)) is Code.SUCCESSION_INVALID
    chain = (owner.link,)
    assert refusal(lambda: verify_record_in_chain(NODE, NAME, chain, renewed)) is Code.SUCCESSION_INVALID
    heir = record(key("thief 0"), recovery, owner.record.stub(), recoveries)
    link = authorise(owner.identity, NODE, NAME, heir.stub(), Authority.IDENTITY)
    assert refusal(lambda: extend_chain(NODE, NAME, chain, link)) is Code.SUCCESSION_INVALID


def test_a_full_chain_is_closed_to_the_identity_key_and_open_to_the_recovery_key() -> None:
    links = [genesis("owner 0", "recovery 0")]
    while len(links) < 64:
        links.append(follow(links[-1], f"owner {len(links)}"))
    full = chain_of(links)
    verify_chain(NODE, NAME, full)
    more = follow(links[-1], "owner 64")
    with pytest.raises(RemoteProtocolError, match="too often"):
        extend_chain(NODE, NAME, full, more.link)
    assert refusal(lambda: verify_chain(NODE, NAME, (*full, more.link))) is Code.SUCCESSION_INVALID
    back = follow(links[20], "owner back", "recovery 1")
    assert extend_chain(NODE, NAME, full, back.link) == (*full[:21], back.link)


# -- updates ---------------------------------------------------------------------------------------------------------


@given(st.data())
def test_updates_go_forward_only(data: st.DataObject) -> None:
    """Against a model: within one identity, number and message key number never fall, and each names one thing."""
    owner = genesis("owner 0", "recovery 0")
    small = st.integers(1, 3)

    def version(number: int, hpke: tuple[int, int]) -> KeyRecord:
        made = record(owner.identity, owner.recovery.public, owner.record.stub(), number=number)
        message_key = MessageKey.from_seed(bytes((hpke[1],)) * 32).public
        return sign_record(
            owner.identity, NODE, NAME, msgspec.structs.replace(made, hpke_number=hpke[0], hpke_key=message_key)
        )

    (old_number, old_hpke), (number, hpke) = (data.draw(st.tuples(small, st.tuples(small, small))) for _ in range(2))
    pinned, found = version(old_number, old_hpke), version(number, hpke)
    forward = number > old_number or (number, hpke) == (old_number, old_hpke)
    fits = hpke[0] > old_hpke[0] or hpke == old_hpke
    expected: Any = None if forward and fits else Code.RECORD_STALE
    assert refusal(lambda: is_update(pinned, found)) is expected
    if expected is None:
        assert is_update(pinned, found)
    assert not is_update(pinned, genesis("thief 0", "recovery 0").record)

"""Node cards: what a client must know of a node before it speaks to it, as one line of text.

docs/protocol.md, "Node cards".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import ADDRESSES_MAX, FRESH_TAGS, VERSION, VERSIONS_MAX
from usernym.protocol.signing import Context, SigningKey, verify
from usernym.protocol.text_lines import of_line, to_line
from usernym.protocol.wire import Address, Key, Number, Signature, Wire, decoder_of, pack, unpack

PREFIX: Final = "usernym-node:"
CARD_TEXT_MAX: Final = 1280
"""Letters of a card's text: about 300 with one address, 1,220 at most; a longer text is not a card."""


class NodeCard(Wire, frozen=True):
    """A node's identity, its Nym addresses, the protocol versions it speaks, sequence and day; self-signed.

    `addresses` are 1 to `ADDRESSES_MAX`, in ascending order, each once: a set of addresses has one encoding. All lead
    to the same node. No card with others exists: it is MALFORMED in a frame, and CARD_INVALID as a text.
    """

    node: Key
    addresses: Annotated[tuple[Address, ...], msgspec.Meta(min_length=1, max_length=ADDRESSES_MAX)]
    versions: Annotated[tuple[Annotated[int, msgspec.Meta(ge=1, le=127)], ...], msgspec.Meta(max_length=VERSIONS_MAX)]
    sequence: Number
    made_on: Number
    signature: Signature

    @property
    def fresh_tags(self) -> bool:
        """Whether the node takes requests whose sender tag is theirs alone."""
        return FRESH_TAGS in self.versions

    def __post_init__(self) -> None:
        if not 1 <= len(self.addresses) <= ADDRESSES_MAX or list(self.addresses) != sorted(set(self.addresses)):
            raise ValueError(f"1 to {ADDRESSES_MAX} addresses, in ascending order, each once")


_decoder: Final = decoder_of(NodeCard)


def _signed_part(card: NodeCard) -> bytes:
    return pack(msgspec.structs.replace(card, signature=b""))


def make_card(
    key: SigningKey, addresses: Iterable[bytes], sequence: int, made_on: int, *, fresh_tags: bool = False
) -> NodeCard:
    """A signed card of this protocol version. `made_on` is in days since 1970; `fresh_tags`: see `NodeCard`.

    `addresses` may come in any order. Raises ValueError for none, more than `ADDRESSES_MAX`, or one twice.
    """
    versions = (VERSION, FRESH_TAGS) if fresh_tags else (VERSION,)
    card = NodeCard(key.public, tuple(sorted(addresses)), versions, sequence, made_on, b"")
    return msgspec.structs.replace(card, signature=key.sign(Context.CARD, _signed_part(card)))


def verify_card(card: NodeCard) -> None:
    """Raise unless the node's own identity signed the card, and the node speaks this version."""
    try:
        verify(card.node, card.signature, Context.CARD, _signed_part(card))
    except RemoteProtocolError:
        raise RemoteProtocolError(Code.CARD_INVALID, "the card's signature does not hold") from None
    if VERSION not in card.versions:
        raise RemoteProtocolError(Code.UNSUPPORTED_VERSION, f"the node does not speak version {VERSION}")


def verify_newer_card(known: NodeCard, card: NodeCard) -> None:
    """Raise unless `card` is a valid, newer card of the node that `known` describes."""
    verify_card(card)
    if card.node != known.node:
        raise RemoteProtocolError(Code.CARD_INVALID, "a card of another node")
    if card.sequence <= known.sequence:
        raise RemoteProtocolError(Code.CARD_STALE, "not newer than the card already known")


def card_text(card: NodeCard) -> str:
    """The card as one line: `usernym-node:` and its encoding in unpadded base64url."""
    return to_line(PREFIX, pack(card))


def decode_card(data: bytes) -> NodeCard:
    """A card from its canonical encoding, verified."""
    card: NodeCard = unpack(_decoder, data)
    verify_card(card)
    return card


def parse_card(text: str) -> NodeCard:
    """A verified card from its line of text. Raises `RemoteProtocolError(CARD_INVALID)` if it is not a valid card."""
    try:
        return decode_card(of_line(text, PREFIX, CARD_TEXT_MAX))
    except ValueError as error:
        raise RemoteProtocolError(Code.CARD_INVALID, f"no node card: {error}") from None
    except RemoteProtocolError as error:
        if error.code is Code.MALFORMED:
            raise RemoteProtocolError(Code.CARD_INVALID, "the card is damaged") from None
        raise

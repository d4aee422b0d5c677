"""The nodes with which a node exchanges signatures to the heads of their logs, as its operator chooses them."""

from __future__ import annotations

from dataclasses import dataclass

from usernym.errors import SettingsError
from usernym.protocol.cards import NodeCard, parse_card
from usernym.protocol.directory.complaints import Fork
from usernym.protocol.errors import RemoteProtocolError
from usernym.protocol.evidence import evidence_of_fork, evidence_text
from usernym.protocol.signing import SigningKey
from usernym.protocol.wire import decoder_of, unpack
from usernym.storage.errors import RowLimitReached
from usernym.storage.node.checked_logs import checked_log
from usernym.storage.node.store import NodeStore
from usernym.storage.node.witnesses import WitnessPeer


@dataclass(frozen=True, slots=True)
class WitnessStatus:
    """How it stands with a node with which this one exchanges signatures."""

    node: str
    """Its identity, 64 digits."""
    signed_by_it: int
    """The newest epoch whose head it has signed, counted from 1; 0 for none."""
    signed_for_it: int
    """The newest epoch of its log whose head this node has signed; 0 for none."""
    checked: int | None
    """How many epochs of its log this node has read and checked; None if it signs without that."""
    evidence: str | None
    """Proof that it has shown two histories, if it has: `usernym evidence check` reads it."""


def exchange(store: NodeStore, card: str, *, remove: bool = False, check: bool = False) -> list[WitnessStatus]:
    """Exchange signatures with the node of this card from now on, or know its newer card; or, with `remove`, end that;
    with an empty card, nothing. With `check` its log is read and checked before it is signed. Returns all such nodes,
    in the order in which they were named.

    Raises `SettingsError` for what is no card of another node, and for one too many; `StorageError`s.
    """
    if card:
        try:
            parsed = parse_card(card)
        except RemoteProtocolError as error:
            raise SettingsError(str(error)) from None
        seed = store.profile.stored_seed()
        if seed is not None and parsed.node == SigningKey.from_seed(seed).public:
            raise SettingsError("this is the node's own card: another node has to be its witness")
        if not remove:
            _add(store, parsed, check=check)
        elif not store.witnesses.remove(parsed.node):
            raise SettingsError("this node exchanges no signatures with the node of this card")
    return [
        WitnessStatus(
            peer.node.hex(),
            peer.size,
            0 if peer.log is None else peer.log.size,
            checked_log(peer.checked).size if peer.checks else None,
            _evidence_of(peer),
        )
        for peer in store.witnesses.peers()
    ]


def _add(store: NodeStore, card: NodeCard, *, check: bool) -> None:
    try:
        store.witnesses.add(card, checks=check)
    except RowLimitReached as limit:
        raise SettingsError(str(limit)) from None


def _evidence_of(peer: WitnessPeer) -> str | None:
    if peer.fork is None:
        return None
    evidence = evidence_of_fork(peer.node, unpack(decoder_of(Fork), peer.fork))
    return None if evidence is None else evidence_text(evidence)

"""Other nodes' signatures to this node's heads: a part of the directory actor.

docs/directory.md, "Witnesses". After each epoch every peer is asked once, and again after twice as long each time while
it is silent. What a peer has signed before and this node's store does not have stops this node's own log: then the
store is older than what the node has signed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Final

from usernym.actors.base import Tellable
from usernym.actors.messages import AskNode
from usernym.actors.node_context import NodeContext
from usernym.protocol import messages as m
from usernym.protocol.codec import Frame
from usernym.protocol.directory.checkpoints import LogHead, SignedHead
from usernym.protocol.directory.witnesses import is_cosigned
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.limits import EPOCH_S, HOUR_S, REQUEST_ID_BYTES
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.witnesses import WitnessPeer

AGAIN_MAX_S: Final = HOUR_S
"""The longest pause before a silent peer is asked again."""


@dataclass(slots=True)
class _Asked:
    request_id: bytes
    head: SignedHead
    known: int


@dataclass(slots=True)
class _State:
    """How it stands with a peer. `known` is the size of the newest head that it is thought to have signed."""

    known: int
    asked: _Asked | None = None
    unanswered: int = 0
    next_at: float = 0.0
    corrected: bool = False
    """Whether it has said since the last look that it knows another head than was thought."""


class Cosigners:
    """Owned by the directory actor, and used in its thread only."""

    def __init__(self, context: NodeContext, io: Tellable[AskNode], counts: Counter[str]) -> None:
        self._context = context
        self._store = context.store
        self._node = context.key.public
        self._signer = EpochSigner.of(context.key)
        self._io = io
        self._counts = counts
        self._states: dict[bytes, _State] = {}

    def ask(self) -> None:
        """Ask those who have not signed the newest head. Raises as `DirectoryLog.give_out`."""
        peers = self._store.witnesses.peers()
        if not peers:
            return
        size, now = self._store.log.size(), self._context.runtime.now()
        for peer in peers:
            state = self._states.setdefault(peer.node, _State(peer.size))
            state.corrected = False
            if state.asked is not None:
                state.asked = None
                state.unanswered += 1
                state.next_at = now + min(EPOCH_S << min(state.unanswered, 16), AGAIN_MAX_S)
            if peer.size < size and now >= state.next_at:
                self._ask(peer, state)

    def _ask(self, peer: WitnessPeer, state: _State) -> None:
        shown = self._store.proofs.continuing(self._signer, self._context.mark, state.known)
        if shown is None:
            return
        head, hashes = shown
        request_id = self._context.runtime.random_bytes(REQUEST_ID_BYTES)
        request = m.Cosign(request_id, 0, self._node, head, state.known, hashes)
        state.asked = _Asked(request_id, head, state.known)
        card = peer.node_card
        address = card.addresses[state.unanswered % len(card.addresses)]
        self._io.tell(AskNode(card, address, request))

    def take(self, frame: Frame) -> None:
        """Take an answer. Raises `RemoteProtocolError` for one that can't be true, or answers nothing."""
        answer = frame.message
        found = next((each for each in self._states.items() if _is_answered(each[1], answer)), None)
        if found is None or not isinstance(answer, m.Cosigned):
            raise RemoteProtocolError(Code.UNEXPECTED, "an answer to nothing that was asked")
        witness, state = found
        asked = state.asked
        assert asked is not None, "else it would not be the answer to it"
        frame.verify(witness, witness)
        state.asked, state.unanswered = None, 0
        if not answer.witness:
            state.next_at = self._context.runtime.now() + AGAIN_MAX_S
            self._counts["cosignatures_refused"] += 1
        elif answer.cosignature:
            head = LogHead(self._node, asked.head.size, asked.head.root)
            if not is_cosigned(witness, head, answer.cosignature):
                raise RemoteProtocolError(Code.SIGNATURE_INVALID, "not a cosignature of the head")
            self._store.witnesses.note_cosignature(witness, head.size, answer.cosignature)
            state.known = head.size
            self._counts["cosignatures"] += 1
        else:
            self._correct(witness, state, asked, answer.head)

    def _correct(self, witness: bytes, state: _State, asked: _Asked, newest: SignedHead | None) -> None:
        """The witness has another newest head than was thought: show how the log continues that one, once a look."""
        if newest is not None:
            if not newest.is_signed(self._node):
                raise RemoteProtocolError(Code.SIGNATURE_INVALID, "not a head of this node's log")
            self._store.log.note_signed(self._node, newest, self._context.mark)
        state.known = 0 if newest is None else newest.size
        peer = next((each for each in self._store.witnesses.peers() if each.node == witness), None)
        if peer is not None and state.known != asked.known and not state.corrected:
            state.corrected = True
            self._ask(peer, state)


def _is_answered(state: _State, answer: m.Message) -> bool:
    return isinstance(answer, m.Cosigned) and state.asked is not None and state.asked.request_id == answer.request_id

"""A node that forges its directory: between honest node code and the mixnet, with the node's keys.

It shows one log to most and another to its victims, each consistent in itself, and signs both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from usernym.protocol import messages as m
from usernym.protocol.codec import decode
from usernym.protocol.directory.checkpoints import read_checkpoint
from usernym.protocol.directory.epochs import decode_changes, decode_entry
from usernym.protocol.directory.events import DirectoryEvent, commitment, label_of
from usernym.protocol.directory.proofs import ChainEnd, OtherLeaf
from usernym.protocol.directory.shown import LogAsked
from usernym.protocol.directory.witnesses import cosign
from usernym.protocol.limits import SEED_BYTES
from usernym.protocol.records import KeyRecord, first_record, record_hash
from usernym.protocol.signing import SigningKey
from usernym.storage.database import IN_MEMORY
from usernym.storage.node.epochs import EpochSigner
from usernym.storage.node.store import NodeStore
from usernym.testing.between import BetweenTransport
from usernym.testing.process import KeptMark, NodeProcess


class ForgedLog:
    """The log that victims are shown: that of the node, with events of its own from some epoch on.

    `accomplices` are witnesses that sign its heads, too.
    """

    def __init__(self, node: NodeProcess, accomplices: Sequence[NodeProcess] = ()) -> None:
        self._node = node
        self._accomplices = accomplices
        self.signer = EpochSigner.of(node.key)
        self.mark = KeptMark()
        self.store = NodeStore.open(IN_MEMORY, synchronous="OFF")
        self._forged: dict[bytes, list[bytes]] = {}
        self.stays = False
        """Whether it grows no more."""
        for each in accomplices:
            self.store.witnesses.add(each.card)
        self.follow()

    def forge(self, name: str, events: Sequence[bytes]) -> None:
        """Let these events be part of the next epoch."""
        self._forged.setdefault(label_of(self.signer.vrf, self._node.key.public, name), []).extend(events)

    def follow(self) -> None:
        """Make the epochs that the node has made since."""
        log = self._node.store.log
        if self.stays:
            return
        for epoch in list(log.epochs(log.size()))[self.store.log.size() :]:
            events = {change.label: list(change.added) for change in decode_changes(epoch.changes)}
            for label, more in self._forged.items():
                events.setdefault(label, []).extend(more)
            self._forged = {}
            at = decode_entry(epoch.entry).made_at
            self.store.commit(lambda events=events, at=at: self.store.log.append(self.signer, events, at))  # type: ignore[misc] # a default binds
        if self._accomplices and (checkpoint := self.store.log.give_out(self.mark)) is not None:
            head = read_checkpoint(checkpoint)
            for each in self._accomplices:
                signature = cosign(each.key, head, self._node.world.sim.unix_s())
                self.store.witnesses.note_cosignature(each.key.public, head.size, signature)


class LogForger(BetweenTransport):
    """The node's transport. `World(..., node_transport=LogForger)`."""

    def __init__(self, transport: Any, node: NodeProcess) -> None:
        super().__init__(transport, node)
        self.victims: set[str] = set()
        self.silent_for: set[str] = set()
        """Who is shown nothing of the log."""
        self.from_the_first: set[str] = set()
        """Who is shown the victims' log from its first entry on, once, whatever log they know."""
        self.log: ForgedLog | None = None
        self.records: dict[str, KeyRecord] = {}
        """Records of the node's own, instead of those of the names: for all who look them up, since it can't tell who
        does."""
        self.of_then: dict[str, m.Proved] = {}
        """Proofs that it shows of these names, whatever its newest epoch says."""
        self.hidden: set[str] = set()
        """Names of which it says, with an invalid proof, that no one has them."""
        self.before: Callable[[m.Message], None] = lambda _message: None
        """Called before the node takes a message."""
        self._names: dict[bytes, str] = {}
        self._asked: dict[bytes, m.LoginProof | m.Heartbeat | m.Lookup] = {}

    def hears(self, message: m.Message, tag: bytes) -> bool:
        """It takes note of who asks what."""
        self.before(message)
        if isinstance(message, m.LoginProof | m.Heartbeat | m.Lookup):
            self._asked[message.request_id] = message
        if isinstance(message, m.LoginProof):
            self._names[tag] = message.name
        return True

    def fork(self, *victims: str, accomplices: Sequence[NodeProcess] = ()) -> ForgedLog:
        """Show a log of its own to these users from now on."""
        self.victims |= set(victims)
        self.log = self.log or ForgedLog(self._node, accomplices)
        return self.log

    def forged_record(self, name: str, seed: bytes = bytes(SEED_BYTES)) -> tuple[KeyRecord, bytes]:
        """A record of the node's own for this name, and the event by which it takes the name's place."""
        key = SigningKey.from_seed(seed)
        recovery = SigningKey.from_seed(hashlib.sha256(seed).digest()).public
        record = first_record(key, recovery, self._node.key.public, name, seed, self._node.world.sim.unix_s())
        identity = record_hash(self._node.key.public, name, record.stub())
        return record, commitment(DirectoryEvent.SUCCEEDED, identity)

    def keep_proof(self, name: str) -> None:
        """Let what it would prove of the name now be what it proves from now on."""
        proved = self._forged_answer(m.Lookup(bytes(16), 0, name, 1))
        assert isinstance(proved, m.Proved), "a name in the log"
        self.of_then[name] = proved

    def reply(self, tag: bytes, data: bytes) -> None:
        """Say what the node says, or show the other log."""
        message: Any = decode(data).message
        name, asked = self._names.get(tag), self._asked.pop(getattr(message, "request_id", b""), None)
        if isinstance(message, m.LoggedIn | m.Alive) and isinstance(asked, m.LoginProof | m.Heartbeat):
            if name in self.silent_for:
                data = self.sign(msgspec.structs.replace(message, log=None))
            elif name in self.victims and self.log is not None:
                shown = self._shown(asked.name, asked.log)
                data = self.sign(msgspec.structs.replace(message, log=shown))
        if isinstance(asked, m.Lookup) and asked.name in self.records:
            data = self.sign(self._forged_answer(asked))
        if isinstance(asked, m.Lookup) and asked.prove and asked.name in self.of_then:
            data = self.sign(msgspec.structs.replace(self.of_then[asked.name], request_id=asked.request_id))
        if isinstance(message, m.Proved) and message.name in self.hidden:
            leaf = OtherLeaf(hashlib.sha256(message.name.encode()).digest(), 1, message.chain.before)
            data = self.sign(m.Absent(message.request_id, message.name, leaf, None, message.proof))
        self._transport.reply(tag, data)

    def _shown(self, name: str, asked: LogAsked) -> Any:
        assert self.log is not None, "there are victims of a fork only"
        self.log.follow()
        if name in self.from_the_first:
            self.from_the_first.remove(name)
            asked = msgspec.structs.replace(asked, known=0)
        return self.log.store.proofs.shown(self.log.signer, self.log.mark, name, asked)

    def _forged_answer(self, asked: m.Lookup) -> m.Answer:
        record, store, mark = self.records[asked.name], self._node.store, self._node.mark
        if not asked.prove:
            return m.Found(asked.request_id, record)
        if self.log is not None:
            self.log.follow()
            store, mark = self.log.store, self.log.mark
        place = store.proofs.place_of(EpochSigner.of(self._node.key), mark, asked.name)
        if place is None or place.former is None:
            return m.Found(asked.request_id, record)
        chain = ChainEnd(place.leaf.events, place.former, DirectoryEvent.SUCCEEDED)
        return m.Proved(asked.request_id, asked.name, record, None, chain, place.proof, place.cosignatures)

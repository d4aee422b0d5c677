"""Runs one test vector against the package. tests/vectors/README.md says what each operation takes and must give."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import msgspec

from usernym.protocol import (
    answers,
    cards,
    challenges,
    codec,
    evidence,
    files,
    links,
    lookup_work,
    names,
    payloads,
    records,
    safety,
    sealing,
    words,
)
from usernym.protocol import messages as m
from usernym.protocol.directory import checkpoints, epochs, events, log_tree, name_map, shown, vrf, witnesses
from usernym.protocol.directory.checkpoints import HeadTold
from usernym.protocol.directory.faults import DirectoryInvalid
from usernym.protocol.errors import Code, RemoteProtocolError
from usernym.protocol.signing import Context, SigningKey
from usernym.protocol.wire import Wire, decoder_of, pack, unpack

FOLDER: Final = Path(__file__).resolve().parent.parent / "vectors"


def unhexed(value: str | Sequence[Any]) -> bytes:
    """Bytes of a hex string, or of a list of hex strings and `[hex, times]`."""
    if isinstance(value, str):
        return bytes.fromhex(value)
    pieces = ((each, 1) if isinstance(each, str) else each for each in value)
    return b"".join(bytes.fromhex(piece) * times for piece, times in pieces)


def from_plain(value: Any) -> Any:
    """The value that a vector writes as JSON."""
    match value:
        case {"bin": data}:
            return unhexed(data)
        case {"text": data}:
            return unhexed(data).decode()
        case list():
            return tuple(from_plain(each) for each in value)
        case _:
            return value


def fields_of(structure: Wire) -> tuple[Any, ...]:
    """A structure's fields, structures within it as tuples too."""

    def flat(value: Any) -> Any:
        if isinstance(value, Wire):
            return fields_of(value)
        return tuple(flat(each) for each in value) if isinstance(value, tuple) else value

    return tuple(flat(value) for value in msgspec.structs.astuple(structure))


@dataclass(frozen=True)
class Vector:
    """One vector."""

    id: str
    operation: str
    given: dict[str, Any]
    expect: Any
    error: dict[str, Any] | None


def _read(path: Path) -> list[Vector]:
    written = json.loads(path.read_text())["vectors"]
    return [Vector(each["id"], each["op"], each["in"], each.get("expect"), each.get("error")) for each in written]


def load(good: bool) -> list[Vector]:
    """All vectors of all files that must succeed, or all that must be refused."""
    found = [vector for path in sorted(FOLDER.glob("*.json")) for vector in _read(path)]
    return [vector for vector in found if (vector.error is None) is good]


def _node_name(given: dict[str, Any]) -> tuple[bytes, str]:
    return bytes.fromhex(given["node"]), given["name"]


def _frame(given: dict[str, Any]) -> Any:
    data = unhexed(given["frame"])
    frame = codec.decode(data)
    if "key" in given:
        assert codec.is_signed(frame.message)
        frame.verify(bytes.fromhex(given["key"]), bytes.fromhex(given["node"]))
        if "seed" in given:
            key = SigningKey.from_seed(bytes.fromhex(given["seed"]))
            assert codec.encode_signed(frame.message, key, bytes.fromhex(given["node"])) == data
    else:
        assert codec.encode_unsigned(frame.message) == data
    return {"kind": type(frame.message).__name__, "fields": fields_of(cast(Wire, frame.message))}


def _record(given: dict[str, Any]) -> Any:
    data = unhexed(given["record"])
    record = records.decode_record(data)
    records.verify_record(*_node_name(given), record)
    stub = record.stub()
    records.verify_stub(*_node_name(given), stub)
    return {
        "fields": fields_of(record),
        "stub": pack(stub).hex(),
        "record_hash": records.record_hash(*_node_name(given), stub).hex(),
        "whole_hash": challenges.whole_record_hash(record).hex(),
    }


def _links(given: dict[str, Any]) -> tuple[records.Succession, ...]:
    chain = tuple(records.decode_succession(bytes.fromhex(link)) for link in given["links"])
    records.verify_chain(*_node_name(given), chain)
    return chain


def _chain(given: dict[str, Any]) -> Any:
    chain = _links(given)
    if "record" in given:
        record = records.decode_record(bytes.fromhex(given["record"]))
        records.verify_record_in_chain(*_node_name(given), chain, record)
    return {"links": len(chain)}


def _extend(given: dict[str, Any]) -> Any:
    succession = records.decode_succession(bytes.fromhex(given["succession"]))
    chain = records.extend_chain(*_node_name(given), _links(given), succession)
    records.verify_chain(*_node_name(given), chain)
    return {"links": [pack(link).hex() for link in chain]}


def _follows(given: dict[str, Any]) -> Any:
    pinned = records.decode_record(bytes.fromhex(given["pinned"]))
    return {"accepted": records.accepts_change(pinned, _links(given))}


def _update(given: dict[str, Any]) -> Any:
    pinned, found = (records.decode_record(bytes.fromhex(given[which])) for which in ("pinned", "found"))
    for record in (pinned, found):
        # What is tested is the update alone: both must hold by themselves.
        records.verify_record(*_node_name(given), record)
    return {"update": records.is_update(pinned, found)}


def _card(given: dict[str, Any]) -> Any:
    card = cards.parse_card(given["text"])
    assert cards.card_text(card) == given["text"].strip()
    if "known" in given:
        cards.verify_newer_card(cards.parse_card(given["known"]), card)
    return {"fields": fields_of(card)}


def _evidence(given: dict[str, Any]) -> Any:
    found = evidence.parse_evidence(given["text"])
    assert evidence.evidence_text(found) == given["text"].strip()
    return {"node": found.node.hex(), "fault": found.fault}


def _words(given: dict[str, Any]) -> Any:
    root = words.root_from_words(given["words"])
    fresh = bytes.fromhex(given["fresh"])
    seeds = [words.first_identity_seed(root), words.next_identity_seed(root, fresh)]
    return {
        "root": root.hex(),
        "identity_seeds": [seed.hex() for seed in seeds],
        "identity_keys": [SigningKey.from_seed(seed).public.hex() for seed in seeds],
        "recovery_key": words.recovery_key(root).public.hex(),
    }


def _typed(given: dict[str, Any]) -> Any:
    name = names.canonical(given["typed"])
    return {"name": name, "skeleton": names.skeleton(name)}


def _name(given: dict[str, Any]) -> Any:
    names.check(given["name"])
    return {"skeleton": names.skeleton(given["name"])}


def _registrable(given: dict[str, Any]) -> Any:
    names.check_registrable(given["name"])
    return {"skeleton": names.skeleton(given["name"])}


def _safety(given: dict[str, Any]) -> Any:
    node = bytes.fromhex(given["node"])
    mine, theirs = ((name, bytes.fromhex(key)) for name, key in (given["mine"], given["theirs"]))
    number = safety.safety_number(node, mine, theirs)
    return {"number": number, "fingerprints": [safety.fingerprint(node, *side) for side in (mine, theirs)]}


def _link(given: dict[str, Any]) -> Any:
    link = links.make_link(bytes.fromhex(given["node"]), given["name"], bytes.fromhex(given["identity_key"]))
    text = links.link_text(link)
    assert links.parse_link(text) == link
    return {
        "link": text,
        "name": link.name,
        "node_fingerprint": link.node_fingerprint.hex(),
        "identity_fingerprint": link.identity_fingerprint.hex(),
    }


def _take_link(given: dict[str, Any]) -> Any:
    link, node = links.parse_link(given["text"]), bytes.fromhex(given["node"])
    matches = link.matches(node, bytes.fromhex(given["identity_key"]))
    return {"link": links.link_text(link), "of_node": link.is_of_node(node), "matches": matches}


def _scanned(given: dict[str, Any]) -> Any:
    digits = safety.parse_number(given["text"])
    return {"digits": digits, "code": safety.number_code(digits)}


def _challenge(given: dict[str, Any]) -> Any:
    ask = codec.decode(unhexed(given["ask"])).message
    assert isinstance(ask, m.RegisterAsk | m.LoginAsk)
    challenger = challenges.Challenger(bytes.fromhex(given["secret"]))
    made = challenger.challenge(ask, bytes.fromhex(given["nonce"]), given["now"], given["difficulty"])
    return {"body": pack(made).hex()}


def _proof(given: dict[str, Any]) -> Any:
    proof = codec.decode(unhexed(given["proof"])).message
    assert isinstance(proof, m.RegisterProof | m.LoginProof)
    challenges.Challenger(bytes.fromhex(given["secret"])).check(proof, given["now"])
    return {}


def _work(given: dict[str, Any]) -> Any:
    node, nonce, bits = bytes.fromhex(given["node"]), bytes.fromhex(given["nonce"]), given["bits"]
    if not challenges.work_holds(node, nonce, given["counter"], bits):
        raise RemoteProtocolError(Code.WORK_INSUFFICIENT)
    return {"first": challenges.search_work(node, nonce, bits, 0, given["counter"] + 1)}


def _lookup_work(given: dict[str, Any]) -> Any:
    node, ticket = bytes.fromhex(given["node"]), given["ticket"]
    request = m.Lookup(bytes.fromhex(given["request_id"]), 1, "bob", 0, m.Paid(ticket, given["counter"]))
    if not lookup_work.is_valid(ticket, given["now"]) or not lookup_work.is_paid(node, request):
        raise RemoteProtocolError(Code.WORK_INSUFFICIENT)
    found = lookup_work.search_payment(node, request, ticket, 0, given["counter"] + 1)
    return {"first": None if found is None else found.work}


def _payload(given: dict[str, Any]) -> Any:
    fields = from_plain(given["fields"])
    kind = getattr(payloads, given["kind"])
    built = _build(kind, fields)
    padded = payloads.pad_payload(built, first_contact=given["first_contact"])
    assert payloads.unpad_payload(padded) == built
    return {"size": len(padded), "plaintext": padded}


def _build(kind: Any, fields: tuple[Any, ...]) -> Any:
    record = None if fields[3] is None else records.KeyRecord(*fields[3])
    rest = list(fields[4:])
    if kind is payloads.DirectReceipt:
        rest = [tuple(payloads.Received(*each) for each in rest[0])]
    if kind is payloads.Text and rest[0] is not None:
        rest[0] = HeadTold(*rest[0])
    return kind(*fields[:3], record, *rest)


def _unpad(given: dict[str, Any]) -> Any:
    payload = payloads.unpad_payload(unhexed(given["plaintext"]))
    return {"kind": type(payload).__name__, "fields": fields_of(payload)}


def _ladder(given: dict[str, Any]) -> Any:
    return {"sizes": [payloads.plaintext_bytes(at, first_contact=given["first_contact"]) for at in range(1, 43)]}


def _file(given: dict[str, Any]) -> Any:
    content = unhexed(given["content"])
    chunks = [len(chunk) for chunk in files.cut(content)]
    return {"size": len(content), "digest": files.digest_of(content).hex(), "chunks": chunks}


def _is_whole(given: dict[str, Any]) -> Any:
    return {"whole": files.is_whole(unhexed(given["content"]), given["size"], bytes.fromhex(given["digest"]))}


def _chunk(given: dict[str, Any]) -> Any:
    files.check_chunk(given["size"], given["number"], unhexed(given["content"]))
    return {}


def _message_key(given: dict[str, Any]) -> Any:
    return {"public": sealing.MessageKey.from_seed(bytes.fromhex(given["seed"])).public.hex()}


def _envelope(given: dict[str, Any]) -> sealing.Envelope:
    values = given["envelope"]
    data = {field: bytes.fromhex(values[field]) for field in ("node", "sender_key", "recipient_key", "message_id")}
    return sealing.Envelope(
        sender=values["sender"], recipient=values["recipient"], key_number=values["key_number"], **data
    )


def _seal(given: dict[str, Any]) -> Any:
    envelope = _envelope(given)
    key = sealing.MessageKey.from_seed(bytes.fromhex(given["seed"]))
    plaintext = key.open(unhexed(given["sealed"]), envelope)
    assert key.open(sealing.seal(key.public, plaintext, envelope), envelope) == plaintext
    return {"plaintext": plaintext, "info": envelope.info().hex()}


def _seal_to(given: dict[str, Any]) -> Any:
    sealing.seal(bytes.fromhex(given["public"]), b"any", _envelope(given))


def _inner(given: dict[str, Any]) -> Any:
    envelope, sealed, signature = _envelope(given), unhexed(given["sealed"]), bytes.fromhex(given["signature"])
    envelope.verify(sealed, signature)
    assert envelope.sign(SigningKey.from_seed(bytes.fromhex(given["seed"])), sealed) == signature
    return {}


def _statement(given: dict[str, Any]) -> Any:
    envelope, statement = _envelope(given), bytes.fromhex(given["signature"])
    envelope.verify_unopenable(statement)
    assert envelope.sign_unopenable(SigningKey.from_seed(bytes.fromhex(given["seed"]))) == statement
    return {}


def _label(given: dict[str, Any]) -> Any:
    key = SigningKey.from_seed(bytes.fromhex(given["seed"]))
    labels = vrf.VrfKey.from_seed(key.derived_seed(Context.VRF_KEY))
    return {"vrf": labels.public.hex(), "label": events.label_of(labels, key.public, given["name"]).hex()}


def _event_chain(given: dict[str, Any]) -> Any:
    head, commitments = events.NO_EVENTS, []
    for number, (event, identity) in enumerate(given["events"], 1):
        commitments.append(events.commitment(events.DirectoryEvent(event), bytes.fromhex(identity)))
        head = events.next_head(head, number, commitments[-1])
    return {"commitments": [each.hex() for each in commitments], "head": head.hex()}


def _map(given: dict[str, Any]) -> Any:
    leaves = [
        name_map.MapLeaf(bytes.fromhex(label), count, bytes.fromhex(head)) for label, count, head in given["leaves"]
    ]
    buckets: dict[int, list[name_map.MapLeaf]] = {}
    for leaf in sorted(leaves):
        buckets.setdefault(name_map.bucket_of(leaf.label), []).append(leaf)
    hashes = name_map.raised(buckets, lambda _places: {})
    return {"leaves": [leaf.hash().hex() for leaf in leaves], "root": hashes[name_map.ROOT_PLACE].hex()}


def _changes(given: dict[str, Any]) -> Any:
    data = unhexed(given["changes"])
    found = list(epochs.decode_changes(data))
    assert epochs.encode_changes(found) == data
    return {"changes": [[each.label.hex(), each.events_before, [new.hex() for new in each.added]] for each in found]}


def _entry(given: dict[str, Any]) -> Any:
    data = bytes.fromhex(given["entry"])
    entry = epochs.decode_entry(data)
    assert entry.encoded() == data
    keys = {"node": entry.node.hex(), "vrf": entry.vrf.hex(), "root": entry.root.hex()}
    return keys | {"number": entry.number, "made_at": entry.made_at, "names": entry.names}


def _checkpoint(given: dict[str, Any]) -> Any:
    key, frontier = SigningKey.from_seed(bytes.fromhex(given["seed"])), log_tree.Frontier()
    for entry in given["entries"]:
        frontier = frontier.with_leaf(log_tree.entry_hash(bytes.fromhex(entry)))
    head = checkpoints.LogHead(key.public, frontier.size, frontier.root())
    note = head.signed(key)
    assert checkpoints.read_checkpoint(note) == head
    return {"root": head.root.hex(), "checkpoint": note.decode()}


def _cosignature(given: dict[str, Any]) -> Any:
    witness, cosignature = bytes.fromhex(given["witness"]), bytes.fromhex(given["cosignature"])
    head = checkpoints.LogHead(bytes.fromhex(given["node"]), given["size"], bytes.fromhex(given["root"]))
    if not witnesses.is_cosigned(witness, head, cosignature):
        raise RemoteProtocolError(Code.PROOF_INVALID)
    assert witnesses.cosign(SigningKey.from_seed(bytes.fromhex(given["seed"])), head, given["at"]) == cosignature
    return {"line": witnesses.note_line(witness, cosignature).decode()}


def _proved_answer(given: dict[str, Any]) -> Any:
    node, message = bytes.fromhex(given["node"]), codec.decode(unhexed(given["frame"])).message
    assert isinstance(message, m.Proved | m.Absent)
    verify = answers.verify_proved if isinstance(message, m.Proved) else answers.verify_absence
    head = verify(node, given["name"], message)  # type: ignore[arg-type]  # each takes its own
    return {"size": head.size, "root": head.root.hex()}


def _log_shown(given: dict[str, Any]) -> Any:
    node, known = bytes.fromhex(given["node"]), None
    if given["known"] is not None:
        size, *rest = given["known"].values()
        known = shown.KnownLog(size, *(bytes.fromhex(each) for each in rest))
    message = unpack(decoder_of(shown.LogShown), bytes.fromhex(given["shown"]))
    asked, identity = shown.LogAsked(*given["asked"]), bytes.fromhex(given["identity"])
    try:
        seen = shown.take_shown(node, known, asked, message)
        place = message.leaf and shown.own_place(node, given["name"], identity, seen, message.leaf, None)
    except DirectoryInvalid as error:
        raise RemoteProtocolError(Code.PROOF_INVALID, str(error)) from None
    return {
        "size": seen.log.size,
        "root": seen.log.head.root.hex(),
        "own": None if place is None else [place.events, place.chain.event],
        "earlier": None if seen.earlier is None else seen.earlier.root().hex(),
    }


OPERATIONS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "frame": _frame,
    "record": _record,
    "chain": _chain,
    "extend": _extend,
    "follows": _follows,
    "update": _update,
    "card": _card,
    "evidence": _evidence,
    "words_from_entropy": lambda given: {"words": words.words_from_entropy(bytes.fromhex(given["entropy"]))},
    "words": _words,
    "typed": _typed,
    "name": _name,
    "registrable": _registrable,
    "safety": _safety,
    "proved_answer": _proved_answer,
    "log_shown": _log_shown,
    "cosignature": _cosignature,
    "label": _label,
    "event_chain": _event_chain,
    "map": _map,
    "changes": _changes,
    "entry": _entry,
    "checkpoint": _checkpoint,
    "link": _link,
    "take_link": _take_link,
    "scanned": _scanned,
    "challenge": _challenge,
    "proof": _proof,
    "work": _work,
    "lookup work": _lookup_work,
    "payload": _payload,
    "unpad": _unpad,
    "ladder": _ladder,
    "file": _file,
    "is_whole": _is_whole,
    "chunk": _chunk,
    "message_key": _message_key,
    "seal": _seal,
    "seal_to": _seal_to,
    "inner signature": _inner,
    "statement": _statement,
}


def run(vector: Vector) -> Any:
    """What the package makes of a vector."""
    return OPERATIONS[vector.operation](vector.given)

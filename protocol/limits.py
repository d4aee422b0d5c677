"""Every bound of the protocol, with its unit and its reason. The relations between them are asserted at the end."""

from __future__ import annotations

from typing import Final

from usernym.protocol.packets import REPLY_OVERHEAD_BYTES, anonymous_capacity, reply_capacity

VERSION: Final = 1
"""The protocol version: the first byte of every frame."""

MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 86_400

# Sizes in bytes.
ID_BYTES: Final = 16
"""Message ids, login ids, nonces: random, never guessed, never repeated."""
REQUEST_ID_BYTES: Final = 8
"""A request id only has to be new among the few requests in flight, and its answer is signed: 64 bits are enough."""
BOOT_ID_BYTES: Final = 8
KEY_BYTES: Final = 32
SEED_BYTES: Final = 32
"""The secret that a key pair is made from."""
SIGNATURE_BYTES: Final = 64
HASH_BYTES: Final = 32
MAC_BYTES: Final = 16
ADDRESS_BYTES: Final = 96
TOKEN_BYTES: Final = 16
HPKE_KEY_BYTES: Final = 1216
"""ML-KEM-768 (1184) ‖ X25519 (32)."""
SEAL_OVERHEAD_BYTES: Final = 1136
"""HPKE's encapsulated key (1120) and AEAD tag (16)."""

NAME_LETTERS_MIN: Final = 3
NAME_LETTERS_MAX: Final = 32
"""As Signal's usernames; two of the longest still leave room for a text in one packet."""
NAME_FIELD_LETTERS_MAX: Final = 63
"""A name field longer than this is malformed; a shorter one is refused with the reason that fits it. Letters of any
kind, four bytes each at most: their length in bytes must fit the one byte that precedes a name in what is signed."""

TEXT_BYTES_MAX: Final = 64 * 1024
"""UTF-8 bytes of one text: 42 packets; more would hold up a client for seconds at Nym's 50 packets a second."""
PACKETS_MAX: Final = 42
"""The most Sphinx packets that one sealed message takes."""
FRAME_BYTES_MAX: Final = PACKETS_MAX * 1604
"""No frame is longer; checked before anything is parsed."""

FILE_BYTES_MAX: Final = 10 * 1024 * 1024
"""Bytes of one file: 343 chunks, more than two minutes at Nym's 50 packets a second; both sides keep it in their
encrypted stores, and read it as a whole to verify it."""
FILE_NAME_LETTERS_MAX: Final = 64
"""Letters of a file's name: 256 bytes of UTF-8 at most, about what file systems allow."""
CHUNK_PACKETS: Final = 20
"""Sphinx packets that a chunk of a file fills. The seal and the frame around it take one of them, 5 %; four chunks fit
the SURBs that a node may hold for a client, and a text waits behind no more than a few of them."""

# Lists.
ACKNOWLEDGED_MAX: Final = 16
"""Messages acknowledged in one frame. One packet carries seven with the longest names, beside two SURBs, or all
sixteen with none."""
NOTICES_MAX: Final = 32
"""Notices in one frame: with 16-byte ids and tokens, 32 fit one reply packet."""
CONFIRMED_MAX: Final = 64
"""Notice numbers confirmed in one frame; twice what one frame can bring."""
SUCCESSIONS_PER_ANSWER_MAX: Final = 5
"""Identity links in one `Links`; 288 bytes each at most, so five fill one reply packet. Anyone may ask: an answer of
more packets than the question would multiply what strangers send."""
SUCCESSIONS_MAX: Final = 64
"""Identity changes of one name, ever: a person needs a handful, and a contact must verify all it missed."""
RECEIPTS_MAX: Final = 16
"""Direct messages acknowledged in one receipt: two packets."""
RECEIPTS_IN_PACKET: Final = 4
"""Direct messages acknowledged in a receipt of one packet."""
VERSIONS_MAX: Final = 8
"""Protocol versions that a card may list."""
FRESH_TAGS: Final = 64
"""Among a card's versions, not one of the protocol's: the node's mixnet client takes requests with sender tags of their
own."""
ADDRESSES_MAX: Final = 8
"""Nym addresses that a card may list, one for each process of its node. Eight have 784 bytes, so that `NewCard` takes
one packet, and a client that finds all but one of them silent has found the last one within a minute."""

LOG_PART_BYTES: Final = 1_500
"""What one answer has of a node's log: so that it is one packet."""
WITNESSES_MAX: Final = 3
"""Nodes that sign another one's heads: so many signatures nearly always fit beside a proof into two packets."""

# Times in seconds.
EPOCH_S: Final = MINUTE_S
"""How long a change waits for its epoch at most, while the disk lets the node write."""
PROMISE_S: Final = 2 * EPOCH_S
"""After so long a promised change is in an epoch: a node under load, whose next epoch comes late, has one more."""
CHALLENGE_S: Final = 10 * MINUTE_S
"""How long a challenge can be answered: time for the hardest proof of work on a slow machine, and for a slow mixnet."""
ACCEPTANCE_WINDOW_S: Final = 15 * MINUTE_S
"""How far a request's clock may be from the node's, either way. Ids are remembered for twice this."""
SEEN_S: Final = 2 * ACCEPTANCE_WINDOW_S + MINUTE_S
"""How long the node remembers the id of a request it carried out. A request dated at the far end of the window is
acceptable until the near end, two windows later; a minute more covers rounding."""
MAILBOX_S: Final = 30 * DAY_S
"""How long an undelivered message is kept."""
HPKE_ROTATION_S: Final = 7 * DAY_S
"""The age at which a message key is replaced."""
HPKE_GRACE_S: Final = 7 * DAY_S
"""How long senders may still seal to a superseded key: the next lookup brings the new one."""
HPKE_KEEP_S: Final = HPKE_GRACE_S + MAILBOX_S
"""How long after its successor was confirmed a private key is kept: senders' grace, then the mailbox's term."""
HPKE_LIFE_S: Final = HPKE_ROTATION_S + HPKE_KEEP_S
"""The age at which a private key is destroyed in any case, whether or not the node has published its successor."""
HPKE_STALLED_S: Final = 2 * HPKE_ROTATION_S
"""How long a new key may wait to be published before the user is notified: the key before it is 21 days old then."""
NAME_HELD_S: Final = 365 * DAY_S
"""How long a deleted name is held back from everyone but its owner."""
SURB_S: Final = 24 * HOUR_S
"""Nym's reply keys die at this age."""
NOTICE_S: Final = MAILBOX_S
"""How long the node keeps word of a message's fate for its sender."""

BUSY_RETRY_S: Final = 30
"""What a node that is too busy, or whose disk is full, asks clients to wait."""

# Proof of work, in leading zero bits of SHA-256.
WORK_BITS_MIN: Final = 16
"""About 65,000 hashes: a twentieth of a second in Python, at 1.2 million a second on one core."""
WORK_BITS_MAX: Final = 26
"""The most a client will do for a node: a minute at that rate, on average. A node that asks for more is refused."""

LOOKUP_BITS_MIN: Final = 16
"""The same for a lookup at a node that has too many of them."""
LOOKUP_BITS_MAX: Final = 22
"""The most a client will do for a lookup: some four seconds, on average."""

# Reply blocks.
SURBS_WITHHELD: Final = 2
"""SURBs of each sender that a node's mixnet client never spends on replies. It spends one each time that it sends a
lost packet again, which neither side's account sees: when it runs short it must itself ask the sender for more. One
asks; the other asks again when that packet is lost."""
SURBS_ON_REQUEST: Final = 10
"""SURBs that a client's mixnet client gives at once to another one that asks for them: what a Nym client asks for at
least. usernym learns nothing of it, so it is kept small."""
SURBS_REQUEST: Final = SURBS_WITHHELD + 1
"""SURBs with every request that wants an answer: one for the answer, beside those that are withheld. The third costs
no further packet."""
SURBS_OF_LOGIN: Final = 2 * SURBS_REQUEST - 2
"""What a node counts on after a login, beside what it believes to have from before: what the two requests brought, less
the two answers. A client that is careful with them brings fewer, and claims fewer, or gives the others at once."""
SURBS_TO_NODE: Final = 2
"""With a node's request to another one under a tag of its own: one for the answer, and one with which a lost packet is
sent again."""
SURBS_TARGET: Final = 12
"""SURBs a logged-in client wants the node to hold. More than two packets' worth of answers, fewer than a hoard."""
SURBS_LOW: Final = SURBS_WITHHELD + 4
"""Below this many the client tops up: four that can be spent."""
SURBS_TOP_UP: Final = 10
"""SURBs in one top-up: what three packets carry."""
SURBS_GIVEN_MAX: Final = 96
"""The most a client lets a node hold: two of the longest messages. A hoard spent at once would allow correlation."""

UINT32_MAX: Final = 2**32 - 1

assert NAME_LETTERS_MAX < NAME_FIELD_LETTERS_MAX
assert 4 * NAME_FIELD_LETTERS_MAX <= 0xFF
assert anonymous_capacity(PACKETS_MAX, 0) <= FRAME_BYTES_MAX
assert reply_capacity(PACKETS_MAX) + REPLY_OVERHEAD_BYTES == FRAME_BYTES_MAX
assert SEEN_S > 2 * ACCEPTANCE_WINDOW_S
assert HPKE_KEEP_S >= HPKE_GRACE_S + MAILBOX_S
assert SURBS_REQUEST > SURBS_WITHHELD
assert SURBS_LOW < SURBS_TARGET <= SURBS_GIVEN_MAX
assert SURBS_GIVEN_MAX >= 2 * PACKETS_MAX
assert CHUNK_PACKETS < PACKETS_MAX

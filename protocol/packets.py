"""Sphinx packet arithmetic: what a message costs on the mixnet, and the largest that fits a number of packets.

Source: nymtech/nym 1.21 (`common/nymsphinx`): a regular packet carries 1604 usable bytes; a plain message has 2
bytes of framing, an anonymous one 23 and 460 for each reply SURB that it carries, a reply 3.
"""

from __future__ import annotations

from typing import Final

PACKET_PAYLOAD_BYTES: Final = 1604
"""Usable bytes of one regular Sphinx packet (2048 less acknowledgement, ephemeral key and fragment header)."""

PLAIN_OVERHEAD_BYTES: Final = 2
ANONYMOUS_OVERHEAD_BYTES: Final = 23
REPLY_OVERHEAD_BYTES: Final = 3
SURB_BYTES: Final = 460
"""One reply SURB in a message, by Sphinx packets of version 259, which Nym uses today. The Nym client at hand may know
better (`Transport.surb_bytes`): a later version has 412."""


def _ceil_div(amount: int, unit: int) -> int:
    return -(-amount // unit)


def anonymous_packets(size: int, surbs: int, surb_bytes: int = SURB_BYTES) -> int:
    """Sphinx packets of a message of `size` bytes sent to an address with `surbs` reply SURBs attached."""
    return _ceil_div(size + ANONYMOUS_OVERHEAD_BYTES + surb_bytes * surbs, PACKET_PAYLOAD_BYTES)


def reply_packets(size: int) -> int:
    """Sphinx packets of a reply of `size` bytes; each spends one SURB."""
    return _ceil_div(size + REPLY_OVERHEAD_BYTES, PACKET_PAYLOAD_BYTES)


def anonymous_capacity(packets: int, surbs: int) -> int:
    """The largest message, in bytes, that `packets` packets carry to an address with `surbs` SURBs attached."""
    return packets * PACKET_PAYLOAD_BYTES - ANONYMOUS_OVERHEAD_BYTES - SURB_BYTES * surbs


def reply_capacity(packets: int) -> int:
    """The largest reply, in bytes, that `packets` SURBs carry."""
    return packets * PACKET_PAYLOAD_BYTES - REPLY_OVERHEAD_BYTES

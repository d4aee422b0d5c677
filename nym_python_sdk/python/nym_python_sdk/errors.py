"""What can go wrong, by what to do about it.

Every error of this package is a `NymError`. Bad arguments are `ValueError` as well, so that code
that knows nothing of Nym handles them.
"""

__all__ = [
    "ClientClosed",
    "ClientDied",
    "ConfigError",
    "ForkError",
    "InvalidRecipient",
    "InvalidSenderTag",
    "MessageError",
    "NetworkUnreachable",
    "NymError",
    "StorageError",
]


class NymError(Exception):
    """Base of all errors here. Raised itself only for SDK errors that have no class of their own: read its text."""


class ConfigError(NymError, ValueError):
    """The configuration cannot work: no such gateway, a malformed URL or topology, a number out of range. Change it."""


class InvalidRecipient(NymError, ValueError):
    """Not a Nym address (`identity.encryption@gateway`, three base58 keys). Nothing was sent."""


class InvalidSenderTag(NymError, ValueError):
    """Not a sender tag (16 bytes). Nothing was sent."""


class MessageError(NymError, ValueError):
    """The message cannot be sent as it is: too long, too many SURBs, an empty reply. Nothing was sent."""


class NetworkUnreachable(NymError, ConnectionError):
    """The directory or the gateway did not answer. Try again later; with a stored identity nothing is lost by it."""


class StorageError(NymError, OSError):
    """The storage folder cannot be used: not writable, damaged, or another client has it. Nothing in it was changed."""


class ClientDied(NymError, ConnectionError):
    """The client ended by itself: the SDK gives up when its gateway stays unreachable.

    Make a new client from the same storage (same address; the SURBs it held are kept where its end was an orderly one) and
    send again what was not yet confirmed end to end: what the SDK had accepted may or may not have left.
    """


class ClientClosed(NymError):
    """`disconnect` was called. Make a new client."""


class ForkError(NymError, RuntimeError):
    """Used in a child that `os.fork` made after the package had started its threads. Use `spawn`, or connect in the child."""

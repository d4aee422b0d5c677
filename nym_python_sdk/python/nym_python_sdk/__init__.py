"""The Nym mixnet for Python: send and receive through Sphinx packets, with or without asyncio.

`MixnetClient` (asyncio) and `BlockingMixnetClient` (threads) run nym-sdk, the Rust SDK of the Nym project, inside the Python
process. `nym_python_sdk.testing` holds a whole Nym network on loopback to test programs with.
"""

import atexit

from nym_python_sdk import errors
from nym_python_sdk._native import MAX_MESSAGE, MAX_SURBS, PACKET_BYTES, SDK_VERSION, SURB_BYTES, log_to_stderr
from nym_python_sdk._types import ClientCounts, ReceivedMessage, end_all
from nym_python_sdk.aio import MixnetClient
from nym_python_sdk.blocking import BlockingMixnetClient
from nym_python_sdk.config import ClientConfig
from nym_python_sdk.errors import (
    ClientClosed,
    ClientDied,
    ConfigError,
    ForkError,
    InvalidRecipient,
    InvalidSenderTag,
    MessageError,
    NetworkUnreachable,
    NymError,
    StorageError,
)

__all__ = [
    "MAX_MESSAGE",
    "MAX_SURBS",
    "PACKET_BYTES",
    "SDK_VERSION",
    "SURB_BYTES",
    "BlockingMixnetClient",
    "ClientClosed",
    "ClientConfig",
    "ClientCounts",
    "ClientDied",
    "ConfigError",
    "ForkError",
    "InvalidRecipient",
    "InvalidSenderTag",
    "MessageError",
    "MixnetClient",
    "NetworkUnreachable",
    "NymError",
    "ReceivedMessage",
    "StorageError",
    "errors",
    "log_to_stderr",
]

atexit.register(end_all)

"""A `Transport` over a Nym client in this process, by `nym_python_sdk`: no second program, and nothing on a port.

The client is rebuilt from the same storage whenever it ends by itself, as the SDK does when its gateway stays away.
`nym_python_sdk` notices a connection that died silently (`ClientConfig.keepalive`). What was on its way then is lost,
as after any loss: the party that waits for an answer sends it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from usernym.mixnet.addresses import AddressError, format_address, parse_address
from usernym.mixnet.nym_api import Reply
from usernym.mixnet.reconnecting import LinkedTransport, LinkLost, Outgoing, SendUnlinked
from usernym.mixnet.transport import Incoming
from usernym.protocol.limits import SURBS_ON_REQUEST, SURBS_WITHHELD

if TYPE_CHECKING:
    from nym_python_sdk import ClientConfig, MixnetClient

INSTALL_HINT: Final = (
    "the mixnet 'nym' needs the package nym_python_sdk, which is not installed: run `make nym` in a checkout of "
    "usernym (it needs Rust and a C compiler), or use a nym-client, as ws://127.0.0.1:1977"
)


REPLY_KEY_FILES: Final = "persistent_reply_store.sqlite*"
"""The keys of the SURBs that a client gave, and the SURBs that it holds."""
IDENTITY_FILES: Final = ("gateways_registrations.sqlite*", REPLY_KEY_FILES, "*.pem")
"""What an identity is in the SDK's folder, in an order in which it can be removed: without its registration, a client
that finds some of its keys makes those that are missing. What was paid for (`credentials_database.db`) stays."""
OUTDATED_SURBS: Final = "persistent_reply_store.sqlite._*.corrupted"
"""The SDK puts its SURBs aside after each `kill -9`, and never looks at them again."""


class SdkMissing(Exception):
    """`nym_python_sdk` is not installed; the text says what to do."""


class NymSdkTransport(LinkedTransport):
    """See `Transport`. `storage` is the folder of the client's identity and SURBs; None keeps them in memory.

    `config` is a `nym_python_sdk.ClientConfig`. How many SURBs are withheld, and given on request, is not
    taken from it. Raises `SdkMissing`.
    """

    def __init__(self, storage: Path | None, config: ClientConfig | None = None) -> None:
        sdk = _sdk()
        settings = dataclasses.replace(
            config or sdk.ClientConfig(), surbs_withheld=SURBS_WITHHELD, surbs_on_request=SURBS_ON_REQUEST
        )

        self._surb_bytes: int = sdk.SURB_BYTES
        self._client: MixnetClient | None = None

        async def connect() -> _SdkLink:
            client = sdk.MixnetClient(settings, storage=storage)
            try:
                await client.connect()
                if storage is not None:
                    with contextlib.suppress(OSError):  # what stays does no harm, and goes the next time
                        _remove(storage, OUTDATED_SURBS)
                self._client = client
                return _SdkLink(sdk, client)
            except (sdk.NymError, AddressError) as error:
                raise LinkLost(f"the Nym client does not start: {error}") from error

        super().__init__(
            connect,
            "usernym-nym-sdk",
            forget=lambda: None if storage is None else forget_identity(storage),
            forget_reply_keys=None if storage is None else lambda: _remove(storage, REPLY_KEY_FILES),
        )

    @property
    def surb_bytes(self) -> int:
        """See `Transport`."""
        return self._surb_bytes

    @property
    def fresh_tags(self) -> bool:
        """See `Transport`."""
        return True

    def surbs_out(self) -> int | None:
        """See `Transport`."""
        try:
            return None if self._client is None else len(self._client.surbs_given())
        except _sdk().NymError:
            return None  # it has ended


def client_config(directory: str | None, gateway: str | None, *, cover: bool) -> ClientConfig:
    """The settings of a client on the network with that directory (None: mainnet) and gateway (None: random).

    Without `cover` there are neither cover packets nor a steady rate at which real ones leave: faster, at little cost,
    and the gateway sees when the client sends. Raises `SdkMissing`, and `ValueError` for bad arguments.
    """
    config: ClientConfig = _sdk().ClientConfig(
        directory_url=directory,
        gateway=gateway,
        cover_traffic=cover,
        poisson_sending=cover,
    )
    return config


def forget_identity(storage: Path) -> None:
    """Have the next client that is made from this folder be another one, with another address. Raises `OSError`.

    Killed in the middle, it leaves a folder from which a client can be made.
    """
    for pattern in IDENTITY_FILES:
        _remove(storage, pattern)


def _remove(storage: Path, pattern: str) -> None:
    for file in storage.glob(pattern):
        file.unlink(missing_ok=True)


def installed() -> bool:
    """Whether `nym_python_sdk` is there."""
    try:
        _sdk()
    except SdkMissing:
        return False
    return True


def _sdk() -> Any:
    """The package, imported only now, so that everything else runs without it."""
    try:
        nym_python_sdk = importlib.import_module("nym_python_sdk")
    except ImportError as error:
        raise SdkMissing(f"{INSTALL_HINT} ({error})") from error
    if not hasattr(nym_python_sdk, "MixnetClient"):  # its sources' folder, found by its name
        raise SdkMissing(INSTALL_HINT)
    return nym_python_sdk


class _SdkLink:
    """See `MixnetLink`."""

    def __init__(self, sdk: Any, client: MixnetClient) -> None:
        self._sdk = sdk
        self._client = client
        self._address = parse_address(client.address)

    @property
    def address(self) -> bytes:
        return self._address

    async def send(self, request: Outgoing) -> None:
        try:
            if isinstance(request, Reply):
                await self._client.reply(request.sender_tag, request.data)
            else:
                recipient = format_address(request.recipient)
                fresh = isinstance(request, SendUnlinked)
                await self._client.send_anonymous(recipient, request.data, surbs=request.surbs, fresh_tag=fresh)
        except (self._sdk.InvalidRecipient, self._sdk.MessageError):
            # A bad address reached the queue: one message is lost, as on any mixnet, and the client is as before.
            return
        except self._sdk.NymError as error:
            raise LinkLost(f"the Nym client ended: {error}") from error

    async def receive(self) -> Incoming:
        try:
            message = await self._client.receive()
        except self._sdk.NymError as error:
            raise LinkLost(f"the Nym client ended: {error}") from error
        return Incoming(message.data, message.sender_tag)

    async def close(self) -> None:
        await self._client.disconnect()

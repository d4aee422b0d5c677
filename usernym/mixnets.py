"""What a person writes for a mixnet, and the transport that speaks to it.

- ``ws://127.0.0.1:1977``: a nym-client, real or emulated, that runs beside this program.
- ``nym``: a Nym client in this process, on Nym's mainnet; ``nym:https://…`` on the network with that directory. Options
  follow a question mark: ``nym?cover=off&gateway=KEY&storage=NAME``.

`parse_mixnet` checks the text, and its result makes a transport when one is wanted; a transport opens nothing until
its actors start.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlsplit

from usernym.errors import SettingsError
from usernym.mixnet.former_addresses import JoinedTransport
from usernym.mixnet.nym_client import NymClientTransport, check_url
from usernym.mixnet.nym_sdk import NymSdkTransport, SdkMissing, client_config
from usernym.mixnet.transport import Transport

if TYPE_CHECKING:
    from nym_python_sdk import ClientConfig

STORAGE_FOLDER: Final = "nym"
"""In the home: the Nym client's identity and SURBs. Another storage's folder is this, a dash and its name."""
STORAGE_NAME: Final = re.compile(r"[a-z0-9]{1,32}")

_EXAMPLES: Final = "write ws://127.0.0.1:1977 for a nym-client, or nym for a client in this process"


@dataclass(frozen=True, slots=True)
class NymClientAt:
    """A nym-client, real or emulated, that listens at `url`."""

    url: str

    @property
    def client(self) -> object:
        """What tells one mixnet client from another."""
        return self.url

    def check(self) -> None:
        """Do nothing: whether the nym-client runs shows when a transport is opened."""

    def transport(self, _home: Path | None) -> Transport:
        """A new transport to it."""
        return NymClientTransport(self.url)


@dataclass(frozen=True, slots=True)
class NymInProcess:
    """A Nym client in this process. `directory` None is mainnet's, `gateway` None a random one."""

    directory: str | None = None
    cover: bool = True
    gateway: str | None = None
    storage: str | None = None

    @property
    def client(self) -> object:
        """What tells one mixnet client from another: its storage."""
        return ("nym", self.storage)

    def check(self) -> None:
        """Raise `SettingsError` if `nym_python_sdk` is not installed, or does not take these options."""
        self._config()

    def transport(self, home: Path | None) -> Transport:
        """A new transport; the client keeps its identity in a folder of `home`, or in memory only if that is None.

        Raises `SettingsError` as `check` does.
        """
        folder = STORAGE_FOLDER if self.storage is None else f"{STORAGE_FOLDER}-{self.storage}"
        return NymSdkTransport(None if home is None else home / folder, self._config())

    def _config(self) -> ClientConfig:
        try:
            return client_config(self.directory, self.gateway, cover=self.cover)
        except (SdkMissing, ValueError) as error:
            raise SettingsError(str(error)) from None


MixnetSpec = NymClientAt | NymInProcess
"""A mixnet client, as a person named it. `check()` says whether it can be used here at all, `transport(home)` uses it.

`client` is equal for two that would be one and the same mixnet client.
"""


def parse_mixnet(text: str) -> MixnetSpec:
    """What `text` names. Raises `SettingsError` if it is not the name of a mixnet client."""
    if text.startswith("ws://"):
        try:
            check_url(text)
        except ValueError as error:
            raise SettingsError(str(error)) from None
        return NymClientAt(text)
    place, _, options = text.partition("?")
    scheme, colon, directory = place.partition(":")
    if scheme != "nym" or (colon and not directory):
        raise SettingsError(f"no such mixnet: {text!r}; {_EXAMPLES}")
    if colon:
        _check_directory(directory)
    values = _parse_options(options)
    return NymInProcess(directory or None, values.get("cover") != "off", values.get("gateway"), values.get("storage"))


def parse_mixnets(current: str, former: Sequence[str]) -> tuple[MixnetSpec, ...]:
    """A node's current mixnet client, and those of its former addresses. Raises `SettingsError`.

    Also if two of them are the same client.
    """
    specs = tuple(parse_mixnet(text) for text in (current, *former))
    _check_different([spec.client for spec in specs])
    return specs


def node_transport(mixnet: str | Transport, former: Sequence[str | Transport], home: Path) -> Transport:
    """A transport for `mixnet` that also hears what comes to the `former` ones. Raises `SettingsError`."""
    given = [parse_mixnet(each) if isinstance(each, str) else each for each in (mixnet, *former)]
    _check_different([each.client if isinstance(each, MixnetSpec) else id(each) for each in given])
    current, *others = (each.transport(home) if isinstance(each, MixnetSpec) else each for each in given)
    try:
        return JoinedTransport(current, others) if others else current
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _check_different(clients: Sequence[object]) -> None:
    if len(set(clients)) < len(clients):
        raise SettingsError("a former mixnet client must be another one than the current, and be named once")


def _parse_options(options: str) -> dict[str, str]:
    values: dict[str, str] = {}
    try:
        pairs = parse_qsl(options, keep_blank_values=True, strict_parsing=True) if options else []
    except ValueError:
        raise SettingsError(f"options of a mixnet look like ?cover=off&gateway=KEY, not {options!r}") from None
    for name, value in pairs:
        if name not in ("cover", "gateway", "storage") or name in values or not value:
            raise SettingsError(f"no such option of the mixnet 'nym': {name!r}; there are cover, gateway and storage")
        values[name] = value
    if values.get("cover", "on") not in ("on", "off"):
        raise SettingsError("cover is on or off")
    storage = values.get("storage")
    if storage is not None and not STORAGE_NAME.fullmatch(storage):
        raise SettingsError("the name of a storage is 1 to 32 small letters and digits")
    return values


def _check_directory(url: str) -> None:
    """Take TLS only, except on this machine: anyone who can change the directory's answer can choose all the hops."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise SettingsError("the directory of a Nym network looks like nym:https://directory.example")
    if parts.scheme == "http" and not _on_this_machine(parts.hostname):
        raise SettingsError("a directory that is not on this machine must be asked by https")


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

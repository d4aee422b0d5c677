"""From what a person writes for a mixnet to the transport that speaks to it.

- ``ws://127.0.0.1:1977``: a nym-client, real or emulated, that runs beside this program.
- ``nym``: a Nym client in this process, on Nym's mainnet; ``nym:https://…`` on the network with that directory. Options
  follow a question mark: ``nym?cover=off&gateway=KEY&storage=NAME``.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from usernym.mixnet.former_addresses import JoinedTransport
from usernym.mixnet.nym_client import NymClientTransport
from usernym.mixnet.nym_sdk import NymSdkTransport, SdkMissing, client_config
from usernym.mixnet.transport import Transport
from usernym.settings import SettingsError

STORAGE_FOLDER: Final = "nym"
"""In the home: the Nym client's identity and SURBs. Another storage's folder is this, a dash and its name."""
STORAGE_NAME: Final = re.compile(r"[a-z0-9]{1,32}")

_EXAMPLES: Final = "as ws://127.0.0.1:1977 for a nym-client, or nym for a client in this process"


@dataclass(frozen=True, slots=True)
class InProcess:
    """A Nym client in this process. `directory` None is mainnet's, `gateway` None a random one."""

    directory: str | None = None
    cover: bool = True
    gateway: str | None = None
    storage: str | None = None


def transport_to(mixnet: str, home: Path | None) -> Transport:
    """A transport for a mixnet as a person writes it; a client in this process keeps its identity in `home`.

    With None it keeps it in memory only.

    Nothing is begun or written yet. Raises `SettingsError` for what is no mixnet, or needs a package that is not there.
    """
    if mixnet.startswith("ws://"):
        try:
            return NymClientTransport(mixnet)
        except ValueError as error:
            raise SettingsError(str(error)) from None
    wanted = parse_in_process(mixnet)
    folder = STORAGE_FOLDER if wanted.storage is None else f"{STORAGE_FOLDER}-{wanted.storage}"
    try:
        config = client_config(wanted.directory, wanted.gateway, cover=wanted.cover)
        return NymSdkTransport(None if home is None else home / folder, config)
    except (SdkMissing, ValueError) as error:
        raise SettingsError(str(error)) from None


def moving_transport(mixnet: str | Transport, former: Sequence[str | Transport], home: Path) -> Transport:
    """A transport for `mixnet` at which the `former` ones are heard, too. Raises `SettingsError` as `transport_to`."""
    everywhere = (mixnet, *former)
    if len({_client_of(each) for each in everywhere}) < len(everywhere):
        raise SettingsError("a former mixnet client is another one than the current")
    current, *others = (transport_to(each, home) if isinstance(each, str) else each for each in everywhere)
    try:
        return JoinedTransport(current, others) if others else current
    except ValueError as error:
        raise SettingsError(str(error)) from None


def _client_of(mixnet: str | Transport) -> object:
    """What tells one mixnet client from another: for those in this process, their storage."""
    if not isinstance(mixnet, str):
        return id(mixnet)
    return mixnet if mixnet.startswith("ws://") else ("nym", parse_in_process(mixnet).storage)


def parse_in_process(mixnet: str) -> InProcess:
    """``nym[:DIRECTORY][?OPTIONS]``. Raises `SettingsError`."""
    place, _, options = mixnet.partition("?")
    scheme, colon, directory = place.partition(":")
    if scheme != "nym" or (colon and not directory):
        raise SettingsError(f"no such mixnet: {mixnet!r}; write it {_EXAMPLES}")
    if colon:
        _check_directory(directory)
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
    return InProcess(directory or None, values.get("cover") != "off", values.get("gateway"), storage)


def _check_directory(url: str) -> None:
    """Who can change a directory on its way can make all hops its own: TLS, except on this machine."""
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

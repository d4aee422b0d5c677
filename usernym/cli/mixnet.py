"""`usernym mixnet`: the emulated mixnet."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.command import Entry, Invocation, decimal, number, option
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.terminal import print_err, print_line
from usernym.protocol.limits import SURBS_WITHHELD
from usernym.settings import CommonSettings

if TYPE_CHECKING:
    from usernym.mixnet.emulator.server import Ready

NO_ANONYMITY: Final = (
    "This is an emulated mixnet, on this machine only: it gives NO ANONYMITY. It is for trying and testing."
)


class EmulatedClientJson(msgspec.Struct, frozen=True):
    """An emulated nym-client."""

    mixnet: str
    """For `--mixnet`."""
    address: str


class MixnetReadyJson(msgspec.Struct, frozen=True, tag_field="event", tag="ready"):
    """The emulator is ready."""

    clients: list[EmulatedClientJson]
    control_port: int
    """Of 127.0.0.1; docs/emulator.md says what it takes."""


def mixnet(typed: Invocation[CommonSettings]) -> None:
    """`usernym mixnet`."""
    from usernym.mixnet.emulator.server import ServerSettings, run
    from usernym.mixnet.emulator.state import Faults
    from usernym.mixnet.transport import MixnetError

    given = typed.given
    try:
        faults = Faults(
            loss=given.loss, silent_loss=given.silent_loss, duplication=given.duplication, hop_delay_s=given.hop_delay
        )
        settings = ServerSettings(
            first_port=given.first_port, clients=given.clients, seed=given.seed, faults=faults,
            surb_minimum=given.surb_minimum, control_port=given.control_port,
        )  # fmt: skip
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", str(error)) from None
    print_err(NO_ANONYMITY)
    try:
        run(settings, lambda ready: typed.show(_reply(ready), _print_ready))
    except MixnetError as error:
        raise CommandFailed(Exit.USAGE, "port_taken", str(error)) from None


def _reply(ready: Ready) -> MixnetReadyJson:
    clients = [EmulatedClientJson(f"ws://127.0.0.1:{port}", address) for port, address in ready.endpoints]
    return MixnetReadyJson(clients, ready.control_port)


def _print_ready(ready: MixnetReadyJson, _given: Namespace) -> None:
    for client in ready.clients:
        print_line(f"emulated nym-client at {client.mixnet}")
    print_line(f"control port: {ready.control_port}")


_SHARE: Final = {"type": decimal(0, 1), "default": 0.0, "metavar": "P"}

ENTRIES: Final = (
    Entry(
        "mixnet", "run an emulated mixnet for trying and testing: it gives no anonymity", mixnet,
        (option("--first-port", type=number(0, 65_535), default=1977, metavar="PORT",
                help="default 1977; 0: any free ones"),
         option("--clients", type=number(1, 256), default=3, metavar="N", help="emulated nym-clients; default 3"),
         option("--control-port", type=number(0, 65_535), metavar="PORT", help="default: the one below the first"),
         option("--seed", type=number(0), metavar="N", help="repeat a run's addresses, delays and faults"),
         option("--loss", help="lost packets", **_SHARE),
         option("--silent-loss", help="messages lost for good", **_SHARE),
         option("--duplication", help="messages that arrive twice", **_SHARE),
         option("--hop-delay", type=decimal(0, 3600), default=0.015, metavar="SECONDS", help="mean delay of each hop"),
         option("--surb-minimum", type=number(0), default=SURBS_WITHHELD, metavar="N", help="reply blocks kept back")),
        "none", (MixnetReadyJson,),
    ),
)  # fmt: skip

"""`usernym mixnet`: the emulated mixnet."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import TYPE_CHECKING, Final

import msgspec

from usernym.cli.command import Entry, Invocation, probability
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.terminal import print_err, print_json, print_line
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


def _options(parser: ArgumentParser) -> None:
    parser.add_argument("--first-port", type=int, default=1977, metavar="PORT", help="default 1977; 0: any free ones")
    parser.add_argument("--clients", type=int, default=3, metavar="N", help="emulated nym-clients; default 3")
    parser.add_argument("--control-port", type=int, metavar="PORT", help="default: the one below the first")
    parser.add_argument("--seed", type=int, metavar="N", help="repeat a run's addresses, delays and faults")
    parser.add_argument("--loss", type=probability, default=0.0, metavar="P", help="lost packets")
    parser.add_argument("--silent-loss", type=probability, default=0.0, metavar="P", help="messages lost for good")
    parser.add_argument("--duplication", type=probability, default=0.0, metavar="P", help="messages that arrive twice")
    parser.add_argument("--hop-delay", type=float, default=0.015, metavar="SECONDS", help="mean delay of each hop")
    parser.add_argument("--surb-minimum", type=int, default=0, metavar="N", help="reply blocks kept back")


def mixnet(typed: Invocation[CommonSettings]) -> None:
    """`usernym mixnet`."""
    from usernym.mixnet.emulator.server import ServerSettings, run
    from usernym.mixnet.emulator.state import Faults
    from usernym.mixnet.transport import MixnetError

    given = typed.given
    try:
        settings = ServerSettings(
            first_port=given.first_port,
            clients=given.clients,
            seed=given.seed,
            faults=Faults(
                loss=given.loss,
                silent_loss=given.silent_loss,
                duplication=given.duplication,
                hop_delay_s=given.hop_delay,
            ),
            surb_minimum=given.surb_minimum,
            control_port=given.control_port,
        )
    except ValueError as error:
        raise CommandFailed(Exit.USAGE, "settings", str(error)) from None

    print_err(NO_ANONYMITY)
    try:
        run(settings, lambda ready: _announce(ready, as_json=typed.json))
    except MixnetError as error:
        raise CommandFailed(Exit.USAGE, "port_taken", str(error)) from None


def _announce(ready: Ready, *, as_json: bool) -> None:
    if as_json:
        clients = [EmulatedClientJson(f"ws://127.0.0.1:{port}", address) for port, address in ready.endpoints]
        print_json(MixnetReadyJson(clients, ready.control_port))
        return
    for port, _ in ready.endpoints:
        print_line(f"emulated nym-client at ws://127.0.0.1:{port}")
    print_line(f"control port: {ready.control_port}")


ENTRIES: Final = (
    Entry("mixnet", "run an emulated mixnet for trying and testing: it gives no anonymity", mixnet, _options, "none",
          (MixnetReadyJson,)),
)  # fmt: skip

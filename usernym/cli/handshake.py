"""`usernym handshake`: revealing one's address to a contact, after saying what that reveals."""

from __future__ import annotations

import argparse
import sys
from typing import Any, Final

from usernym.cli import perform as work
from usernym.cli.client import ask_person, handshake_text, show_contact
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.session import Options, Session
from usernym.cli.terminal import note, say, say_json
from usernym.protocol.names import canonical

ADDRESS_WARNING: Final = (
    "Warning: a handshake reveals your Nym address to {name}. The address shows which gateway you are connected to,\n"
    "and what was revealed can't be taken back: {name} keeps the address, also after --revoke."
)
UNVERIFIED_WARNING: Final = (
    "Warning: {name} is not verified ({trust}). Only the node vouches for their key; a dishonest node could put\n"
    "its own there, and read the address in their place. `usernym verify {name}` compares safety numbers first."
)

_OUTCOMES: Final = {
    "accepted": "the node has it, and delivers it when {name} is online",
    "delivered": "{name}'s client has it",
    "sent": "it was sent; {name}'s client has not answered yet, and gets it again whenever this home is online",
    "unchanged": "nothing had to be sent",
}
_STEPS: Final = {
    "offer": "offered your address to {name}",
    "accept": "accepted the handshake with {name}",
    "revoke": "ended the handshake with {name}; they keep the address that they were shown",
}


def handshake(options: Options, arguments: argparse.Namespace) -> None:
    """`usernym handshake NAME`."""
    name = canonical(arguments.name)
    step: work.Step = arguments.step or "offer"
    direct_only: bool | None = arguments.direct_only
    if arguments.step is None and direct_only is not None:
        step = "status"  # --direct-only or --fall-back by itself changes just that
    with Session(options) as session:
        if step in ("offer", "accept"):
            _warn(name, _known(session, name, step), arguments.yes)
        value = session.call(work.Handshake(name, step, direct_only))
    if options.json:
        say_json(value)
    elif step == "status":
        show_contact(value)
    else:
        say(f"{_STEPS[step].format(name=name)}: {_OUTCOMES.get(value['outcome'], value['outcome']).format(name=name)}")
        say(f"the handshake is: {handshake_text(value)}")


def _known(session: Session, name: str, step: work.Step) -> dict[str, Any] | None:
    """The contact, for the warning; an offer that has not come yet may be the first that is heard of them."""
    try:
        value: dict[str, Any] = session.call(work.Show(name))
    except CommandFailed as failed:
        if step == "accept" and failed.exit_code is Exit.NO_ANSWER:
            return None
        raise
    return value


def _warn(name: str, contact: dict[str, Any] | None, consented: bool) -> None:
    """Say what is about to be revealed, and to whom, and ask where there is somebody to be asked."""
    trust = "confirmed by the node" if contact is None else contact["trust"]
    note(ADDRESS_WARNING.format(name=name))
    if trust != "verified":
        note(UNVERIFIED_WARNING.format(name=name, trust=trust))
    # Without a terminal the command itself is the consent: nobody is there to be asked.
    if not consented and sys.stdin.isatty() and not ask_person("Reveal your address?"):
        raise CommandFailed(Exit.REFUSED, "not_confirmed", "nothing was revealed")

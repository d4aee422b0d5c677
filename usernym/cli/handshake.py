"""`usernym handshake`: revealing one's address to a contact, after saying what that reveals."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING, Final, Literal

import usernym
from usernym.cli.command import NAME, ClientCommand, Deadline, Entry, Invocation, Option, one_of, option, switch
from usernym.cli.failures import CommandFailed, Exit
from usernym.cli.holder import contact_of, look_up, retry_until
from usernym.cli.people import ShowCommand, handshake_text, print_contact
from usernym.cli.replies import ContactReply, reply_of
from usernym.cli.session import Session
from usernym.cli.terminal import ask_yes, has_terminal, print_err, print_line
from usernym.protocol.errors import refusal_text
from usernym.settings import ClientSettings

if TYPE_CHECKING:
    from usernym import Client, ContactView, DeliveryChanged

ACCEPTED_S: Final = 10.0
"""How long an acceptance, which goes straight to the contact, waits for the contact's receipt."""

ADDRESS_WARNING: Final = (
    "Warning: a handshake reveals your Nym address to {name}. The address shows which gateway you are connected to,\n"
    "and this can't be undone: {name} keeps the address, even after --revoke."
)
UNVERIFIED_WARNING: Final = (
    "Warning: {name} is not verified ({trust}). Only the node vouches for their key; a dishonest node could put\n"
    "in its own, and read the address instead of them. `usernym verify {name}` compares safety numbers first."
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
    "revoke": "ended the handshake with {name}; they still know your address",
}

Step = Literal["offer", "accept", "revoke", "status"]


class HandshakeReply(ContactReply, frozen=True):
    """The contact after a step of the handshake."""

    outcome: Literal["accepted", "delivered", "sent", "unchanged"]
    """How far the step has got: at the node, at the contact, on its way, or nothing had to be sent."""


class HandshakeCommand(ClientCommand[HandshakeReply], frozen=True, tag="handshake"):
    """Take a step of a handshake, and wait until it is out; the user has agreed to reveal the address."""

    name: str
    step: Step
    direct_only: bool | None = None
    """Changes whether messages wait while the direct route is silent; None leaves it."""

    def perform(self, client: Client, deadline: Deadline, /) -> HandshakeReply:
        contact = contact_of(client, self.name)
        outcome = "unchanged"
        if self.step != "status":
            retry_until(client, client.go_online, deadline)
        if self.step == "accept":
            contact = self._await_offer(client, deadline)
        elif contact is None:
            contact = look_up(client, self.name, deadline)
        if self.direct_only is not None:
            client.set_direct_only(self.name, self.direct_only)
        is_active = contact.handshake is usernym.HandshakeState.ACTIVE
        if self.step in ("offer", "revoke") or (self.step == "accept" and not is_active):
            outcome = self._take_step(client, deadline)
        return reply_of(HandshakeReply, client.contact(self.name), outcome=outcome)

    def _await_offer(self, client: Client, deadline: Deadline) -> ContactView:
        """The contact whose offer is here; the offer may still be on its way."""
        states = (usernym.HandshakeState.OFFER_RECEIVED, usernym.HandshakeState.ACTIVE)
        while True:
            contact = contact_of(client, self.name)
            if contact is not None and contact.handshake in states:
                return contact
            if deadline.over:
                text = f"no offer of theirs came within {deadline.timeout:.3g} s"
                raise CommandFailed(Exit.NO_ANSWER, "no_offer", text)
            deadline.pause()

    def _take_step(self, client: Client, deadline: Deadline) -> str:
        """Take the step, and wait until it is out. Returns how far it got."""
        steps = {"offer": client.offer_handshake, "accept": client.accept_handshake, "revoke": client.revoke_handshake}
        # An offer when theirs is here already is an acceptance, and takes the same route.
        offered = client.contact(self.name).handshake is usernym.HandshakeState.OFFER_RECEIVED
        accepting = offered and self.step != "revoke"
        patience = Deadline(min(ACCEPTED_S, deadline.left())) if accepting else deadline
        with client.subscribe() as events:
            steps[self.step](self.name, timeout=deadline.left())
            while (event := events.next(patience.left())) is not None:
                if isinstance(event, usernym.DeliveryChanged) and self._is_of_step(event):
                    return _outcome(event)
                if patience.over:
                    break
        if accepting:
            # It is on disk and was handed to the mixnet. A contact who is away gets it later, or when it is sent again.
            return "sent"
        raise usernym.NotReady(
            f"the node has not accepted it within {deadline.timeout:.3g} s; it goes out when this home is online"
        )

    def _is_of_step(self, event: DeliveryChanged) -> bool:
        """Whether the event is about the step, and not about a text."""
        return event.recipient == self.name and not event.is_text


def _outcome(event: DeliveryChanged) -> str:
    if event.state is not usernym.DeliveryState.REFUSED:
        return str(event.state)
    if event.reason is None:
        raise CommandFailed(Exit.REFUSED, "refused", "it was refused")
    raise CommandFailed(Exit.REFUSED, event.reason.name.lower(), refusal_text(event.reason))


def handshake(typed: Invocation[ClientSettings]) -> None:
    """`usernym handshake NAME`."""
    given, name = typed.given, typed.given.name
    # --direct-only or --fall-back by itself changes just that.
    step: Step = given.step or ("offer" if given.direct_only is None else "status")
    with Session(typed) as session:
        if step in ("offer", "accept"):
            _warn(name, _known(session, name, step), given.yes)
        reply = session.call(HandshakeCommand(name, step, given.direct_only))
    typed.show(reply, print_contact if step == "status" else _print_step)


def _print_step(reply: HandshakeReply, given: Namespace) -> None:
    done, outcome = _STEPS[given.step or "offer"], _OUTCOMES[reply.outcome]
    print_line(f"{done}: {outcome}".format(name=reply.name))
    print_line(f"the handshake is: {handshake_text(reply)}")


def _known(session: Session, name: str, step: Step) -> ContactReply | None:
    """The contact, for the warning. None if it is not known: its offer may still be on its way."""
    try:
        return session.call(ShowCommand(name))
    except CommandFailed as failed:
        if step == "accept" and failed.exit_code is Exit.NO_ANSWER:
            return None
        raise


def _warn(name: str, contact: ContactReply | None, agreed: bool) -> None:
    """Say what is about to be revealed, and to whom, and ask the person at the terminal."""
    trust = "confirmed by the node" if contact is None else contact.trust
    print_err(ADDRESS_WARNING.format(name=name))
    if trust != "verified":
        print_err(UNVERIFIED_WARNING.format(name=name, trust=trust))
    # Without a terminal there is no person to ask: the command itself is the agreement.
    if not agreed and has_terminal() and not ask_yes("Reveal your address?"):
        raise CommandFailed(Exit.REFUSED, "not_confirmed", "nothing was revealed")


def _sets(name: str, dest: str, value: object, text: str) -> Option:
    return option(name, dest=dest, action="store_const", const=value, help=text)


ENTRIES: Final = (
    Entry(
        "handshake", "talk directly to a contact: reveals your address to them", handshake,
        (NAME,
         one_of(_sets("--accept", "step", "accept", "take their offer, and reveal your address to them"),
                _sets("--revoke", "step", "revoke", "end it, or decline their offer"),
                _sets("--status", "step", "status", "only show its state")),
         one_of(_sets("--direct-only", "direct_only", True, "let messages wait while the direct route is silent"),
                _sets("--fall-back", "direct_only", False, "send them through the node meanwhile (default)")),
         switch("--yes", "do not ask before the address is revealed")),
        prints=(HandshakeReply,),
    ),
)  # fmt: skip

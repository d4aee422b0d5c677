"""Carrying out the commands about texts: send, retry, cancel; history, search, erase, disappear."""

from __future__ import annotations

import dataclasses
from typing import Final

from usernym.cli.failures import CommandFailed, Exit, refusal_text
from usernym.cli.perform_base import Deadline, contact_of, insist, known, look_up
from usernym.cli.remote import Cancel, Disappear, Erase, History, Retry, Search, Send
from usernym.client import Client, Wait
from usernym.control import LINE_BYTES_MAX, Answer, encode
from usernym.storage.client.types import DeliveryState
from usernym.views import MessageView, Sent

ID_DIGITS_MIN: Final = 8
"""Of a message's id, that name it: so many are shown to people."""
LOOKED_THROUGH_MAX: Final = 10_000
"""Texts among which one is looked for by the first digits of its id; the newest."""
ANSWER_BYTES_MAX: Final = LINE_BYTES_MAX - 4096
"""Of texts in one answer; the rest is for what is around them."""

TextCommand = Send | Retry | Cancel | History | Search | Erase | Disappear


def perform_text(client: Client, command: TextCommand, deadline: Deadline) -> Answer | list[Answer]:
    """Carry out one of these commands; see `cli_work.perform`."""
    match command:
        case Send(name, text, wait):
            return _send(client, name, text, wait, deadline)
        case Retry(name, message_id, wait):
            before = _text(client, name, message_id, own=True)
            if wait != "queued":
                insist(client, client.go_online, deadline)
            return _sent(client.retry(name, before.message_id, deadline.left(), wait=wait))
        case Cancel(name, message_id):
            return _cancel(client, name, _text(client, name, message_id, own=True), deadline)
        case History(name, limit, before):
            known(client, name)
            page = [dataclasses.asdict(text) for text in client.conversation(name, limit, before)]
            return _fitting(page[::-1])[::-1]
        case Search(text, limit, name):
            found = client.search(text, name=name, limit=limit)
            return _fitting([{"with": sender, **dataclasses.asdict(view)} for sender, view in found])
        case Erase(name, message_id):
            known(client, name)
            if message_id is None:
                return {"erased": client.erase_conversation(name)}
            return {"erased": client.erase([_text(client, name, message_id, own=False)])}
        case Disappear(name, seconds):
            known(client, name)
            client.set_disappearing(name, seconds)
            return dataclasses.asdict(client.contact(name))


def _text(client: Client, name: str, digits: str, *, own: bool) -> MessageView:
    """The text that these first digits of an id name; with `own`, of the user's own texts."""
    known(client, name)
    if len(digits) < ID_DIGITS_MIN:
        raise CommandFailed(Exit.USAGE, "settings", f"name a text by {ID_DIGITS_MIN} digits of its id at least")
    texts = client.conversation(name, LOOKED_THROUGH_MAX)
    found = [text for text in texts if text.outgoing >= own and text.message_id.startswith(digits.lower())]
    if len(found) != 1:
        whose = f"of your texts to {name}" if own else f"of the texts with {name}"
        why = "none" if not found else "more than one"
        raise CommandFailed(Exit.REFUSED, "no_text", f"{why} {whose} has an id that begins so")
    return found[0]


def _cancel(client: Client, name: str, text: MessageView, deadline: Deadline) -> Answer:
    if not client.cancel(text.message_id, deadline.left()):
        state = next(
            (each.state for each in client.conversation(name, LOOKED_THROUGH_MAX) if each.row == text.row), text.state
        )
        what = "it is being handed to the node right now" if state is DeliveryState.WAITING else f"it is {state}"
        raise CommandFailed(Exit.REFUSED, "not_cancelled", f"this text can't be cancelled: {what}")
    return {"id": text.message_id, "state": str(DeliveryState.CANCELLED)}


def _fitting(texts: list[Answer]) -> list[Answer]:
    """As many of the first texts as one answer on the control socket holds; one at least."""
    size = 0
    for at, text in enumerate(texts):
        size += len(encode(text))
        if size > ANSWER_BYTES_MAX and at:
            return texts[:at]
    return texts


def _send(client: Client, name: str, text: str, wait: Wait, deadline: Deadline) -> Answer:
    if wait != "queued":
        insist(client, client.go_online, deadline)
    if contact_of(client, name) is None:
        # First, so that a text is never left waiting for a lookup that nobody follows any more.
        look_up(client, name, deadline)
    return _sent(client.send(name, text, wait=wait, timeout=deadline.left()))


def _sent(sent: Sent) -> Answer:
    if sent.state in (DeliveryState.REFUSED, DeliveryState.EXPIRED, DeliveryState.CANCELLED):
        reason = "the message was not taken" if sent.reason is None else refusal_text(sent.reason)
        kind = str(sent.state) if sent.reason is None else sent.reason.name.lower()
        raise CommandFailed(Exit.REFUSED, kind, reason)
    return sent_value(sent)


def sent_value(sent: Sent) -> Answer:
    """A message that was sent, for JSON."""
    reason = None if sent.reason is None else sent.reason.name.lower()
    return {"id": sent.message_id, "state": str(sent.state), "reason": reason, "route": str(sent.route)}

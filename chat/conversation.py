"""The right pane: one conversation with its notes (trust, request, direct route), its texts, and the composer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from usernym import (
    ContactView,
    DeliveryState,
    Event,
    GraphFailed,
    HandshakeState,
    MessageArrived,
    MessageView,
    Sent,
    TextTooLong,
)
from usernym.chat import lines, texts
from usernym.chat.dialogs import HandshakeDialog, KeepingDialog, TrustDialog
from usernym.chat.elements import Box, Button, Composer, Label, Live, MessageList
from usernym.chat.person import Person
from usernym.chat.screen import Refresher

PAGE: Final = 60
"""Texts that are shown at first."""
WINDOW: Final = 300
"""Texts that a window shows at most: a browser draws them without delay. Further back, the newest ones are left out."""
TEXT_BYTES: Final = 65_536
"""As the client's limit for a text, in UTF-8."""


class Conversation:
    """The pane for one contact. `found` is the row of a text that a search found: the pane starts there."""

    def __init__(
        self, person: Person, name: str, live: Live, *, back: Callable[[], None], found: int | None = None
    ) -> None:
        self.name = name
        self._person = person
        self._live = live
        self._found = found
        self._before: int | None = None if found is None else found + PAGE // 2
        """The texts shown are those before this row; None: the newest."""
        self._limit = PAGE
        self._shown: list[MessageView] = []
        self._contact: ContactView | None = None
        self._drawn: tuple[ContactView, bool] | None = None
        self._seen = 0
        self._marked: set[int] = set()
        self._bottom = 0
        self._refresher = Refresher(self._refresh)
        with Box("header", "right-head"):
            Button("←", back, "plain back", aria_label="Back to the list")
            Label(name, "h1")
            self._trust = Button("", self._open_trust, "plain")
            self._route = Button("", self._open_handshake, "plain")
            Box("span", "spread")
            Button("Disappearing texts …", self._open_keeping, "plain")
        self._notes = Box("div", "right-notes")
        with Box("div", "texts-host"):
            self._messages = MessageList().show(
                items=[], older=False, newer=False, empty="No texts yet.", label=f"Texts with {name}", bottom=0
            )
        self._messages.hear("older", lambda _: self._go_back()).hear("newer", lambda _: self._go_to_newest())
        self._messages.hear("act", self._act).hear("seen", self._see)
        self._composer = Composer().show(
            label=f"Write to {name}", draft=person.drafts.get(name, ""), focus=0, limit=TEXT_BYTES, blocked="", error=""
        )
        self._composer.hear("draft", self._keep_draft).hear("send", self._send)
        self._show_outgoing()
        self._refresher.soon()

    def end(self) -> None:
        """Another conversation replaces it."""
        self._refresher.end()

    def focus(self) -> None:
        """Put the cursor where texts are written."""
        self._composer.show(focus=self._composer.props.get("focus", 0) + 1)

    def on_event(self, event: Event | None) -> None:
        """Read again what is shown, if the event may concern this contact."""
        about = getattr(event, "sender", None) or getattr(event, "recipient", None) or getattr(event, "name", None)
        if about in (None, self.name):
            self._refresher.soon()
        if isinstance(event, MessageArrived) and event.sender == self.name:
            self._live.say(f"{self.name}: {lines.snippet(event.text)}")

    def on_change(self) -> None:
        """Something was changed from a window, this one or another."""
        self._show_outgoing()
        self._refresher.soon()

    # -- what is shown --

    def _show_outgoing(self) -> None:
        """Show a text that is being sent as under way, also if it was sent before a reload or in another window."""
        out = self._person.outgoing.get(self.name)
        if out is None:
            return
        composer, nonce = self._composer, out.nonce
        composer.show(pending={"nonce": nonce, "text": out.text})

        def ended(result: asyncio.Future[Sent]) -> None:
            failed = result.cancelled() or result.exception() is not None
            composer.show(**{"failed" if failed else "done": nonce})

        out.result.add_done_callback(ended)

    async def _refresh(self) -> None:
        person = self._person
        try:
            contact, shown, older = await person.run(self._read)
        except (GraphFailed, KeyError):
            return  # the client has been closed, or the contact has gone: another screen follows
        self._shown = shown
        if (contact, bool(shown)) != self._drawn:
            self._contact, self._drawn = contact, (contact, bool(shown))
            self._show_contact(contact)
        await self._mark_seen()  # also of a request that was just accepted, and of older texts that are shown now
        items = lines.text_lines(shown, self.name, time.time())
        self._messages.show(items=items, older=older, newer=self._before is not None, found=self._found or 0)

    def _read(self) -> tuple[ContactView, list[MessageView], bool]:
        client = self._person.client
        shown = client.conversation(self.name, self._limit + 1, self._before)
        older = len(shown) > self._limit
        return client.contact(self.name), shown[1:] if older else shown, older

    def _go_back(self) -> None:
        if self._limit < WINDOW:
            self._limit = min(WINDOW, self._limit + 2 * PAGE)
        elif len(self._shown) > PAGE:
            self._before = self._shown[-2 * PAGE :][0].row
        self._refresher.soon()

    def _go_to_newest(self) -> None:
        self._before, self._found, self._limit = None, None, PAGE
        self._bottom += 1
        self._messages.show(bottom=self._bottom)
        self._refresher.soon()

    def _show_contact(self, contact: ContactView) -> None:
        self._trust.set_text(f"{contact.trust} …")
        self._trust.classes(remove="is-verified is-confirmed is-changed", add=f"is-{texts.TRUST_KINDS[contact.trust]}")
        self._route.set_text(f"{texts.HANDSHAKES[contact.handshake]} …")
        self._composer.show(blocked=self._blocked(contact))
        self._notes.clear()
        with self._notes:
            self._show_notes(contact)

    @staticmethod
    def _blocked(contact: ContactView) -> str:
        if contact.state == "blocked":
            return "This person is blocked."
        if contact.state in ("pending", "declined"):
            return "Accept the request to answer it."
        if contact.trust == "changed":
            return "The identity has changed. Look at it before you write."
        return ""

    def _show_notes(self, contact: ContactView) -> None:
        if contact.state == "pending":
            with Box("div", "note stack", role="group", aria_label="Request"):
                Label(f"{contact.name} is not one of your contacts and wants to write to you.")
                Label("They do not learn what you choose, nor that their texts arrived.", classes="small")
                if not self._shown and contact.handshake is HandshakeState.NONE:
                    Label(
                        "Their texts are sealed to a key that this machine does not have. If you accept, their program"
                        " sends them again.",
                        classes="small",
                    )
                with Box("div", "row"):
                    Button("Accept", lambda: self._decide("accept"), "main")
                    Button("Decline", lambda: self._decide("decline"))
                    Button("Block", lambda: self._decide("block"), "danger")
        elif contact.state != "accepted":
            with Box("div", "note stack"):
                Label(f"You have {contact.state} {contact.name}. They do not learn that.")
                Button("Undo: accept", lambda: self._decide("accept"))
        if contact.trust == "changed":
            with Box("div", "error stack", role="alert"):
                Label(f"{contact.name}'s identity has changed.", "strong")
                Label(
                    "They may have replaced it after a theft or a loss, or someone has taken over the name. Nothing is"
                    " sent until you have looked at it. Compare safety numbers in another way, for example in a call."
                )
                with Box("div", "row"):
                    Button("Compare safety numbers …", self._open_trust, "main")
                    Button("Continue without comparing", lambda: self._accept_change(contact))
        if contact.disappears_after is not None:
            Label(f"Texts disappear on this device {texts.duration(contact.disappears_after)}.", classes="soft small")
        if contact.handshake is HandshakeState.OFFER_RECEIVED:
            with Box("div", "note row"):
                Label(f"{contact.name} offers a direct route.")
                Button("See the offer …", self._open_handshake)
        if contact.handshake is HandshakeState.ACTIVE and contact.direct_silent:
            Label(
                "The direct route doesn't respond: texts wait for it."
                if contact.direct_only
                else "The direct route doesn't respond: texts go through the node meanwhile.",
                classes="note",
            )

    # -- what the person does --

    async def _do(self, call: str, *arguments: Any, **keywords: Any) -> str:
        """Call the client; show an error under the composer, and return it: a dialog shows it itself."""
        try:
            await self._person.run(getattr(self._person.client, call), *arguments, **keywords)
        except Exception as error:  # noqa: BLE001 - shown, never raised into the page
            self._say(texts.problem(error))
            return texts.problem(error)
        self._composer.show(error="")
        self._person.note_change()
        return ""

    def _say(self, problem: str) -> None:
        self._composer.show(error=problem)
        self._live.say(problem)

    async def _accept_change(self, contact: ContactView) -> None:
        await self._do("set_verified", contact.name, False, identity_key=contact.identity_key)

    async def _decide(self, what: str) -> None:
        await self._do(what, self.name)

    def _keep_draft(self, text: Any) -> None:
        if isinstance(text, str) and len(text) <= 2 * TEXT_BYTES:
            self._person.drafts[self.name] = text

    async def _send(self, said: Any) -> None:
        nonce, text = (said.get("nonce"), said.get("text")) if isinstance(said, dict) else (None, None)
        if not isinstance(nonce, str) or not isinstance(text, str):
            return
        self._person.drafts[self.name] = text
        try:
            await self._person.send(nonce, self.name, text)
        except TextTooLong as error:
            self._composer.show(failed=nonce, error=str(error))
        except Exception as error:  # noqa: BLE001 - shown where the text still is
            self._composer.show(failed=nonce, error=texts.problem(error))
        else:
            self._composer.show(done=nonce, error="")
            self._go_to_newest()

    async def _act(self, said: Any) -> None:
        kind, row = (said.get("kind"), said.get("row")) if isinstance(said, dict) else (None, None)
        message = next((each for each in self._shown if each.row == row), None)
        if message is None:
            return
        match kind:
            case "erase":
                await self._do("erase", [message])
            case "retry":
                await self._do("retry", self.name, message.message_id)
            case "cancel" if message.state is DeliveryState.WAITING:
                await self._cancel(message)
            case _:
                pass

    async def _cancel(self, message: MessageView) -> None:
        try:
            if not await self._person.run(self._person.client.cancel, message.message_id):
                self._say("This text can't be cancelled: it is being sent right now, or has been sent.")
        except Exception as error:  # noqa: BLE001 - as above
            self._say(texts.problem(error))
        self._person.note_change()

    async def _see(self, row: Any) -> None:
        if isinstance(row, int):
            self._seen = row
            await self._mark_seen()

    async def _mark_seen(self) -> None:
        if self._contact is None or self._contact.state != "accepted" or not self._seen:
            return
        theirs = [message for message in self._shown if not message.outgoing and message.row <= self._seen]
        if seen := [message for message in theirs if message.row not in self._marked]:
            self._marked.update(message.row for message in seen)
            await self._person.run(self._person.client.mark_read, seen)
            self._person.note_change()

    # -- dialogs --

    def _open_trust(self) -> None:
        if self._contact is not None:
            TrustDialog(self._contact, self._do).open()

    def _open_handshake(self) -> None:
        if self._contact is not None:
            HandshakeDialog(self._contact, self._do).open()

    def _open_keeping(self) -> None:
        if self._contact is not None:
            KeepingDialog(self._contact, self._do).open()

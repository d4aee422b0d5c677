"""The dialogs of one conversation: trust, direct route, disappearing texts, deletion."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Any

from usernym import ContactView, HandshakeState, qr
from usernym.chat import texts
from usernym.chat.elements import Box, Button, Copy, Dialog, Field, Label

Do = Callable[..., Awaitable[str]]
"""Calls the client by a method's name; returns the error in words, or an empty text."""


def picture(svg: str, label: str) -> None:
    """A QR code as an image."""
    encoded = base64.b64encode(svg.encode()).decode()
    Box("img", "qr", src=f"data:image/svg+xml;base64,{encoded}", alt=label)


class _Asking(Dialog):
    """A dialog that calls the client and shows errors itself, since it covers the rest of the page."""

    def __init__(self, label: str, do: Do) -> None:
        super().__init__(label)
        self._do = do
        with self:
            self._problem = Label("", classes="error", role="alert")
            self._problem.set_visibility(False)

    async def _ask(self, call: str, *arguments: Any, **keywords: Any) -> bool:
        problem = await self._do(call, *arguments, **keywords)
        if not problem:
            self.close()
        elif not self.is_deleted:
            self._problem.set_text(problem)
            self._problem.set_visibility(True)
        return not problem


class TrustDialog(_Asking):
    """Safety numbers: shown, compared, and what follows from it."""

    def __init__(self, contact: ContactView, do: Do) -> None:
        super().__init__(f"Is this {contact.name}?", do)
        self._contact = contact
        with self:
            Label(
                {
                    "verified": f"You have verified {contact.name}: you compared safety numbers, or used their link.",
                    "changed": f"{contact.name}'s identity has changed. Compare safety numbers again.",
                }.get(
                    contact.trust,
                    f"The node says that this is {contact.name}'s key. To be sure that the node is honest, compare this"
                    " number in another way: side by side, or in a call.",
                )
            )
            with Box("div", "digits", role="group", aria_label="Safety number"):
                for group in contact.safety_number.split():
                    Label(group, "span")
            picture(qr.svg(contact.safety_number.replace(" ", "")), "The safety number as a QR code")
            Copy("Copy the number", contact.safety_number)
            self._seen = Field("What do they see? Type or paste it here", self._compare, hint="Sixty digits")
            with Box("div", "row"):
                Button("Compare", self._compare)
                Button("I have compared: they are the same", lambda: self._decide(True), "main")
                if contact.trust == "verified":
                    Button("Remove verification", lambda: self._decide(False))
                elif contact.trust == "changed":
                    Button("Continue without comparing", lambda: self._decide(False))

    async def _compare(self) -> None:
        typed = "".join(self._seen.value.split())
        if typed == self._contact.safety_number.replace(" ", ""):
            await self._decide(True)
        else:
            self._seen.say(
                error="This is another number. If you both read it correctly, someone is between you: do not write."
            )

    async def _decide(self, verified: bool) -> None:
        contact = self._contact
        await self._ask("set_verified", contact.name, verified, identity_key=contact.identity_key)


class HandshakeDialog(_Asking):
    """The direct route: what it reveals to whom, and its steps."""

    def __init__(self, contact: ContactView, do: Do) -> None:
        super().__init__(f"Direct route with {contact.name}", do)
        self._name = contact.name
        warning = texts.ADDRESS_WARNING.format(name=contact.name)
        with self:
            match contact.handshake:
                case HandshakeState.OFFER_RECEIVED:
                    Label(f"{contact.name} has shown you their Nym address, and asks for yours.")
                    Label(warning, classes="note")
                    _warn_of_node(contact)
                    self._buttons(
                        ("Accept, and show my address", "accept_handshake", "main"), ("Decline", "revoke_handshake", "")
                    )
                case HandshakeState.OFFERED:
                    Label(f"You have offered a direct route; {contact.name} has not answered yet.")
                    self._buttons(("Withdraw the offer", "revoke_handshake", ""))
                case HandshakeState.ACTIVE:
                    Label(f"You and {contact.name} write directly. The node does not see it.")
                    self._policy(contact)
                    self._buttons(("End the direct route", "revoke_handshake", "danger"))
                case _:
                    Label(
                        "You write through the node. It sees who writes to whom and when, but not what you write or"
                        " where you are."
                    )
                    Label(warning, classes="note")
                    _warn_of_node(contact)
                    self._buttons(("Show my address, and ask for theirs", "offer_handshake", "main"))

    def _policy(self, contact: ContactView) -> None:
        now, other = (
            ("When the direct route doesn't respond, texts wait.", "Then use the node")
            if contact.direct_only
            else ("When the direct route doesn't respond, texts go through the node.", "Then wait: never use the node")
        )
        Label(now)
        Button(other, lambda: self._ask("set_direct_only", self._name, not contact.direct_only))

    def _buttons(self, *steps: tuple[str, str, str]) -> None:
        with Box("div", "row"):
            for label, call, classes in steps:
                Button(label, self._step(call), classes)

    def _step(self, call: str) -> Callable[[], Awaitable[Any]]:
        async def take() -> None:
            await self._ask(call, self._name)

        return take


def _warn_of_node(contact: ContactView) -> None:
    """Warn that the node may read the address, where only the node confirms the key."""
    if contact.trust != "verified":
        Label(
            f"{contact.name} is not verified: only the node confirms this key. A dishonest node could have replaced it"
            " with its own key, and would read your address. Compare safety numbers first.",
            classes="error",
        )


class KeepingDialog(_Asking):
    """When texts of a conversation disappear on this device, and deleting all of them."""

    def __init__(self, contact: ContactView, do: Do) -> None:
        super().__init__(f"Texts with {contact.name} on this device", do)
        self._name, self._chosen = contact.name, contact.disappears_after
        with self:
            Label(
                "Texts can be deleted on this device after some time: theirs counted from when they were shown to you,"
                f" yours from when you wrote them. {contact.name}'s own copy always stays."
            )
            with Box("fieldset", "stack"):
                Label("Texts disappear on this device", "legend")
                for seconds, label in texts.DURATIONS:
                    with Box("label", "choice"):
                        checked = {"checked": "checked"} if contact.disappears_after == seconds else {}
                        radio = Box("input", type="radio", name=f"vanish-{contact.name}", **checked)
                        radio.on("change", lambda _, chosen=seconds: self._choose(chosen), args=[])
                        Label(label, "span")
                Label("Older texts are deleted at once, permanently.", classes="small")
                Button("Apply", self._apply, "main")
            with Box("details"):
                Label("Delete all texts now", "summary")
                Label("Texts that are still waiting are not sent.")
                Button("Delete all texts", self._forget, "danger")

    def _choose(self, seconds: int | None) -> None:
        self._chosen = seconds  # arrow keys pass by shorter times on their way

    async def _apply(self) -> None:
        await self._ask("set_disappearing", self._name, self._chosen)

    async def _forget(self) -> None:
        await self._ask("erase_conversation", self._name)

"""What a window can ask about its user's relation to one person: consent, trust, direct route, and what stays here."""

from __future__ import annotations

import hmac
from typing import Final, assert_never

from usernym import Client, HandshakeState, RemoteProtocolError, SettingsError, qr
from usernym.chat.news import News
from usernym.chat.person import Person
from usernym.chat.problems import PageRefused
from usernym.chat.requests import (
    ConfirmVerifiedAsk,
    DecideAsk,
    DirectRouteAsk,
    GetSafetyNumberAsk,
    PersonAsk,
    SetDirectOnlyAsk,
    SetDisappearingAsk,
    SetPersonalAsk,
    UnverifyAsk,
    VerifyAsk,
)
from usernym.chat.shown import trust_word
from usernym.chat.windows import Windows
from usernym.chat.wire import AnswerWire, DoneWire, SafetyNumberWire, TextsGoneWire
from usernym.protocol.safety import number_code, parse_number

_OPEN: Final = (HandshakeState.OFFERED, HandshakeState.OFFER_RECEIVED, HandshakeState.ACTIVE)


class Relation:
    """Answers for all windows."""

    def __init__(self, person: Person, windows: Windows, news: News) -> None:
        self._person = person
        self._windows = windows
        self._news = news

    async def answer(self, ask: PersonAsk) -> AnswerWire:
        """Carry it out."""
        client, run = self._person.client, self._person.run
        match ask:
            case GetSafetyNumberAsk():
                return await run(_safety_number, client, ask)
            case DecideAsk():
                await self._decide(client, ask)
            case SetPersonalAsk():
                nickname = None if ask.nickname is None else " ".join(ask.nickname.split())
                await run(
                    client.contact_list.set, ask.name, nickname=nickname, is_muted=ask.muted, is_pinned=ask.pinned,
                    is_archived=ask.archived,
                )  # fmt: skip
            case SetDisappearingAsk():
                try:
                    await run(client.set_disappearing, ask.name, ask.seconds)
                except SettingsError:
                    raise PageRefused("duration_out_of_range") from None
            case VerifyAsk():
                await run(self._verify, client, ask)
            case ConfirmVerifiedAsk():
                if (ask.name, ask.identity_key) in self._person.differed and not ask.although_differed:
                    raise PageRefused("numbers_differed")
                await run(client.set_verified, ask.name, True, identity_key=ask.identity_key)
            case UnverifyAsk():
                await run(client.set_verified, ask.name, False, identity_key=ask.identity_key)
            case DirectRouteAsk():
                step = {
                    "offer": client.offer_handshake,
                    "accept": client.accept_handshake,
                    "end": client.revoke_handshake,
                }[ask.step]
                await run(step, ask.name)
            case SetDirectOnlyAsk():
                await run(client.set_direct_only, ask.name, ask.direct_only)
            case _:
                assert_never(ask)
        self._news.note_contact(ask.name)
        return DoneWire(id=ask.id)

    async def _decide(self, client: Client, ask: DecideAsk) -> None:
        run = self._person.run
        match ask.decision:
            case "accept":
                await run(client.accept, ask.name)
            case "decline":
                await run(client.decline, ask.name)
            case "block":
                await run(client.block, ask.name)
            case "remove":
                await run(_remove, client, ask.name)
                self._windows.tell(TextsGoneWire(name=ask.name, rows=None), only_open=ask.name)
            case _:
                assert_never(ask.decision)

    def _verify(self, client: Client, ask: VerifyAsk) -> None:
        contact = client.contact(ask.name)
        try:
            seen = parse_number(ask.seen)
        except RemoteProtocolError:
            raise PageRefused("not_a_number") from None
        # The number of the identity that is known now; the decision below is refused if the user saw another.
        if not hmac.compare_digest(seen, "".join(contact.safety_number.split())):
            self._person.differed.add((contact.name, contact.identity_key))
            raise PageRefused("numbers_differ")
        client.set_verified(contact.name, True, identity_key=ask.identity_key)
        self._person.differed.discard((contact.name, contact.identity_key))


def _safety_number(client: Client, ask: GetSafetyNumberAsk) -> SafetyNumberWire:
    contact = client.contact(ask.name)
    number = contact.safety_number
    return SafetyNumberWire(
        id=ask.id,
        name=contact.name,
        number=number,
        qr=qr.rows(number_code(number)),
        identity_key=contact.identity_key,
        trust=trust_word(contact.trust),  # type: ignore[arg-type]  # one of three
    )


def _remove(client: Client, name: str) -> None:
    """End what there is with a person: the direct route, the texts, what this device knows. What they write later is
    not shown."""
    if client.contact(name).handshake in _OPEN:
        client.revoke_handshake(name)
    client.decline(name)
    client.erase_conversation(name)
    client.contact_list.set(name, nickname="", is_muted=False, is_pinned=False, is_archived=False)
    client.contact_list.set_draft(name, "")

"""Strangers decide how many requests there are, and how long their texts: lists come in pages that always fit."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from usernym import Consent, control
from usernym.cli.people import PEOPLE_MAX, ContactsCommand, RequestsCommand, RequestsReply
from usernym.client import Client
from usernym.protocol.limits import TEXT_BYTES_MAX
from usernym.storage.client.store import ClientStore
from usernym.storage.client.types import Route, Trust


class StoreClient(Client):
    """A client's handle on a store alone: no actors, no mixnet."""

    def __init__(self, store: ClientStore) -> None:
        self.store = store
        self.conversations = 0
        running: Any = self
        super().__init__(running)
        self.user = None

    def read(self, call: Any) -> Any:
        return call(self.store)

    def conversation(self, *arguments: Any, **options: Any) -> Any:
        self.conversations += 1
        return super().conversation(*arguments, **options)


def strangers(count: int, text: str = "may I?", consent: Consent = Consent.PENDING) -> StoreClient:
    store = ClientStore.open_plain()
    with store.transaction():
        for number in range(count):
            name = f"stranger_{number:04d}"
            store.contacts.add(name, bytes([7]) * 32, b"record", Trust.CONFIRMED, consent)
            store.messages.add_incoming(
                contact=name, message_id=number.to_bytes(16, "big"), key_number=1, counter=1, kind=1,
                body=text.encode(), token=None, sent_at=1, now=1, route=Route.NODE,
            )  # fmt: skip
    return StoreClient(store)


def pages(client: Client, limit: int, *, declined: bool = False) -> list[RequestsReply]:
    after, found = "", []
    while True:
        page = RequestsCommand(declined, limit, after).perform(client, None)  # type: ignore[arg-type]  # not waited for
        found.append(page)
        assert len(control.encode(msgspec.to_builtins(page))) <= control.LINE_BYTES_MAX
        if not page.more:
            return found
        after = page.requests[-1].contact.name


@pytest.mark.parametrize("text", ["may I?", "\x07" * TEXT_BYTES_MAX])
def test_every_request_is_on_one_page_and_every_page_fits_one_answer(text: str) -> None:
    found = pages(strangers(45, text), 20)
    names = [request.contact.name for page in found for request in page.requests]
    assert names == [f"stranger_{number:04d}" for number in range(45)]
    assert len(found) >= 3
    assert all(page.requests for page in found)


def test_those_who_were_declined_come_in_pages_too() -> None:
    client = strangers(25, consent=Consent.DECLINED)
    assert [len(page.requests) for page in pages(client, 10, declined=True)] == [10, 10, 5]
    assert [len(page.requests) for page in pages(client, 10)] == [0]


def test_contacts_come_in_pages() -> None:
    client = strangers(PEOPLE_MAX + 3, consent=Consent.ACCEPTED)
    first = ContactsCommand(10 * PEOPLE_MAX, "").perform(client, None)  # type: ignore[arg-type]  # not waited for
    assert (len(first.contacts), first.more) == (PEOPLE_MAX, True)
    last = ContactsCommand(PEOPLE_MAX, first.contacts[-1].name).perform(client, None)  # type: ignore[arg-type]  # as above
    assert (len(last.contacts), last.more) == (3, False)


def test_the_page_reads_requests_by_the_page() -> None:
    found, after = [], None
    client = strangers(45)
    while page := client.contact_list.page([Consent.PENDING], archived=False, limit=20, after=after):
        found += [line.contact.name for line in page]
        assert len(page) <= 20
        after = page[-1].place
    assert found == [f"stranger_{number:04d}" for number in reversed(range(45))]  # the newest first
    assert client.conversations == 0  # a line reads the beginning of its newest text, and no conversation

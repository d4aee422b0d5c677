"""The main screen's server, by windows that speak its messages: lists, conversations, texts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
import usernym.chat.talk
from tests.helpers.chat_window import ServedPage, WireWindow, served
from tests.helpers.handles import Handles


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


def page_of(handles: Handles, name: str = "alice") -> Any:
    """A person's page, on a home that is registered."""
    handles.client(name, accept_strangers=False).close()
    return served(handles.home(name), mixnet=handles.mixnet.transport())


async def ready(window: WireWindow) -> None:
    await window.hears("home", screen="main")
    await window.hears("connection", state="connected")


def lines(window: WireWindow) -> list[dict[str, Any]]:
    """All lines of contacts that were pushed."""
    return [message["contact"] for message in window.told if message["type"] == "contact_changed"]


def names(answer: dict[str, Any]) -> list[str]:
    return [line["name"] for line in answer["contacts"]]


@pytest.mark.seconds
def test_a_text_goes_and_an_answer_comes(handles: Handles) -> None:
    bob = handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window, page.window() as other:
            await ready(window)
            found = await window.ask("find_person", who="bob")
            assert (found["type"], found["contact"]["name"], found["contact"]["list"]) == (
                "found_person",
                "bob",
                "contacts",
            )
            for each in (window, other):
                opened = await each.ask("open_conversation", name="bob")
                assert (opened["texts"], opened["older"], opened["newer"]) == ([], False, False)
            await window.done("send", name="bob", nonce="a", text="hello")
            text = await window.hears_text("bob", "hello", state="delivered")
            assert (text["out"], text["route"]) == (True, "node")
            assert (await other.hears("outgoing", nonce="a"))["name"] == "bob"
            await other.hears_text("bob", "hello", state="delivered")
            await asyncio.to_thread(bob.send, "alice", "and back")
            came = await other.hears_text("bob", "and back", read=False)
            await window.hears("arrived", name="bob", row=came["row"], request=False)
            await window.hears("totals", unread=1)
            line = (await window.hears("contact_changed"))["contact"]
            assert (line["name"], line["unread"], line["last"]["snippet"]) == ("bob", 1, "and back")
            await other.done("mark_read", name="bob", row=came["row"])
            await window.hears("totals", unread=0)
            listed = await window.ask("list_contacts", list="contacts")
            assert names(listed) == ["bob"]
            assert listed["contacts"][0]["unread"] == 0

    asyncio.run(play())


@pytest.mark.seconds
def test_one_press_is_one_text_however_often_it_comes(handles: Handles) -> None:
    bob = handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await asyncio.gather(*(window.done("send", name="bob", nonce="a", text="hello") for _ in range(5)))
            async with page.window(key=window.told[0]["key"]) as again:  # the same press, from a window loaded again
                await again.done("send", name="bob", nonce="a", text="hello")
            await window.done("send", name="bob", nonce="b", text="hello")
            opened = await window.ask("open_conversation", name="bob")
            assert [text["text"] for text in opened["texts"]] == ["hello", "hello"]

    asyncio.run(play())
    handles.wait_for(lambda: [text.text for text in bob.conversation("alice")] == ["hello", "hello"])


@pytest.mark.seconds
def test_texts_keep_the_order_in_which_they_were_sent(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await asyncio.gather(*(window.done("send", name="bob", nonce=f"n{n}", text=str(n)) for n in range(25)))
            opened = await window.ask("open_conversation", name="bob")
            assert [text["text"] for text in opened["texts"]] == [str(n) for n in range(25)]

    asyncio.run(play())


@pytest.mark.seconds
def test_texts_that_can_not_be_sent_are_refused(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            assert await window.refused("send", name="bob", nonce="a", text="") == "text_empty"
            assert await window.refused("send", name="bob", nonce="b", text="é" * 40_000) == "text_too_long"
            assert await window.refused("send", name="nobody", nonce="c", text="x") == "no_such_contact"
            assert await window.refused("find_person", who="nobody_there") == "no_such_user"
            assert await window.refused("find_person", who="alice") == "own_name"
            assert await window.refused("find_person", who="usernym:nothing") == "link_invalid"
            assert await window.refused("open_conversation", name="nobody") == "no_such_contact"

    asyncio.run(play())


@pytest.mark.seconds
def test_conversations_are_read_by_the_page(handles: Handles) -> None:
    handles.client("bob")
    alice = handles.client("alice")
    alice.look_up("bob")
    for number in range(45):
        alice.send("bob", f"text {number}", wait="queued")
    alice.close()

    async def play() -> None:
        async with served(handles.home("alice"), mixnet=handles.mixnet.transport()) as page, page.window() as window:
            await ready(window)
            newest = await window.ask("open_conversation", name="bob", limit=20)
            assert [text["text"] for text in newest["texts"]] == [f"text {n}" for n in range(25, 45)]
            assert (newest["older"], newest["newer"]) == (True, False)
            first = newest["texts"][0]["row"]
            older = await window.ask("more_texts", name="bob", before=first, limit=30)
            assert [text["text"] for text in older["texts"]] == [f"text {n}" for n in range(25)]
            assert (older["older"], older["newer"]) == (False, True)
            middle = older["texts"][10]["row"]
            around = await window.ask("open_conversation", name="bob", around=middle, limit=10)
            assert [text["text"] for text in around["texts"]] == [f"text {n}" for n in range(5, 15)]
            assert (around["older"], around["newer"]) == (True, True)
            after = await window.ask("more_texts", name="bob", after=around["texts"][-1]["row"], limit=200)
            assert [text["text"] for text in after["texts"]] == [f"text {n}" for n in range(15, 45)]
            assert after["newer"] is False
            assert await window.refused("more_texts", name="bob") == "not_possible_now"

    asyncio.run(play())


@pytest.mark.seconds
def test_lists_are_read_by_the_page_in_their_order(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    people = ["bob", "carol", "dave", "erin"]
    for name in people:
        handles.client(name)
    alice = handles.client("alice", accept_strangers=False)
    for name in people:
        alice.look_up(name)
    alice.send("carol", "first", wait="queued")
    alice.send("bob", "second", wait="queued")
    alice.contact_list.set("erin", is_pinned=True)
    alice.close()

    async def play() -> None:
        async with served(handles.home("alice"), mixnet=handles.mixnet.transport()) as page, page.window() as window:
            await ready(window)
            first = await window.ask("list_contacts", list="contacts", limit=3)
            assert names(first) == ["erin", "bob", "carol"]
            second = await window.ask("list_contacts", list="contacts", limit=3, after=first["next"])
            assert (names(second), second["next"]) == (["dave"], None)
            await window.done("set_personal", name="bob", archived=True, nickname=" Bobby  B ")
            line = await window.until(
                lambda: next((line for line in lines(window) if line["list"] == "archived"), None)
            )
            assert (line["name"], line["nickname"]) == ("bob", "Bobby B")
            await window.hears("totals", archived=1)
            assert names(await window.ask("list_contacts", list="archived")) == ["bob"]
            assert names(await window.ask("list_contacts", list="contacts")) == ["erin", "carol", "dave"]
            assert await window.refused("list_contacts", list="contacts", after="garbage") == "settings"
            await window.done("decide", name="dave", decision="block")
            assert names(await window.ask("list_contacts", list="refused")) == ["dave"]
            found = await window.ask("search", words="bobby")
            assert (names(found), found["texts"]) == (["bob"], [])
            texts = await window.ask("search", words="FIRST")
            assert [(text["name"], text["snippet"]) for text in texts["texts"]] == [("carol", "first")]
            monkeypatch.setattr(usernym.chat.talk, "SEARCHED_TEXTS", 1)
            part = await window.ask("search", words="FIRST")
            assert (part["texts"], part["next"] is None) == ([], False), "a part of the texts, and where to continue"
            part = await window.ask("search", words="FIRST", after=part["next"])
            assert [text["snippet"] for text in part["texts"]] == ["first"]

    asyncio.run(play())


@pytest.mark.seconds
def test_a_message_brings_a_conversation_out_of_the_archive_unless_it_is_muted(handles: Handles) -> None:
    bob, carol = handles.client("bob"), handles.client("carol")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            for name in ("bob", "carol"):
                await window.ask("find_person", who=name)
                await window.done("set_personal", name=name, archived=True, muted=name == "carol")
            await asyncio.to_thread(bob.send, "alice", "hi", wait="delivered")
            await asyncio.to_thread(carol.send, "alice", "hi", wait="delivered")
            assert (await window.hears("arrived", name="carol"))["muted"] is True
            assert names(await window.ask("list_contacts", list="contacts")) == ["bob"]
            assert names(await window.ask("list_contacts", list="archived")) == ["carol"]
            await window.hears("totals", unread=1)

    asyncio.run(play())


@pytest.mark.seconds
def test_a_deletion_can_be_taken_back_and_is_carried_out_at_the_end(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await window.ask("open_conversation", name="bob")
            for text in ("one", "two"):
                await window.done("send", name="bob", nonce=text, text=text)
            row = (await window.hears_text("bob", "one"))["row"]
            deleting = await window.ask("delete", name="bob", rows=[row])
            await window.hears("texts_gone", name="bob", rows=[row])
            opened = await window.ask("open_conversation", name="bob")
            assert [text["text"] for text in opened["texts"]] == ["two"]
            await window.done("undo", undo=deleting["undo"])
            opened = await window.ask("open_conversation", name="bob")
            assert [text["text"] for text in opened["texts"]] == ["one", "two"]
            assert await window.refused("undo", undo=deleting["undo"]) == "undo_over"
            await window.ask("delete", name="bob", rows=None)

    asyncio.run(play())
    with usernym.Client.open(handles.home("alice"), mixnet=handles.mixnet.transport()) as alice:
        assert alice.conversation("bob") == []


@pytest.mark.seconds
@pytest.mark.parametrize("all_texts", [False, True])
def test_a_deleted_text_that_waits_does_not_leave_while_it_can_be_taken_back(handles: Handles, all_texts: bool) -> None:
    handles.client("bob")

    async def get_to_know() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")

    async def play() -> None:
        async with served(handles.home("alice"), mixnet=handles.mixnet.transport()) as page, page.window() as window:
            await window.hears("home", screen="main")  # and never connected: nothing is on its way
            await window.ask("open_conversation", name="bob")
            for text in ("stays", "deleted"):
                await window.done("send", name="bob", nonce=text, text=text)
            row = (await window.hears_text("bob", "deleted"))["row"]
            deleting = await window.ask("delete", name="bob", rows=None if all_texts else [row])
            await window.done("undo", undo=deleting["undo"])
            opened = await window.ask("open_conversation", name="bob")
            states = [(text["text"], text["state"]) for text in opened["texts"]]
            assert states == [("stays", "cancelled" if all_texts else "waiting"), ("deleted", "cancelled")]

    asyncio.run(get_to_know())
    handles.node.close()
    asyncio.run(play())


@pytest.mark.seconds
def test_drafts_survive_a_restart_and_become_texts(handles: Handles) -> None:
    handles.client("bob")

    async def write() -> None:
        async with page_of(handles) as page, page.window() as window, page.window() as other:
            await ready(window)
            await window.ask("find_person", who="bob")
            await other.ask("open_conversation", name="bob")
            await window.done("save_draft", name="bob", text="half a sen")
            assert (await other.hears("draft_changed"))["text"] == "half a sen"

    async def go_on() -> None:
        async with served(handles.home("alice"), mixnet=handles.mixnet.transport()) as page, page.window() as window:
            await ready(window)
            opened = await window.ask("open_conversation", name="bob")
            assert (opened["draft"], opened["contact"]["has_draft"]) == ("half a sen", True)
            await window.done("send", name="bob", nonce="a", text="half a sen")
            opened = await window.ask("open_conversation", name="bob")
            assert (opened["draft"], opened["contact"]["has_draft"]) == ("", False)

    asyncio.run(write())
    asyncio.run(go_on())


@pytest.mark.seconds
def test_requests_are_decided(handles: Handles) -> None:
    bob = handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await asyncio.to_thread(bob.send, "alice", "let me in")
            await window.hears("totals", requests=1, unread=0)
            assert (await window.hears("arrived", name="bob"))["request"] is True
            listed = await window.ask("list_contacts", list="requests")
            assert [(line["name"], line["last"]["snippet"]) for line in listed["contacts"]] == [("bob", "let me in")]
            row = listed["contacts"][0]["last"]["row"]
            assert await window.refused("mark_read", name="bob", row=row) == "not_possible_now"
            for decision, where in (
                ("decline", "refused"),
                ("accept", "contacts"),
                ("block", "refused"),
                ("accept", "contacts"),
            ):
                await window.done("decide", name="bob", decision=decision)
                assert names(await window.ask("list_contacts", list=where)) == ["bob"]
            await window.done("set_personal", name="bob", nickname="B")
            await window.done("decide", name="bob", decision="remove")
            opened = await window.ask("open_conversation", name="bob")
            assert (opened["texts"], opened["contact"]["state"], opened["contact"]["nickname"]) == ([], "declined", "")

    asyncio.run(play())


@pytest.mark.seconds
def test_a_waiting_text_is_cancelled_and_sent_again(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await window.ask("open_conversation", name="bob")
            await asyncio.to_thread(handles.node.close)
            await window.done("send", name="bob", nonce="a", text="wait for me")
            text = await window.hears_text("bob", "wait for me", state="waiting")
            for _ in range(100):
                answer = await window.ask("cancel", name="bob", message_id=text["message_id"])
                if answer["type"] == "done":
                    break
                assert answer["problem"]["code"] == "cancel_not_possible"  # it is being sent right now
                await asyncio.sleep(0.5)
            await window.hears_text("bob", "wait for me", state="cancelled")
            await window.done("retry", name="bob", message_id=text["message_id"])
            await window.hears("texts_gone", name="bob", rows=[text["row"]])
            again = await window.hears_text("bob", "wait for me", state="waiting")
            assert again["row"] > text["row"]
            assert await window.refused("retry", name="bob", message_id="00" * 16) == "no_such_text"

    asyncio.run(play())


@pytest.mark.seconds
def test_every_push_is_of_use_to_a_second_window(handles: Handles) -> None:
    """A window that comes later hears the same as one that was there."""
    handles.client("bob")

    async def play(page: ServedPage) -> None:
        async with page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            async with page.window() as later:
                await ready(later)
                await later.hears("totals", unread=0)
                assert names(await later.ask("list_contacts", list="contacts")) == ["bob"]

    async def run() -> None:
        async with page_of(handles) as page:
            await play(page)

    asyncio.run(run())


@pytest.mark.seconds
def test_a_draft_is_kept_though_its_window_closes_at_once(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page:
            async with page.window() as window:
                await ready(window)
                await window.ask("find_person", who="bob")
                for number, end in enumerate(range(1, 9)):
                    await window.say(
                        {"type": "save_draft", "id": 1_000 + number, "name": "bob", "text": "unsaved?"[:end]}
                    )
            async with page.window() as window:
                await ready(window)
                async with asyncio.timeout(10):
                    while (await window.ask("open_conversation", name="bob"))["draft"] != "unsaved?":
                        await asyncio.sleep(0.05)

    asyncio.run(play())


def test_a_window_that_comes_back_to_a_conversation_has_all_that_was_typed_there(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            for number, end in enumerate(range(1, 9)):
                await window.say({"type": "save_draft", "id": 1_000 + number, "name": "bob", "text": "unsaved?"[:end]})
            assert (await window.ask("open_conversation", name="bob"))["draft"] == "unsaved?"

    asyncio.run(play())

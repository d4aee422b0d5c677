"""The server's side of trust, direct routes, and what a user decides about a person."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chat.test_talk import page_of, ready
from tests.helpers.chat_window import WireWindow
from tests.helpers.handles import Handles


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


async def trust(window: WireWindow) -> str:
    listed = await window.ask("list_contacts", list="contacts")
    return str(listed["contacts"][0]["trust"])


@pytest.mark.seconds
def test_a_safety_number_verifies_typed_or_scanned_and_nothing_else_is_an_alarm(handles: Handles) -> None:
    bob = handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            shown = await window.ask("get_safety_number", name="bob")
            digits = "".join(shown["number"].split())
            about: dict[str, Any] = {"name": "bob", "identity_key": shown["identity_key"]}
            assert await asyncio.to_thread(lambda: bob.look_up("alice").safety_number) == shown["number"]
            assert {len(row) for row in shown["qr"]} == {len(shown["qr"])}
            for other in ("", "hello", "12345", digits[:55], digits + "1", "٣" * 60, f"usernym-safety:{digits[:59]}"):
                assert await window.refused("verify", seen=other, **about) == "not_a_number"
                assert await trust(window) == "confirmed"
            for right in (digits, shown["number"], f"usernym-safety:{digits}", f" Usernym-Safety:{digits}\n"):
                await window.done("verify", seen=right, **about)
                assert await trust(window) == "verified"
                await window.done("unverify", **about)
                assert await trust(window) == "confirmed"
            await window.done("confirm_verified", **about)
            assert await trust(window) == "verified"

    asyncio.run(play())


@pytest.mark.seconds
def test_after_another_number_one_press_does_not_verify(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window, page.window() as other:
            await ready(window)
            await window.ask("find_person", who="bob")
            shown = await window.ask("get_safety_number", name="bob")
            about = {"name": "bob", "identity_key": shown["identity_key"]}
            assert await window.refused("verify", seen="1" * 60, **about) == "numbers_differ"
            for each in (window, other):
                assert await each.refused("confirm_verified", **about) == "numbers_differed"
            assert await trust(window) == "confirmed"
            await other.done("confirm_verified", although_differed=True, **about)
            assert await trust(window) == "verified"

    asyncio.run(play())


@pytest.mark.seconds
def test_a_decision_is_about_the_identity_that_was_seen(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            shown = await window.ask("get_safety_number", name="bob")
            for kind, fields in (("verify", {"seen": shown["number"]}), ("confirm_verified", {}), ("unverify", {})):
                got = await window.refused(kind, name="bob", identity_key="00" * 32, **fields)
                assert got == "identity_moved"
            assert await trust(window) == "confirmed"

    asyncio.run(play())


@pytest.mark.seconds
def test_a_direct_route_is_offered_taken_and_ended(handles: Handles) -> None:
    bob = handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await window.ask("open_conversation", name="bob")
            await window.done("send", name="bob", nonce="a", text="hi")
            await window.hears_text("bob", "hi", state="delivered")
            await window.done("direct_route", name="bob", step="offer")

            def route() -> str:
                lines = [each["contact"] for each in window.told if each["type"] == "contact_changed"]
                return str(lines[-1]["route"])

            await window.until(lambda: route() == "offered")
            await asyncio.to_thread(handles.wait_for, lambda: bob.contact("alice").handshake == "offer received")
            await asyncio.to_thread(bob.accept_handshake, "alice")
            await window.until(lambda: route() == "active")
            await window.done("set_direct_only", name="bob", direct_only=True)
            await window.done("direct_route", name="bob", step="end")
            await window.until(lambda: route() == "ended_by_me")
            assert await window.refused("direct_route", name="bob", step="accept") == "route_not_possible"

    asyncio.run(play())


@pytest.mark.seconds
def test_texts_disappear_after_a_time_that_is_in_bounds(handles: Handles) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            await window.done("set_disappearing", name="bob", seconds=3600)
            listed = await window.ask("list_contacts", list="contacts")
            assert listed["contacts"][0]["disappears_after"] == 3600
            for seconds in (1, 59, 367 * 86_400, 2**53 - 1):
                assert await window.refused("set_disappearing", name="bob", seconds=seconds) == "duration_out_of_range"
            await window.done("set_disappearing", name="bob", seconds=None)

    asyncio.run(play())


@pytest.mark.seconds
def test_the_account_tells_about_itself_and_keeps_one_rule_for_passphrases(handles: Handles, tmp_path: Path) -> None:
    handles.client("bob")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            about = await window.ask("get_about")
            assert (about["name"], about["protected"], about["emulated"]) == ("alice", False, False)
            assert Path(about["backup_folder"]).is_absolute()
            link = await window.ask("get_link")
            assert link["link"].startswith("usernym:")
            folder = str(tmp_path / "backup")
            for short in ("", "1234567"):
                answer = await window.ask("export_backup", folder=folder, passphrase=short)
                assert answer["problem"] == {"code": "passphrase_weak", "data": {"least": 8, "different": 4}}
                assert await window.refused("change_passphrase", old=None, new=short) == "passphrase_weak"
            for place in ("", "here", "../x", "a\0b", "~nobody_of_this_name/x"):
                got = await window.refused("export_backup", folder=place, passphrase="long enough")
                assert got == "not_absolute"
            written = await window.ask("export_backup", folder=folder, passphrase="long enough")
            assert written["folder"] == folder
            assert await window.refused("export_backup", folder=folder, passphrase="long enough") == "exists"
            assert await window.refused("import_backup", folder=folder, passphrase="another one") == "passphrase_wrong"
            elsewhere = str(tmp_path / "none")
            assert await window.refused("import_backup", folder=elsewhere, passphrase="another one") == "not_a_backup"
            read = await window.ask("import_backup", folder=folder, passphrase="long enough")
            assert (read["contacts"], read["texts"]) == (0, 0)
            await window.hears("lists_changed")
            await window.done("change_passphrase", old=None, new="a longer one")
            assert (await window.ask("get_about"))["protected"] is True
            assert await window.refused("change_passphrase", old="wrong one", new="a longer one") == "passphrase_wrong"
            assert await window.refused("replace_identity", words="a b c") == "words_invalid"
            assert await window.refused("delete_account", name="someone") == "own_name_differs"
            gone = await window.ask("delete_account", name="alice")
            assert gone["until"] > 1_700_000_000
            await window.hears("home", screen="main", deleted=True)
            await window.hears("connection", state="offline")
            assert names_of(await window.ask("list_contacts", list="contacts")) == ["bob"]

    asyncio.run(play())


def names_of(answer: dict[str, Any]) -> list[str]:
    return [line["name"] for line in answer["contacts"]]

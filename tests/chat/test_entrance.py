"""The server's side of the first run, of a locked home, and of what was begun and not finished."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import usernym
from tests.helpers.browser_people import BrowserWorld
from tests.helpers.chat_window import ServedPage, WireWindow, served

pytestmark = [pytest.mark.processes]

PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserWorld]:
    with BrowserWorld(tmp_path_factory.mktemp("entrance")) as world:
        yield world


def test_from_nothing_to_a_name_with_every_way_back(world: BrowserWorld, tmp_path: Path) -> None:
    name, mixnet = world.name("alice"), world.mixnet()

    async def choose(window: WireWindow) -> None:
        await window.hears("home", screen="network", can_change_network=True, emulated=False)
        card = world.card
        for wrong, code in (
            ({"node_card": "garbage", "mixnet": mixnet}, "card_invalid"),
            ({"node_card": card[:-3], "mixnet": mixnet}, "card_invalid"),
            ({"node_card": card, "mixnet": "http://127.0.0.1"}, "mixnet_unknown"),
            ({"node_card": card, "mixnet": "ws://192.168.1.1:1977"}, "mixnet_unknown"),
            ({"node_card": card, "mixnet": "nym?cover=perhaps"}, "mixnet_unknown"),
            ({"node_card": card, "mixnet": "ws://127.0.0.1:9"}, "mixnet_silent"),
        ):
            assert await window.refused("set_network", **wrong) == code
        await window.done("set_network", node_card=f" {card}\n", mixnet=mixnet)
        await window.hears("home", screen="new", emulated=True)
        await window.done("forget_network")
        told = await window.hears("home", screen="network")
        assert (told["node_card"], told["mixnet"]) == (card, mixnet)  # as it was typed, for the fields
        await window.done("set_network", node_card=card, mixnet=mixnet)

    async def play() -> None:
        async with served(tmp_path / "home") as page, page.window() as window, page.window() as other:
            await choose(window)
            for wrong, code in (("al", "name_too_short"), ("1abc", "name_bad_start"), ("älice", "name_bad_character")):
                assert await window.refused("check_name", name=wrong) == code
            checked = await window.ask("check_name", name=name.upper())
            assert checked["name"] == name
            assert await window.refused("create_account", name=name, passphrase="short") == "passphrase_weak"
            assert await window.refused("show_words") == "not_possible_now"
            made = await window.ask("create_account", name=name, passphrase=PASSPHRASE)
            assert len(made["words"]) == 12
            await other.hears("home", screen="unregistered", has_words=True, name=name)
            assert (await other.ask("show_words"))["words"] == made["words"]
            assert await other.refused("create_account", name=name, passphrase=PASSPHRASE) == "elsewhere"
            assert await other.refused("list_contacts", list="contacts") == "not_possible_now"
            await window.done("start_over")
            await other.until(lambda: other.told[-2]["type"] == "home" and other.told[-2]["screen"] == "new")
            made = await window.ask("create_account", name=name, passphrase=PASSPHRASE)
            await window.done("register_name")
            for each in (window, other):
                await each.hears("home", screen="main", name=name, emulated=True, busy=False)
                await each.hears("connection", state="connected")
            assert await window.refused("show_words") == "not_possible_now"
        await unlock(made["words"])

    async def unlock(words: list[str]) -> None:
        async with served(tmp_path / "home") as page, page.window() as window:
            await window.hears("home", screen="locked", name="")
            assert await window.refused("unlock", passphrase="wrong horse") == "passphrase_wrong"
            await window.done("unlock", passphrase=PASSPHRASE)
            await window.hears("connection", state="connected")
        async with served(tmp_path / "new", node=world.card, mixnet=mixnet) as page, page.window() as window:
            await window.hears("home", screen="new", can_change_network=False)
            assert await window.refused("forget_network") == "not_possible_now"
            restore = {"name": name, "passphrase": PASSPHRASE}
            assert await window.refused("restore_account", words="one two", **restore) == "words_invalid"
            assert await window.refused("check_name", name=name) == "name_taken"
            await window.done("restore_account", words=" ".join(words).upper(), **restore)
            await window.hears("home", screen="main", name=name)

    asyncio.run(play())


def test_an_account_that_was_begun_and_lost_its_words_is_asked_about(world: BrowserWorld, tmp_path: Path) -> None:
    name, where = world.name("bob"), {"node": world.card, "mixnet": world.mixnet()}

    async def begin(page: ServedPage) -> None:
        async with page.window() as window:
            await window.hears("home", screen="new")
            await window.ask("create_account", name=name, passphrase=None)

    async def play() -> None:
        async with served(tmp_path / "home", **where) as page:
            await begin(page)
        async with served(tmp_path / "home", **where) as page, page.window() as window:
            await window.hears("home", screen="unregistered", has_words=False, name=name)
            assert await window.refused("show_words") == "not_possible_now"
            await window.done("register_name")
            await window.hears("home", screen="main")
            await window.done("start_over")  # too late: nothing happens
            assert (await window.ask("get_about"))["name"] == name

    asyncio.run(play())
    with usernym.Client.open(tmp_path / "home") as client:
        assert client.whoami().registered


def test_a_name_that_was_taken_meanwhile_is_refused_and_another_can_be_chosen(
    world: BrowserWorld, tmp_path: Path
) -> None:
    name = world.name("carol")

    async def play() -> None:
        where = {"node": world.card, "mixnet": world.mixnet()}
        async with served(tmp_path / "home", **where) as page, page.window() as window:
            await window.ask("create_account", name=name, passphrase=None)
            await asyncio.to_thread(world.register, name)
            assert await window.refused("register_name") == "name_taken"
            await window.hears("home", screen="unregistered", busy=False)
            await window.done("start_over")
            await window.hears("home", screen="new")

    asyncio.run(play())

"""Windows that send what no page of ours would: garbage to every listener, with a key and without. Nothing breaks.

A failure prints the seed that brings it back (`CHAT_SEED`).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import pytest
import socketio

from tests.helpers.browser_people import People, chooser

pytestmark = [pytest.mark.browser, pytest.mark.processes]

ROUNDS: Final = 300
"""Events sent by each window; some hundreds reach every listener many times."""
_CLIENT: Final = re.compile(r"""['"]client_id['"]: ?['"]([0-9a-f-]{36})""")

_OURS: Final = re.compile(r"^ +\S*chat/\w+\.py:\d+ in|could not be drawn", re.MULTILINE)
"""A frame of ours in the log of an exception, or an exception that a screen caught."""


class Window:
    """A window without a page: NiceGUI's protocol, spoken by hand."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._socket = socketio.AsyncClient(reconnection=False)
        self._socket.on("update", self._on_update)
        self.listeners: dict[tuple[int, str], str] = {}
        self.shown = ""
        self._client = ""

    def _on_update(self, elements: dict[str, Any]) -> None:
        self.shown += json.dumps(elements)
        for number, element in elements.items():
            for listener in (element or {}).get("events", []) if isinstance(element, dict) else []:
                self.listeners[int(number), listener["listener_id"]] = listener["type"]

    async def open(self) -> None:
        """Load the page, and connect."""

        def load() -> str:
            with urllib.request.urlopen(f"http://{self._host}/", timeout=20) as answer:
                return str(answer.read().decode())

        page = await asyncio.to_thread(load)
        found = _CLIENT.search(page)
        assert found is not None, "the page's own id"
        self._client = found[1]
        elements = re.search(r"String\.raw`(.*?)`", page, re.DOTALL)
        assert elements is not None
        plain = elements[1].replace("&#36;", "$").replace("&#96;", "`").replace("&gt;", ">").replace("&lt;", "<")
        self._on_update({k: v for k, v in json.loads(plain.replace("&amp;", "&")).items() if k.isdecimal()})
        query = f"client_id={self._client}&tab_id=t&document_id=d&next_message_id=0&implicit_handshake=true"
        await self._socket.connect(
            f"http://{self._host}/?{query}",
            headers={"Origin": f"http://{self._host}"},
            transports=["websocket"],
            socketio_path="/_nicegui_ws/socket.io",
        )

    async def say(self, number: int, listener: str, arguments: list[Any]) -> None:
        """Send an event to a listener."""
        await self.send("event", id=number, listener_id=listener, args=[json.dumps(each) for each in arguments])

    async def send(self, kind: str, **content: Any) -> None:
        """Send anything."""
        await self._socket.emit(kind, {"client_id": self._client} | content)

    async def offer(self, key: str) -> None:
        """Show the browser's key, as the page does."""
        (number, listener), *_ = [found for found, kind in self.listeners.items() if kind == "offer"]
        await self.say(number, listener, [{"token": "", "key": key}])

    async def close(self) -> None:
        """Go."""
        await self._socket.disconnect()


def anything(chance: random.Random, depth: int = 0) -> Any:
    """Some JSON value."""
    kind = chance.randrange(9 if depth < 3 else 6)
    match kind:
        case 0:
            return chance.choice([None, True, False])
        case 1:
            return chance.choice([0, -1, 1, 2**31, 2**63, 2**70, -(2**70), 1e308, 0.5])
        case 2 | 3:
            return chance.choice(
                ["", "retry", "cancel", "erase", "next", "bob", "../x", "a/1", "a/" + "9" * 30, "\0", "\ud800"]
            )
        case 4:
            return "x" * chance.choice([1, 100, 70_000, 200_000])
        case 5:
            return chance.choice(["usernym:bob/aaaa", "{{7*7}}", "<script>", "\u202e", "é" * 40])
        case 6:
            return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            keys = ("nonce", "text", "kind", "row", "id", "token", "key", "x")
            return {chance.choice(keys): anything(chance, depth + 1) for _ in range(chance.randrange(5))}


async def rage(window: Window, chance: random.Random) -> None:
    """Send garbage to all that listens, and messages of other kinds."""
    for _ in range(ROUNDS):
        listeners = list(window.listeners)
        roll = chance.random()
        with contextlib.suppress(UnicodeEncodeError):
            if listeners and roll < 0.9:
                number, listener = chance.choice(listeners)
                await window.say(number, listener, [anything(chance) for _ in range(chance.randrange(3))])
            elif roll < 0.95:
                kind = chance.choice(["event", "javascript_response", "ack", "log", "handshake", "nothing"])
                await window.send(kind, id=anything(chance), level="error", message="a secret message")
            else:
                await window.say(chance.randrange(10_000), "no-listener", [anything(chance)])
        await asyncio.sleep(0)


@pytest.mark.parametrize("admitted", [False, True])
def test_garbage_from_a_window_breaks_nothing(people: People, admitted: bool) -> None:
    chance, again = chooser("garbage from a window")
    alice, bob = people.pair()
    alice.write("a text of before")
    alice.expect_state("a text of before", "delivered")
    key = alice.page.evaluate("localStorage.getItem('usernym-key')") if admitted else ""

    async def attack() -> str:
        shown = ""
        for _ in range(3):
            window = Window(alice.host)
            await window.open()
            if admitted:
                await window.offer(key)
                await asyncio.sleep(1.0)
            with contextlib.suppress(socketio.exceptions.SocketIOError):
                await rage(window, chance)
            await asyncio.sleep(0.5)
            shown += window.shown
            await window.close()
        return shown

    try:
        with ThreadPoolExecutor(1) as pool:  # Playwright's own event loop runs in this thread
            shown = pool.submit(lambda: asyncio.run(asyncio.wait_for(attack(), 120))).result()
        assert ("a text of before" in shown or bob.home in shown) is admitted
        log = alice.log.read_text()
        assert "a secret message" not in log
        assert not _OURS.search(log), "what is no page's is refused without an exception of ours"
        alice.page.reload()
        alice.wait_online()
        if not admitted:  # who is may have blocked anyone, or deleted anything
            alice.turn_to(bob.home)
            alice.write("a text of afterwards")
            alice.expect_state("a text of afterwards", "delivered")
            bob.expect_text("a text of afterwards")
    except BaseException:
        sys.stdout.write(f"\n{again}\n")
        raise

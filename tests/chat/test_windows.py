"""What windows can't do: without a key, with garbage, too many of them, too slowly. And how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.chat.test_talk import page_of, ready
from tests.helpers.browser_people import chooser
from tests.helpers.chat_window import WireWindow
from tests.helpers.handles import Handles
from usernym.chat import windows
from usernym.chat.requests import FRAME_BYTES_MAX, FromWindow, read
from usernym.chat.wire import PROBLEMS, wire_name

ASKS = [kind for kind in get_args(FromWindow) if kind.__name__ != "HelloAsk"]


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


@pytest.mark.seconds
def test_only_a_token_that_was_not_used_or_its_key_admits(handles: Handles) -> None:
    async def play() -> None:
        async with page_of(handles) as page:
            token = page.keys.new_token()
            async with page.window(token=token) as window:
                await ready(window)
                key = window.told[0]["key"]
                for hello in ({}, {"token": token}, {"key": "x" * 43}, {"token": "", "key": token}, {"token": "é"}):
                    async with WireWindow(page.host, **hello) as stranger:
                        assert await stranger.is_closed() == 4403
                        assert [told["type"] for told in stranger.told] == ["not_admitted"]
                async with page.window(key=key) as again:
                    await ready(again)
                    assert again.told[0]["key"] == key

    asyncio.run(play())


@pytest.mark.seconds
def test_before_hello_nothing_is_answered(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "HELLO_S", 0.5)

    async def play() -> None:
        async with page_of(handles) as page:
            for first in (
                '{"type": "get_link", "id": 1}',
                "garbage",
                b"\xff\xfe",
                "[" * 100_000,
                '{"type": "hello", "x": 1}',
            ):
                async with connect(f"ws://{page.host}/wire", origin=f"http://{page.host}") as socket:  # type: ignore[arg-type]  # a NewType of str
                    await socket.send(first)
                    with contextlib.suppress(Exception):
                        assert await socket.recv() == "nothing"
                    await socket.wait_closed()
                    assert socket.close_code == 1008
            async with connect(f"ws://{page.host}/wire", origin=f"http://{page.host}") as silent:  # type: ignore[arg-type]  # a NewType of str
                await asyncio.wait_for(silent.wait_closed(), 10)
                assert silent.close_code == 1008

    asyncio.run(play())


@pytest.mark.seconds
def test_another_page_gets_no_websocket(handles: Handles) -> None:
    async def play() -> None:
        async with page_of(handles) as page:
            for origin in ("http://evil.example", "null", "http://127.0.0.1", None):
                with pytest.raises(InvalidStatus):
                    await connect(f"ws://{page.host}/wire", origin=origin)  # type: ignore[arg-type]  # a NewType of str

    asyncio.run(play())


NO_MESSAGES: list[str | bytes] = [
    "", "null", "[]", "{}", '{"type": 1}', '{"type": "hello"}', '{"type": "send"}', b"\xff", "[" * 100_000,
    '{"type": "get_link", "id": -1}', '{"type": "get_link", "id": 1e400}', '{"type": "get_link", "id": "1"}',
    '{"type": "get_link", "id": 1, "more": 2}', '{"type": "verify", "id": 1, "name": "bob", "seen": 7}',
    '{"type": "list_contacts", "id": 1, "list": "all"}',
    '{"type": "list_contacts", "id": 1, "list": "contacts", "limit": 0}',
    '{"type": "list_contacts", "id": 1, "list": "contacts", "limit": 100000}',
    '{"type": "send", "id": 1, "name": "b", "nonce": "", "text": "x"}',
    '{"type": "send", "id": 1, "name": "b", "nonce": "n", "text": "\\ud800"}',
    '{"type": "find_person", "id": 1, "who": "' + "x" * 5_000 + '"}',
    '{"type": "delete", "id": 1, "name": "b", "rows": [' + "1," * 1_000 + "1]}",
    '{"type": "send", "id": 1, "name": "b", "nonce": "n", "text": "' + "x" * 200_000 + '"}',
    "x" * (FRAME_BYTES_MAX + 1),
]  # fmt: skip


@pytest.mark.seconds
def test_a_frame_that_is_no_message_ends_its_window_and_no_other(handles: Handles) -> None:
    async def play() -> None:
        async with page_of(handles) as page, page.window() as bystander:
            await ready(bystander)
            for frame in NO_MESSAGES:
                async with page.window() as window:
                    await ready(window)
                    await window.say(frame)
                    assert await window.is_closed() in (1008, 1009), frame[:80]
                    assert window.answers == {}, frame[:80]
                assert (await bystander.ask("get_link"))["link"].startswith("usernym:alice"), frame[:80]

    asyncio.run(play())


def anything(chance: random.Random, kind: Any, depth: int = 0) -> Any:
    """A value of a type, or near it."""
    texts = [
        "",
        "bob",
        "alice",
        "../x",
        "\0",
        "a" * 64,
        "00" * 16,
        "00" * 32,
        "usernym:x",
        "é",
        "1" * 60,
        '[true,1,"a"]',
    ]
    if isinstance(kind, msgspec.inspect.IntType):
        return chance.choice([0, 1, 2, 60, 2**31, 2**53 - 1])
    if isinstance(kind, msgspec.inspect.StrType):
        return chance.choice(texts)
    if isinstance(kind, msgspec.inspect.BoolType):
        return chance.choice([True, False])
    if isinstance(kind, msgspec.inspect.LiteralType):
        return chance.choice(kind.values)
    if isinstance(kind, msgspec.inspect.NoneType):
        return None
    if isinstance(kind, msgspec.inspect.ListType):
        return [anything(chance, kind.item_type, depth + 1) for _ in range(chance.randrange(4))]
    assert isinstance(kind, msgspec.inspect.UnionType), kind
    return anything(chance, chance.choice(kind.types), depth + 1)


DRASTIC = {"delete_account", "replace_identity", "change_passphrase", "export_backup", "import_backup", "send"}


@pytest.mark.seconds
def test_any_request_gets_one_answer_with_a_known_code(handles: Handles, caplog: pytest.LogCaptureFixture) -> None:
    """Requests that are well formed, and make no sense: each is answered, none is a bug, and the page still works."""
    handles.client("bob")
    chance, again = chooser("any request")
    sys.stdout.write(f"{again}\n")

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await window.ask("find_person", who="bob")
            for _ in range(400):
                kind = chance.choice(ASKS)
                name = wire_name(kind.__name__)
                if name in DRASTIC or (name == "find_person"):
                    continue
                described = msgspec.inspect.type_info(kind)
                assert isinstance(described, msgspec.inspect.StructType)
                fields = {each.name: anything(chance, each.type) for each in described.fields if each.name != "id"}
                message = {"type": name, "id": 1} | fields
                try:
                    read(json.dumps(message))
                except ValueError:
                    continue
                answer = await window.ask(name, **fields)
                if answer["type"] == "failed":
                    assert answer["problem"]["code"] in PROBLEMS, (name, fields, answer)
                    assert answer["problem"]["code"] != "internal", (name, fields, answer)
            assert (await window.ask("get_link"))["link"].startswith("usernym:alice")

    asyncio.run(play())
    assert not [record for record in caplog.records if "a bug" in record.getMessage()]


@pytest.mark.seconds
def test_the_windows_are_bounded(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOWS_MAX", 3)

    async def play() -> None:
        async with page_of(handles) as page, contextlib.AsyncExitStack() as stack:
            shown = [await stack.enter_async_context(page.window()) for _ in range(3)]
            for window in shown:
                await ready(window)
            async with page.window() as fourth:
                assert await fourth.is_closed() == 4429
                assert fourth.told == []
            await shown[0].socket.close()
            await shown[0].is_closed()
            async with page.window() as fourth:
                await ready(fourth)

    asyncio.run(play())


@pytest.mark.seconds
def test_connections_without_a_key_are_bounded_and_keep_no_one_out_who_has_one(
    handles: Handles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "CALLERS_MAX", 2)
    monkeypatch.setattr(windows, "HELLO_S", 1.0)

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window, contextlib.AsyncExitStack() as stack:
            await ready(window)
            where: Any = {"uri": f"ws://{page.host}/wire", "origin": f"http://{page.host}"}
            silent = [await stack.enter_async_context(connect(**where)) for _ in range(4)]
            await asyncio.gather(*(asyncio.wait_for(each.wait_closed(), 10) for each in silent))
            assert sorted(each.close_code or 0 for each in silent) == [1008, 1008, 4429, 4429]
            async with page.window() as again:
                await ready(again)
            assert (await window.ask("get_link"))["type"] == "link"

    asyncio.run(play())


@pytest.mark.seconds
def test_a_window_has_a_bounded_number_of_requests_under_way(handles: Handles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "REQUESTS_MAX", 2)

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            await asyncio.to_thread(handles.node.close)
            asking = [asyncio.create_task(window.ask("find_person", who=f"nobody{n}")) for n in range(2)]
            await asyncio.sleep(0.2)
            assert await window.refused("get_link") == "too_many"
            for task in asking:
                task.cancel()

    asyncio.run(play())


@pytest.mark.seconds
def test_a_window_that_does_not_read_is_closed_and_its_queue_is_bounded(
    handles: Handles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "QUEUE_MAX", 5)

    async def play() -> None:
        async with page_of(handles) as page, page.window() as window:
            await ready(window)
            (shown,) = page.page.windows._shown
            for _ in range(50):  # all before the loop can write one of them
                shown.tell(page.page.news._connection())
            assert shown._waiting.qsize() == 1
            assert await window.is_closed() == 4409
            async with page.window() as again:
                await ready(again)

    asyncio.run(play())


@pytest.mark.seconds
def test_the_end_empties_all_windows(handles: Handles) -> None:
    async def play() -> None:
        async with page_of(handles) as page, page.window() as one, page.window() as other:
            await ready(one)
            await ready(other)
            page.server.should_exit = True
            for window in (one, other):
                assert await window.is_closed() == 1001
                assert window.told[-1] == {"type": "ended"}
            assert len(page.page.windows) == 0

    asyncio.run(play())

"""Each example of docs/bot-guide.md runs, against a node and an emulated mixnet, and does what the page says."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "bot-guide.md").read_text()
EXAMPLES = {
    section.partition("\n")[0]: code
    for section in GUIDE.split("\n## ")
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
}


@pytest.fixture
def handles(tmp_path: Path) -> Iterator[Handles]:
    handles = Handles(tmp_path)
    yield handles
    handles.close()


def example(title: str, function: str) -> Any:
    scope: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLES[title], "docs/bot-guide.md", "exec"), scope)
    return scope[function]


def answers(client: usernym.Client, name: str) -> list[str]:
    return sorted(message.text for message in client.conversation(name) if not message.outgoing)


def test_these_are_all_examples() -> None:
    assert GUIDE.count("```python") == len(EXAMPLES)
    bots = {"A bot with threads", "A bot with asyncio", "Files", "Once, and at least once", "Errors"}
    assert set(EXAMPLES) == {"A whole program", *bots}, "tests/usernym/test_readme.py runs the first"


@pytest.mark.seconds
def test_a_bot_with_threads(handles: Handles) -> None:
    alice, bob, stop = handles.client("alice"), handles.client("bob"), threading.Event()
    alice.send("bob", "before it runs", wait="delivered", timeout=PATIENCE_S)
    bot = threading.Thread(target=example("A bot with threads", "answer_all"), args=(bob, stop))
    bot.start()
    try:
        alice.send("bob", "while it runs", timeout=PATIENCE_S)
        wanted = ["you said: before it runs", "you said: while it runs"]
        handles.wait_for(lambda: answers(alice, "bob") == wanted)
    finally:
        stop.set()
        bot.join(PATIENCE_S)
    assert bob.unread() == []


@pytest.mark.seconds
def test_a_bot_with_asyncio(handles: Handles) -> None:
    alice = handles.client("alice")

    async def story() -> None:
        stop = asyncio.Event()
        run = example("A bot with asyncio", "answer_all")
        bot = asyncio.create_task(run(handles.home("bob"), stop, **handles.settings("bob")))
        await asyncio.to_thread(handles.wait_for, lambda: knows(alice, "bob"))
        await asyncio.to_thread(alice.send, "bob", "hello", timeout=PATIENCE_S)
        await asyncio.to_thread(handles.wait_for, lambda: answers(alice, "bob") == ["you said: hello"])
        stop.set()
        await bot

    asyncio.run(story())


@pytest.mark.seconds
def test_files(handles: Handles, tmp_path: Path) -> None:
    alice, bob, stop = handles.client("alice"), handles.client("bob"), threading.Event()
    folder = tmp_path / "came"
    folder.mkdir()
    alice.files.send("bob", b"before it runs", called="first", timeout=PATIENCE_S)
    bot = threading.Thread(target=example("Files", "save_all"), args=(bob, folder, stop))
    bot.start()
    try:
        alice.files.send("bob", b"while it runs", called="second", timeout=PATIENCE_S)
        handles.wait_for(lambda: {path.name for path in folder.iterdir()} == {"first", "second"})
        handles.wait_for(lambda: all(file.read for file in bob.files.page()))
    finally:
        stop.set()
        bot.join(PATIENCE_S)
    assert (folder / "second").read_bytes() == b"while it runs"
    assert len(list(folder.iterdir())) == 2, "each once"


def knows(client: usernym.Client, name: str) -> bool:
    try:
        client.look_up(name, PATIENCE_S)
    except usernym.NodeRefused:
        return False
    return True


class Dies(Exception):
    """In the place where a process might end."""


@pytest.mark.seconds
def test_once(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    alice.send("bob", "hello", wait="delivered", timeout=PATIENCE_S)
    database = sqlite3.connect(":memory:")
    database.executescript("CREATE TABLE done (sender, id); CREATE TABLE total (texts); INSERT INTO total VALUES (0)")

    class Dying:
        unread = bob.unread

        def mark_read(self, _messages: object) -> None:
            raise Dies

    count_once = example("Once, and at least once", "count_once")
    with pytest.raises(Dies):
        count_once(Dying(), database)
    assert len(bob.unread()) == 1
    count_once(bob, database)
    assert bob.unread() == []
    assert database.execute("SELECT texts FROM total").fetchone() == (1,)


@pytest.mark.seconds
def test_errors(handles: Handles) -> None:
    alice, bob = handles.client("alice"), handles.client("bob")
    deliver = example("Errors", "deliver")
    assert deliver(alice, "bob", "hello") == "delivered"
    assert deliver(alice, "no_such_name", "hello").startswith("not sent: ")
    bob.close()
    impatient = lambda name, text, **_: usernym.Client.send(alice, name, text, wait="delivered", timeout=1)  # noqa: E731
    alice.send = impatient  # type: ignore[method-assign] # only to wait for less long
    assert deliver(alice, "bob", "later").startswith("kept, and sent later: ")
    assert [message.text for message in alice.conversation("bob")] == ["hello", "later"]

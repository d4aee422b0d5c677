"""The client for asyncio has every method of the other, under the same name, with the same arguments and results."""

from __future__ import annotations

import asyncio
import inspect
import re
from typing import Any

import pytest

import usernym
from tests.helpers.handles import PATIENCE_S, Handles

METHODS = {name: method for name, method in inspect.getmembers(usernym.Client, inspect.isfunction) if name[0] != "_"}


def test_the_list_of_methods_is_not_empty() -> None:
    assert {"register", "send", "events", "contact", "add_link", "close"} <= METHODS.keys()
    assert len(METHODS) > 30


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_its_awaited_twin(name: str) -> None:
    twin: Any = getattr(usernym.AsyncClient, name, None)
    assert twin is not None, f"AsyncClient has no {name}"
    mine, theirs = inspect.signature(METHODS[name]), inspect.signature(twin)
    assert list(theirs.parameters.values()) == list(mine.parameters.values())
    assert twin.__doc__.startswith(f"See `Client.{name}`")
    if name == "events":
        assert (mine.return_annotation, theirs.return_annotation) == (
            "Generator[Event, None, None]",
            "AsyncIterator[Event]",
        )
    else:
        assert inspect.iscoroutinefunction(twin)
        assert theirs.return_annotation == mine.return_annotation


@pytest.mark.parametrize("name", METHODS)
def test_a_twin_calls_its_own_and_hands_all_arguments_on(name: str) -> None:
    """By running it on a client that only writes down how it was called."""
    called: list[tuple[str, inspect.BoundArguments]] = []

    class Recorder:
        def __getattr__(self, method: str) -> Any:
            def record(*arguments: Any, **keywords: Any) -> Any:
                called.append((method, inspect.signature(METHODS[method]).bind(None, *arguments, **keywords)))
                return iter(())

            return record

    async def call(arguments: dict[str, Any]) -> None:
        client = usernym.AsyncClient("nowhere")
        client._client = Recorder()  # type: ignore[assignment]
        result = getattr(client, name)(**arguments)
        if inspect.isawaitable(result):
            await result

    parameters = [each for each in inspect.signature(METHODS[name]).parameters if each != "self"]
    given = {parameter: object() for parameter in parameters}
    asyncio.run(call(given))
    ((method, bound),) = called
    assert method == name
    assert {key: value for key, value in bound.arguments.items() if key != "self"} == given


def test_every_attribute_is_there(handles: Handles) -> None:
    mentioned = set(
        re.findall(r"^        self\.([a-z]\w*)[ :]", inspect.getsource(usernym.Client.__init__), re.MULTILINE)
    )
    assert "recovery_words" in mentioned

    async def story() -> None:
        async with handles.coroutine("alice") as alice:
            assert alice.name == "alice"
            for attribute in mentioned:
                assert getattr(alice, attribute) == getattr(alice.client, attribute)
            assert alice.recovery_words is not None
            await alice.register(PATIENCE_S)
            assert (await alice.link()).startswith("usernym:alice/")
            bob = handles.client("bob")
            assert (await alice.add_link(bob.link(), PATIENCE_S)).trust == "verified"
            await alice.set_verified("bob", verified=False)
            assert (await alice.contact("bob")).trust == "confirmed by the node"
            assert [event async for event in alice.events(0.05)] == []

    asyncio.run(story())

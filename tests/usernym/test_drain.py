"""A worker that is drained ends within its time, whatever it waits for."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from usernym import Node
from usernym.storage.errors import StoreUnreachable

PATIENCE_S = 20.0


class Forwarding:
    """Says how many routes there are, each time one of these; then it does not answer."""

    def __init__(self, routes: list[int]) -> None:
        self._routes = routes

    def inquire(self) -> Future[dict[str, int]]:
        answer: Future[dict[str, int]] = Future()
        if self._routes:
            answer.set_result({"routes": self._routes.pop(0)})
        return answer


def unreachable() -> int:
    raise StoreUnreachable("the server does not answer")


@pytest.mark.parametrize(("routes", "others", "left"), [([], 1, 0), ([3, 2], 1, 2), ([3, 0], None, 0), ([3], 0, 3)])
def test_it_ends_whatever_does_not_answer(routes: list[int], others: int | None, left: int, tmp_path: Path) -> None:
    node: Any = Node(tmp_path, lambda _problem: None)
    told: list[object] = []
    node._graph = SimpleNamespace(registration=SimpleNamespace(tell=told.append), forwarding=Forwarding(routes))
    ask = unreachable if others is None else lambda: others
    node._store = SimpleNamespace(workers=SimpleNamespace(shared=True, others=ask))
    assert node.drain(0.5) == left
    assert len(told) == 1
    waiting = threading.Thread(target=node.wait)
    waiting.start()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()

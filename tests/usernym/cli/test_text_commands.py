"""The commands about texts as a person types them: real processes, and what their terminals say."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = pytest.mark.processes


def say(network: Any, home: str, *command: str, code: int = 0) -> str:
    """What a command prints for a person."""
    done = network.terminal.run("--home", home, *command)
    assert done.returncode == code, done.stdout + done.stderr
    said: str = done.stdout if code == 0 else done.stderr
    return said.strip()


def test_a_text_is_cancelled_found_by_its_digits_and_sent_after_all(network: Any) -> None:
    for name in ("gerda", "hanno"):
        network.user(name)
    say(network, "gerda", "lookup", "hanno")
    sent = network.terminal.ok("--home", "gerda", "send", "hanno", "better not", "--wait", "queued")
    digits = sent["id"][:8]
    cancelled = say(network, "gerda", "cancel", "hanno", digits)
    assert cancelled == "cancelled: it will not be sent; `usernym retry --home gerda` sends it after all"
    assert f"to hanno (cancelled, {digits}): better not" in say(network, "gerda", "history", "hanno")
    assert "it is cancelled" in say(network, "gerda", "cancel", "hanno", digits, code=1)
    assert "none of your texts" in say(network, "gerda", "retry", "hanno", "00000000", code=1)
    again = re.fullmatch(r"sent again as ([0-9a-f]{8}): accepted", say(network, "gerda", "retry", "hanno", digits))
    assert again is not None
    assert again[1] != digits
    assert "to hanno (accepted): better not" in say(network, "gerda", "history", "hanno")
    assert "accepted already" in say(network, "gerda", "retry", "hanno", again[1], code=1)
    heard = network.terminal.read_until("better not", "--home", "hanno", "listen")[-1]
    assert heard.strip().endswith("gerda (1 before this one missing): better not")
    assert "gerda (1 before this one missing): better not" in say(network, "hanno", "search", "better")

    words = "texts with gerda are erased in this home 7d after they were read or written; gerda keeps their copies, and"
    assert say(network, "hanno", "disappear", "gerda", "168h") == f"{words} does not learn it"
    assert "texts disappear here after 7d" in say(network, "hanno", "contacts")
    assert say(network, "hanno", "disappear", "gerda", "off").startswith("texts with gerda stay in this home")
    assert "disappear" not in say(network, "hanno", "contacts")
    assert "a minute at the least" in say(network, "hanno", "disappear", "gerda", "59s", code=2)
    assert "no one of this name" in say(network, "hanno", "disappear", "ida", "7d", code=1)

"""What an exception means to a person; a bug leaves its places in the log, and nothing that it holds."""

from __future__ import annotations

import logging

import pytest

import usernym
from usernym.actors.failures import Failure
from usernym.explain import explain

SECRET = "tlaloc_the_sender"


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (usernym.NodeRefused(usernym.Code.NO_SUCH_USER), "no one has this name"),
        (usernym.NodeRefused(usernym.Code.NAME_HELD, 2_000_000_000), "is kept for its owner until 2033-05-18"),
        (usernym.NodeRefused(usernym.Code.NAME_HELD, 10**18), "until an impossible date"),
        (usernym.NodeRefused(usernym.Code.STALE_KEY), "refused: stale key"),
        (usernym.NodeSilent(Failure.NO_MIXNET), "no mixnet client: is nym-client"),
        (usernym.NodeSilent(Failure.NO_ANSWER), "no answer from the node: is the node running"),
        (usernym.RemoteProtocolError(usernym.Code.NAME_BAD_START, "for the log"), "does not start with a letter"),
        (usernym.RemoteProtocolError(usernym.Code.RECORD_INVALID, "for the log"), "record_invalid: for the log"),
        (usernym.NoSuchContact(), "this name is not among your contacts and requests"),
        (usernym.LinkMismatch("bob", usernym.Mismatch.YOURSELF), "this link does not verify bob: it is a link to your"),
    ],
)
def test_the_text_of_an_error_is_a_sentence(error: Exception, text: str, caplog: pytest.LogCaptureFixture) -> None:
    assert text in explain(error)
    assert explain(error) == str(error)
    assert not caplog.records


def test_a_bug_is_logged_by_its_places_and_never_by_its_content(caplog: pytest.LogCaptureFixture) -> None:
    def buggy(name: str) -> None:
        raise RuntimeError(f"{name} is not expected")

    with pytest.raises(RuntimeError) as raised:
        buggy(SECRET)
    with caplog.at_level(logging.ERROR, "usernym"):
        assert explain(raised.value) == "internal error (RuntimeError)"
    assert "test_explain.py" in caplog.text
    assert "in buggy" in caplog.text
    assert SECRET not in caplog.text

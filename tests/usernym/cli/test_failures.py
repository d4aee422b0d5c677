"""How commands end: by errors' names, which must be those of the errors that there are."""

from __future__ import annotations

import builtins

import pytest

import usernym
from usernym import control
from usernym.actors.failures import Failure
from usernym.cli.failures import _ENDS, Exit, failure_of
from usernym.mixnet import transport
from usernym.storage import errors

SECRET = "tlaloc_the_sender"


def errors_of_the_interface() -> dict[str, type[BaseException]]:
    named = {name: getattr(usernym, name) for name in usernym.__all__}
    return {name: kind for name, kind in named.items() if isinstance(kind, type) and issubclass(kind, BaseException)}


def test_every_name_is_an_errors() -> None:
    for name in _ENDS:
        places = (usernym, control, transport, builtins)
        found = [getattr(place, name) for place in places if hasattr(place, name)]
        assert found, name
        assert issubclass(found[0], BaseException), name


def test_no_error_of_the_interface_that_a_command_may_meet_is_a_bug() -> None:
    handled = {"NoSuchContact", "NoSuchMessage", "AccountStays"}
    """Commands take these where they come up."""
    by_hand = {"NodeRefused", "LinkMismatch", "RemoteProtocolError"}
    assert set(errors_of_the_interface()) - handled - by_hand <= set(_ENDS)


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (usernym.NodeRefused(usernym.Code.NAME_TAKEN), Exit.REFUSED, "name_taken"),
        (usernym.RemoteProtocolError(usernym.Code.CARD_INVALID), Exit.USAGE, "card_invalid"),
        (usernym.NodeSilent(Failure.NO_MIXNET), Exit.NO_ANSWER, "no_mixnet"),
        (usernym.NodeSilent(Failure.NO_ANSWER), Exit.NO_ANSWER, "no_answer"),
        (usernym.LinkMismatch("bob", usernym.Mismatch.OLDER_IDENTITY), Exit.REFUSED, "link_outdated"),
        (usernym.Closed("closed"), Exit.NO_ANSWER, "holder_gone"),
        (usernym.GraphFailed("failed"), Exit.INTERNAL, "stopped"),
        (errors.StoreFull("full"), Exit.STORAGE, "storage"),
        (errors.WrongPassphrase("wrong"), Exit.STORAGE, "wrong_passphrase"),
        (transport.MixnetDown("down"), Exit.NO_ANSWER, "no_answer"),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted"),
        (TimeoutError(SECRET), Exit.INTERNAL, "internal"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_an_error_has_its_code_and_kind(error: BaseException, code: Exit, kind: str) -> None:
    failed = failure_of(error)
    assert (failed.exit_code, failed.kind) == (code, kind)
    assert SECRET not in failed.text


def test_every_mismatch_has_a_kind() -> None:
    kinds = {failure_of(usernym.LinkMismatch("bob", why)).kind for why in usernym.Mismatch}
    assert len(kinds) == len(usernym.Mismatch)

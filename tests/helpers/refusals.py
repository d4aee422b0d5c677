"""How a call was refused, for tests that try many inputs of which some are right."""

from __future__ import annotations

from collections.abc import Callable

from usernym.protocol.errors import Code, RemoteProtocolError


def refusal(call: Callable[[], object]) -> Code | None:
    """The code with which `call` refuses, or None if it does not. Any other exception is the caller's."""
    try:
        call()
    except RemoteProtocolError as error:
        return error.code
    return None

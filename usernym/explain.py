"""What an exception means to a person, for programs that show one: never what it may hold by accident."""

from __future__ import annotations

import usernym
from usernym.log import places_of
from usernym.logger import logger


def explain(error: BaseException) -> str:
    """A sentence for a person: the text of an error of `usernym`'s interface, or of a mixnet's.

    Any other error is a bug: its kind is returned, and the log gets the places it passed. Its text is neither returned
    nor logged: it may hold a name, a text or a secret.
    """
    kinds = {kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("usernym.")}
    if kinds & {*usernym.__all__, "MixnetError"}:
        return str(error)
    logger.error("a bug: %s", "; ".join(places_of(error)))
    return f"internal error ({type(error).__name__})"

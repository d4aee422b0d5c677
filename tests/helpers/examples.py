"""How many examples a property is tried on: a number for each property, scaled by Hypothesis's profile.

`pytest --hypothesis-profile=quick` tries a tenth of them, `ci` twice as many; `tests/conftest.py` registers the
profiles. A property without a decorator of its own is tried on the profile's `max_examples`.
"""

from __future__ import annotations

from typing import Any, Final

from hypothesis import settings

DEFAULT_EXAMPLES: Final = 100
QUICK_EXAMPLES: Final = 10
CI_EXAMPLES: Final = 200


def scaled(count: int) -> int:
    """`count` is meant for the profile `default`; the number for the profile that is loaded, at least 1."""
    return max(1, count * settings().max_examples // DEFAULT_EXAMPLES)


def examples(count: int, **more: Any) -> settings:
    """A decorator: `count` examples in the profile `default`; `more` are other settings of Hypothesis."""
    return settings(max_examples=scaled(count), **more)

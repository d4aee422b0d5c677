"""The rule for a new passphrase, wherever it is chosen: library, command line, chat page, backup.

It holds for new ones only: what was made under another rule still opens.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from usernym.errors import PassphraseWeak

PASSPHRASE_LETTERS_MIN: Final = 8
"""A guess costs 64 MiB and a good part of a second; with fewer characters even that is too cheap."""
DIFFERENT_MIN: Final = 4
"""Different characters. `........`, copied from an example, is no secret."""
RULE: Final = f"at least {PASSPHRASE_LETTERS_MIN} characters, {DIFFERENT_MIN} of them different"
"""The rule in words, for a hint beside the field."""


def check_new_passphrase(passphrase: str) -> None:
    """Raise `PassphraseWeak` unless this may protect something new. White space counts like any other character."""
    letters = unicodedata.normalize("NFC", passphrase)
    if len(letters) < PASSPHRASE_LETTERS_MIN or len(set(letters)) < DIFFERENT_MIN:
        raise PassphraseWeak(f"a new passphrase needs {RULE}; several words are best")

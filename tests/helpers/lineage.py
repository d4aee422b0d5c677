"""What the checks of earlier systems' defects have in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from usernym.protocol import payloads as p

Plant = Callable[[pytest.MonkeyPatch], None]


@dataclass(frozen=True)
class LineageDefect:
    """What once was wrong: a check that must find it, and how to bring it back."""

    check: Callable[[Path], None]
    plant: Plant


def padded(words: str) -> bytes:
    return p.pad_payload(p.Text(1, 1, bytes(16), None, None, words), first_contact=True)

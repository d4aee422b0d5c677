"""Write tests/vectors/*.json. Uses nothing of usernym; see tests/vectors/README.md.

Everything is made from fixed keys and comes out the same each time, but for HPKE seals: those are random, so seals
that are there already are kept as long as what they seal is the same, unless `--fresh` is given.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "vectors"
if str(HERE) not in sys.path:  # run as a script, isolated
    sys.path.insert(0, str(HERE))

import vectors_bad_frames  # noqa: E402
import vectors_cards  # noqa: E402
import vectors_frames  # noqa: E402
import vectors_links  # noqa: E402
import vectors_payloads  # noqa: E402
import vectors_seals  # noqa: E402
import vectors_text  # noqa: E402
import vectors_trust  # noqa: E402
from vectors_base import Vector  # noqa: E402


def _render(about: str, vectors: Sequence[Vector]) -> str:
    repeated = [name for name, count in Counter(each["id"] for each in vectors).items() if count > 1]
    if repeated:
        raise ValueError(f"ids used twice: {repeated}")
    lines = ",\n".join(json.dumps(each, ensure_ascii=True) for each in vectors)
    return f'{{"about": {json.dumps(about)}, "vectors": [\n{lines}\n]}}\n'


def files(kept: dict[str, str]) -> dict[str, str]:
    """Every file's name and text; `kept` holds sealed bytes from before, by what they seal."""
    return {
        "frames.json": _render("Frames of every kind of message", vectors_frames.vectors()),
        "frames-bad.json": _render("Frames with one failure each", vectors_bad_frames.vectors()),
        "trust.json": _render("Key records and chains of identities", vectors_trust.vectors()),
        "cards.json": _render("Node cards", vectors_cards.vectors()),
        "payloads.json": _render("Payloads and their padding", vectors_payloads.vectors()),
        "text.json": _render("Words, names, safety numbers, challenges, proof of work", vectors_text.vectors()),
        "links.json": _render("Links, and safety numbers as scanners read them", vectors_links.vectors()),
        "seals.json": _render("Seals, inner signatures, statements", vectors_seals.vectors(kept)),
    }


def main(arguments: Sequence[str]) -> None:
    """Write what has changed."""
    kept = {} if "--fresh" in arguments else vectors_seals.kept_from(TARGET / "seals.json")
    TARGET.mkdir(exist_ok=True)
    for name, text in files(kept).items():
        path = TARGET / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

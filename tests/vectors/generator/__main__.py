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

from tests.vectors.generator import (
    bad_frames,
    cards,
    chunks,
    directory,
    evidence,
    frames,
    links,
    mixed_order,
    payloads,
    promises,
    proofs,
    seals,
    shown,
    text,
    trust,
    witnesses,
)
from tests.vectors.generator.base import Vector

TARGET = Path(__file__).resolve().parents[1]


def _render(about: str, vectors: Sequence[Vector]) -> str:
    repeated = [name for name, count in Counter(each["id"] for each in vectors).items() if count > 1]
    if repeated:
        raise ValueError(f"ids used twice: {repeated}")
    lines = ",\n".join(json.dumps(each, ensure_ascii=True) for each in vectors)
    return f'{{"about": {json.dumps(about)}, "vectors": [\n{lines}\n]}}\n'


def files(kept: dict[str, str]) -> dict[str, str]:
    """Every file's name and text; `kept` holds sealed bytes from before, by what they seal."""
    return {
        "frames.json": _render("Frames of every kind of message", frames.vectors()),
        "frames-bad.json": _render("Frames with one failure each", bad_frames.vectors()),
        "mixed-order.json": _render("Signatures on which verifiers could disagree", mixed_order.vectors()),
        "trust.json": _render("Key records and chains of identities", trust.vectors()),
        "cards.json": _render("Node cards", cards.vectors()),
        "evidence.json": _render("Evidence against a node", [*evidence.vectors(), *promises.vectors()]),
        "payloads.json": _render("Payloads and their padding", payloads.vectors()),
        "files.json": _render("Files: digests and chunks", chunks.vectors()),
        "directory.json": _render("The directory: labels, chains, the map, epochs, heads", directory.vectors()),
        "proofs.json": _render("Answers to lookups with proof", proofs.vectors()),
        "shown.json": _render("What a node shows of its log, and evidence from it", shown.vectors()),
        "text.json": _render("Words, names, safety numbers, challenges, proof of work", text.vectors()),
        "witnesses.json": _render("Signatures of other nodes to a log's heads", witnesses.vectors()),
        "links.json": _render("Links, and safety numbers as scanners read them", links.vectors()),
        "seals.json": _render("Seals, inner signatures, statements", seals.vectors(kept)),
    }


def main(arguments: Sequence[str]) -> None:
    """Write what has changed."""
    kept = {} if "--fresh" in arguments else seals.kept_from(TARGET / "seals.json")
    TARGET.mkdir(exist_ok=True)
    for name, content in files(kept).items():
        path = TARGET / name
        if not path.exists() or path.read_text() != content:
            path.write_text(content)
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])

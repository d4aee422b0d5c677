"""The page's colours: all have names, and each pair that is used has the contrast that WCAG 2.2 asks for (AA)."""

from __future__ import annotations

import re
from typing import Final

import pytest

from usernym.chat.files import STATIC

TEXT: Final = 4.5
"""Of text on its ground (1.4.3)."""
PARTS: Final = 3.0
"""Of borders, icons and other parts that mean something (1.4.11)."""
GROUNDS: Final = ("ground", "pane", "hover", "chosen")
HUES: Final = tuple(f"hue-{at}" for at in range(12))
ON_TEXT: Final = (
    *(("ink", ground) for ground in (*GROUNDS, "mine", "theirs", "bad-ground")),
    *(("soft", ground) for ground in ("ground", "pane", "hover", "theirs")),
    ("mine-soft", "mine"), ("mine-soft", "chosen"),
    *(("accent", ground) for ground in ("ground", "pane", "hover", "theirs", "chosen")),
    *(("bad", ground) for ground in ("ground", "pane", "hover", "chosen", "bad-ground")),
    ("good", "pane"), ("warn", "warn-ground"), ("on-accent", "accent"), ("on-accent", "accent-hover"),
    ("on-found", "found"), ("on-ink", "ink-ground"), ("on-ink-accent", "ink-ground"), ("pane", "soft"),
    ("paper-ink", "paper"), *(("on-hue", hue) for hue in HUES),
)  # fmt: skip
ON_PARTS: Final = (
    *(("border", ground) for ground in ("pane", "ground", "hover")),
    ("accent", "mine"), ("bad", "mine"), ("good", "pane"), ("bad", "pane"), ("warn", "ground"), ("border", "pane"),
    ("on-accent", "accent"),
)  # fmt: skip
_COLOUR: Final = re.compile(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(|\boklch\(", re.IGNORECASE)


def themes() -> dict[str, dict[str, str]]:
    """The colours by name, of each theme."""
    css = (STATIC / "style" / "tokens.css").read_text()
    blocks = re.findall(r"(:root(?:\[data-theme=\"dark\"\])?) \{(.*?)\n\}", css, re.DOTALL)
    found: dict[str, dict[str, str]] = {}
    for selector, body in blocks[:2]:
        names = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", body))
        found["dark" if "dark" in selector else "light"] = names
    found["dark"] = found["light"] | found["dark"]
    return found


def luminance(colour: str) -> float:
    """The relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_contrast_of_known_pairs() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_parts_stand_out_from_their_grounds(theme: str) -> None:
    colours = themes()[theme]
    low = [
        f"--{one} on --{other}: {found:.2f}"
        for pairs, least in ((ON_TEXT, TEXT), (ON_PARTS, PARTS))
        for one, other in pairs
        if (found := contrast(colours[one], colours[other])) < least
    ]
    assert low == []


def test_both_themes_name_the_same_colours() -> None:
    css = (STATIC / "style" / "tokens.css").read_text()
    light, dark = (
        set(re.findall(r"--([\w-]+): (?:#|rgb)", body))
        for body in re.findall(r":root(?:\[data-theme=\"dark\"\])? \{(.*?)\n\}", css, re.DOTALL)[:2]
    )
    assert light - dark == {"paper", "paper-ink"}, "what is scanned and printed is dark on light in both"
    assert dark - light == set()


def test_only_the_tokens_have_colours() -> None:
    for path in sorted((STATIC / "style").glob("*.css")):
        if path.name != "tokens.css":
            assert _COLOUR.findall(path.read_text()) == [], path.name


def test_every_token_that_is_used_exists_and_each_is_used() -> None:
    sheets = {path.name: path.read_text() for path in (STATIC / "style").glob("*.css")}
    used = set(re.findall(r"var\(--([\w-]+)\)", "".join(sheets.values())))
    named = set(re.findall(r"^\s*--([\w-]+):", sheets["tokens.css"], re.MULTILINE))
    assert used == named


def test_motion_ends_where_people_ask_for_less() -> None:
    css = (STATIC / "style" / "tokens.css").read_text()
    (reduced,) = re.findall(r"@media \(prefers-reduced-motion: reduce\) \{(.*?)\n\}", css, re.DOTALL)
    assert set(re.findall(r"--(\w+): 0s", reduced)) == {"quick", "calm"}
    for path in (STATIC / "style").glob("*.css"):
        for motion in re.findall(r"(?:transition|animation): ([^;]+);", path.read_text()):
            assert "var(--quick)" in motion or "var(--calm)" in motion, f"{path.name}: {motion}"

"""Pictures are redrawn: nothing but pixels leaves or is shown, and whatever is wrong with one is one error."""

from __future__ import annotations

import io
import struct
import time
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from tests.helpers.examples import examples
from usernym.pictures import PIXELS_MAX, SIDE_MAX, PicturesMissing, PictureUnfit, looks_like_picture, redrawn
from usernym.protocol.limits import FILE_BYTES_MAX

SECRET = b"48.8583N 2.2945E"
ORIENTATION = 0x0112


def written(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def photo(size: tuple[int, int] = (40, 20), kind: str = "JPEG", mode: str = "RGB", turned: int = 1) -> bytes:
    """A picture, red on the left and blue on the right, with all metadata that its format takes."""
    picture = Image.new("RGB", size, "blue")
    picture.paste((255, 0, 0), (0, 0, size[0] // 2, size[1]))
    exif = Image.Exif()
    exif[ORIENTATION] = turned
    exif[0x010E] = SECRET.decode()  # ImageDescription
    options: dict[str, Any] = {"exif": exif, "icc_profile": b"icc " + SECRET} if kind != "GIF" else {"comment": SECRET}
    if kind == "JPEG":
        options["comment"] = SECRET
    if kind == "PNG":
        info = PngImagePlugin.PngInfo()
        info.add_text("Where", SECRET.decode())
        options["pnginfo"] = info
    return written(picture.convert(mode), kind, **options)


def read(content: bytes) -> Image.Image:
    opened = Image.open(io.BytesIO(content))
    opened.load()
    return opened


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
def test_no_metadata_is_left(kind: str) -> None:
    content = photo(kind=kind)
    assert SECRET in content
    assert looks_like_picture(content)
    drawn = redrawn(content)
    assert SECRET not in drawn.content
    shown = read(drawn.content)
    assert shown.size == (40, 20) == (drawn.width, drawn.height)
    assert not shown.getexif()
    assert not {"icc_profile", "comment", "exif", "Where"} & set(shown.info)
    assert (drawn.media_type, drawn.ending) == (
        ("image/jpeg", ".jpg") if kind in ("JPEG", "WEBP") else ("image/png", ".png")
    )


def test_it_stands_upright() -> None:
    drawn = redrawn(photo(turned=6))  # to be turned to the right
    shown = read(drawn.content).convert("RGB")
    assert shown.size == (20, 40)
    red, _, blue = shown.getpixel((10, 4))  # type: ignore[misc]
    assert red > 200
    assert blue < 100


def test_what_is_transparent_stays_so() -> None:
    drawn = redrawn(written(Image.new("RGBA", (3, 3), (255, 0, 0, 100)), "PNG"))
    assert read(drawn.content).getpixel((1, 1)) == (255, 0, 0, 100)


def test_a_large_one_is_made_smaller() -> None:
    drawn = redrawn(written(Image.new("RGB", (SIDE_MAX + 1000, 100)), "PNG"))
    assert drawn.width == SIDE_MAX


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_one_that_moves_stands_still(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue", "green")]
    moving = written(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    shown = read(redrawn(moving).content)
    assert getattr(shown, "n_frames", 1) == 1
    red, _, blue = shown.convert("RGB").getpixel((4, 4))  # type: ignore[misc]
    assert red > 200
    assert blue < 100


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says that it has so many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("side", [int(PIXELS_MAX**0.5) + 1, 12_000, 60_000, 2**31 - 1])
def test_a_bomb_is_refused_before_it_is_unpacked(side: int) -> None:
    began = time.monotonic()
    with pytest.raises(PictureUnfit):
        redrawn(bomb(side, side))
    assert time.monotonic() - began < 1.0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF"])
@examples(60)
@given(data=st.data())
def test_damaged_ones_are_one_error_or_a_picture(kind: str, data: st.DataObject) -> None:
    content = bytearray(photo(kind=kind))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for damaged in (bytes(content), bytes(content[:cut])):
        try:
            drawn = redrawn(damaged)
        except PictureUnfit:
            continue
        assert read(drawn.content).size == (drawn.width, drawn.height)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"%PDF-1.7",
        written(Image.new("RGB", (2, 2)), "TIFF"),
        written(Image.new("RGB", (2, 2)), "BMP"),
        b"\xff\xd8\xff" + bytes(FILE_BYTES_MAX),
    ],
)
def test_other_files_are_no_pictures(content: bytes) -> None:
    with pytest.raises(PictureUnfit):
        redrawn(content)


def test_without_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL.Image", None)
    with pytest.raises(PicturesMissing, match="pip install"):
        redrawn(photo())

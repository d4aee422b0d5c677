"""Pictures: redrawn, so that what leaves has no metadata, and what is shown is nothing but pixels.

Needs Pillow (`pip install usernym[pictures]`), which is loaded when a picture is first drawn. A picture from another
person is hostile input: only four formats are tried, its size is looked at before anything is unpacked, and whatever
goes wrong in the decoder is one error.
"""

from __future__ import annotations

import importlib
import io
import warnings
from dataclasses import dataclass, field
from typing import Any, Final

from usernym.protocol.limits import FILE_BYTES_MAX

PIXELS_MAX: Final = 40_000_000
"""Width times height: what cameras make, and 160 MB while it is drawn."""
SIDE_MAX: Final = 4096
"""Pixels of the longer side of what leaves and what is shown; larger pictures are made smaller."""
JPEG_QUALITY: Final = 88
_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
_MAGIC: Final = ((b"\xff\xd8\xff", 0), (b"\x89PNG\r\n\x1a\n", 0), (b"GIF87a", 0), (b"GIF89a", 0), (b"WEBP", 8))
"""How a file of each of these formats begins."""


class PictureUnfit(ValueError):
    """This is no picture that can be drawn: damaged, too large, or of another format. The text says which."""


class PicturesMissing(ImportError):
    """Pillow is not installed."""

    def __init__(self) -> None:
        super().__init__("pictures need Pillow: pip install 'usernym[pictures]'")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that was drawn here. It holds pixels only."""

    content: bytes = field(repr=False)
    media_type: str
    """`image/jpeg` or `image/png`."""
    width: int
    height: int

    @property
    def ending(self) -> str:
        """Of a file's name."""
        return ".png" if self.media_type == "image/png" else ".jpg"


def looks_like_picture(content: bytes) -> bool:
    """Whether it begins as a JPEG, PNG, GIF or WebP picture does."""
    return any(content[at : at + len(magic)] == magic for magic, at in _MAGIC)


def redrawn(content: bytes) -> Picture:
    """The picture in these bytes, redrawn: upright, at most 4,096 pixels wide or high, without metadata.

    Of a picture that moves, the first one. Raises `PictureUnfit` or `PicturesMissing`.
    """
    if len(content) > FILE_BYTES_MAX or not looks_like_picture(content):
        raise PictureUnfit("not a JPEG, PNG, GIF or WebP picture of at most 10 MiB")
    image = _pillow("Image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", image.DecompressionBombWarning)
            opened = image.open(io.BytesIO(content), formats=_FORMATS)
        if opened.width * opened.height > PIXELS_MAX:
            raise PictureUnfit(f"the picture has more than {PIXELS_MAX:,} pixels")
        lossless = opened.format in ("PNG", "GIF")
        return _drawn(image, opened, lossless=lossless)
    except PictureUnfit:
        raise
    except Exception as error:
        # Pillow's decoders raise errors of many kinds for damaged input; its text may quote it.
        raise PictureUnfit("the picture is damaged") from error


def _drawn(image: Any, opened: Any, *, lossless: bool) -> Picture:
    upright = _pillow("ImageOps").exif_transpose(opened)
    has_alpha = upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info
    upright = upright.convert("RGBA" if has_alpha else "RGB")
    upright.thumbnail((SIDE_MAX, SIDE_MAX))
    # A new one of the same pixels: Pillow would copy some of what it has read about the old one.
    clean = image.frombytes(upright.mode, upright.size, upright.tobytes())
    if lossless or has_alpha:
        written = _written(clean, "PNG", optimize=False)
        if len(written) <= FILE_BYTES_MAX:
            return Picture(written, "image/png", *clean.size)
    written = _written(clean.convert("RGB"), "JPEG", quality=JPEG_QUALITY)
    if len(written) > FILE_BYTES_MAX:
        raise PictureUnfit("the picture has more than 10 MiB when it is redrawn")
    return Picture(written, "image/jpeg", *clean.size)


def _written(clean: Any, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    clean.save(out, kind, **options)
    return out.getvalue()


def _pillow(module: str) -> Any:
    try:
        return importlib.import_module(f"PIL.{module}")
    except ImportError:
        raise PicturesMissing from None

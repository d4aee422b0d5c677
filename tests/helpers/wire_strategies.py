"""Hypothesis strategies for every structure on the wire, derived from its annotations and so from its bounds."""

from __future__ import annotations

import hashlib
import types
import typing
from enum import IntEnum
from typing import Annotated, Any, Final

import msgspec
from hypothesis import strategies as st

from usernym.protocol.cards import NodeCard
from usernym.protocol.messages import Sealed
from usernym.protocol.payloads import SEALED_SIZES
from usernym.protocol.wire import Wire

LIST_MAX: Final = 20
BYTES_MAX: Final = 300
_EDGES: Final = (0, 1, 31, 32, 127, 128, 255, 256, 65_535, 65_536, 2**32 - 1, 2**32, 2**63 - 1)


def _integers(low: int, high: int) -> st.SearchStrategy[int]:
    edges = [edge for edge in (*_EDGES, low, high) if low <= edge <= high]
    return st.sampled_from(edges) | st.integers(low, high)


def _fixed_bytes(size: int) -> st.SearchStrategy[bytes]:
    """Long keys and signatures cost no more choices than short ones."""
    if size <= 8:
        return st.binary(min_size=size, max_size=size)
    return st.binary(max_size=4).map(lambda seed: hashlib.shake_256(seed).digest(size))


def _bytes(low: int, high: int) -> st.SearchStrategy[bytes]:
    if low == high:
        return _fixed_bytes(low)
    sizes = st.sampled_from([size for size in (low, 255, 256, 65_535, 65_536) if size <= high])
    return st.binary(min_size=low, max_size=min(high, BYTES_MAX)) | sizes.map(lambda size: b"\x5a" * size)


def _of(kind: Any, meta: msgspec.Meta) -> st.SearchStrategy[Any]:
    low = meta.min_length or 0
    if kind is int:
        assert meta.ge is not None
        assert meta.le is not None
        return _integers(int(meta.ge), int(meta.le))
    if kind is bytes:
        assert meta.max_length is not None
        return _bytes(low, meta.max_length)
    if kind is str:
        assert meta.max_length is not None
        return st.text(st.characters(exclude_categories=["Cs"]), min_size=low, max_size=min(meta.max_length, 64))
    if typing.get_origin(kind) is tuple:
        assert meta.max_length is not None
        item = strategy(typing.get_args(kind)[0])
        return st.lists(item, min_size=low, max_size=min(meta.max_length, LIST_MAX)).map(tuple)
    raise TypeError(kind)


def strategy(kind: Any) -> st.SearchStrategy[Any]:
    """Values of an annotated type, within its bounds and often at them."""
    origin = typing.get_origin(kind)
    if kind == Sealed:
        sizes = sorted(SEALED_SIZES)
        return st.sampled_from((sizes[0], sizes[1], sizes[-1])).map(lambda size: b"\x5a" * size)
    if origin is Annotated:
        base, *metas = typing.get_args(kind)
        (meta,) = metas
        return _of(base, meta)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([strategy(each) for each in typing.get_args(kind)])
    if kind is type(None):
        return st.none()
    if isinstance(kind, type) and issubclass(kind, IntEnum):
        return st.sampled_from(kind)
    if isinstance(kind, type) and issubclass(kind, Wire):
        hints = typing.get_type_hints(kind, include_extras=True)
        fields = {field: strategy(hints[field]) for field in kind.__struct_fields__}
        if kind is NodeCard:
            fields["addresses"] = fields["addresses"].map(lambda addresses: tuple(sorted(set(addresses))))
        return st.builds(kind, **fields)
    raise TypeError(kind)

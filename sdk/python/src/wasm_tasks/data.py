"""Entries of a graph's `data` table: literals that are written once, and ranges of files."""

from __future__ import annotations

import os
from typing import Any, Dict, Optional, Union

import msgpack

from .errors import GraphError
from .source import Source
from .types import canonical_type
from .values import DATA_VALUES_MAX, Reference, Resolver, convert, pack


class _InData(Resolver):
    place = "in a data entry"


class Data(Reference):
    """A shared literal. It may stand anywhere in arguments and in `bind`, any number of times."""

    __slots__ = ("content", "source", "offset", "len", "encoding", "type", "digest")

    def __init__(
        self,
        *,
        content: Optional[bytes] = None,
        source: Optional[Source] = None,
        offset: int = 0,
        len: Optional[int] = None,
        encoding: str = "raw",
        type: Optional[str] = None,
        digest: Optional[str] = None,
    ) -> None:
        """The fields of docs/graph-format.md; `data`, `data_file` and `data_url` are more convenient."""
        for name, number in (("offset", offset), ("len", 0 if len is None else len)):
            if not isinstance(number, int) or isinstance(number, bool) or number < 0:
                raise GraphError("bad-field", f"must be a number of bytes, not {number!r}", f".{name}")
        if encoding not in ("raw", "value"):
            raise GraphError("bad-field", f"must be `raw` or `value`, not {encoding!r}", ".encoding")
        self.content = content
        self.source = source
        self.offset = offset
        self.len = len
        self.encoding = encoding
        try:
            self.type = None if type is None else canonical_type(type)
        except GraphError as error:
            raise error.inside(".type") from None
        if encoding == "raw" and self.type not in (None, "list<u8>"):
            raise GraphError("bad-field", "raw data has the type `list<u8>`; leave it out", ".type")
        self.digest = digest

    def _encode(self, resolver: Resolver) -> msgpack.ExtType:
        return resolver.data(self)

    def _entry(self, base: Optional[str]) -> Dict[str, Any]:
        entry: Dict[str, Any] = {}
        if self.digest is not None:
            entry["digest"] = self.digest
        if self.content is not None:
            entry["bytes"] = self.content
        if self.source is not None:
            entry["source"] = self.source.entry(base)
        if self.offset:
            entry["offset"] = self.offset
        if self.len is not None:
            entry["len"] = self.len
        entry["encoding"] = self.encoding
        if self.type is not None:
            entry["type"] = self.type
        return entry

    def __repr__(self) -> str:
        what = f"{len(self.content)} bytes" if self.content is not None else repr(self.source)
        return f"<Data {what}, {self.encoding}>"


def data(value: Any, *, type: Optional[str] = None) -> Data:
    """Wraps a literal so that a graph holds it once, however many tasks take it.

    Bytes (also bytearrays, memoryviews and arrays of u8) become a `list<u8>`, everything else a value.
    """
    try:
        converted = convert(value, _InData(), DATA_VALUES_MAX)
    except GraphError as error:
        raise error.inside("data") from None
    if isinstance(converted, bytes):
        return Data(content=converted, type=type)
    return Data(content=pack(converted), encoding="value", type=type)


def data_file(
    path: Union[str, "os.PathLike[str]"],
    offset: int = 0,
    len: Optional[int] = None,
    *,
    encoding: str = "raw",
    type: Optional[str] = None,
) -> Data:
    """A range of a file, as `list<u8>` (or, with encoding `value`, as the MessagePack value that it holds).

    The file is read when the graph is submitted, not now. Without `len` the range goes to the file's end.
    """
    return Data(source=Source("path", os.fspath(path)), offset=offset, len=len, encoding=encoding, type=type)


def data_url(
    url: str,
    offset: int = 0,
    len: Optional[int] = None,
    *,
    digest: Optional[str] = None,
    encoding: str = "raw",
    type: Optional[str] = None,
) -> Data:
    """What a URL gives, fetched by the scheduler where its policy allows it."""
    return Data(source=Source("url", url), offset=offset, len=len, digest=digest, encoding=encoding, type=type)

"""Packed lists: numbers of one fixed width as little-endian bytes. Knows the ext codes of docs/values.md."""

from __future__ import annotations

import array
import sys
from typing import Any, Dict, Iterable, NamedTuple, Union


class _Element(NamedTuple):
    code: int
    width: int
    typecode: str


def _typecode(candidates: str, width: int) -> str:
    """The first of array.array's types that has this width here; C leaves them to the machine."""
    return next(t for t in candidates if array.array(t).itemsize == width)


#: Element types by their WIT names.
ELEMENTS: Dict[str, _Element] = {
    "s8": _Element(16, 1, "b"),
    "u16": _Element(17, 2, _typecode("HI", 2)),
    "s16": _Element(18, 2, _typecode("hi", 2)),
    "u32": _Element(19, 4, _typecode("IL", 4)),
    "s32": _Element(20, 4, _typecode("il", 4)),
    "u64": _Element(21, 8, _typecode("QL", 8)),
    "s64": _Element(22, 8, _typecode("ql", 8)),
    "f32": _Element(23, 4, "f"),
    "f64": _Element(24, 8, "d"),
}
#: Element types by their ext code.
BY_CODE: Dict[int, str] = {element.code: name for name, element in ELEMENTS.items()}

_SIGNED = "bhilq"
_UNSIGNED = "BHILQ"


def element_of_format(fmt: str, width: int) -> str:
    """The WIT name of a buffer's struct format (without its byte order), or "" if there is none."""
    if fmt in ("f", "d"):
        return f"f{width * 8}"
    if fmt in _SIGNED:
        return f"s{width * 8}"
    if fmt in _UNSIGNED or fmt == "c":
        return f"u{width * 8}"
    return ""


class Packed:
    """A `list<T>` of numbers of one type, which travels as one block of bytes.

    `Packed("f64", [1, 2.5])`. The element is u8, s8, u16, s16, u32, s32, u64, s64, f32 or f64;
    a `list<u8>` has no packed form, so `Packed("u8", …)` is written as bytes.
    """

    __slots__ = ("element", "payload")

    def __init__(self, element: str, values: Union[bytes, Iterable[Any]]) -> None:
        """`values` are numbers, or the little-endian bytes themselves."""
        if element != "u8" and element not in ELEMENTS:
            raise ValueError(f"`{element}` is no packed element; it is one of u8, {', '.join(ELEMENTS)}")
        self.element = element
        if isinstance(values, bytes):
            self.payload = values
        elif element == "u8":
            self.payload = bytes(values)
        else:
            numbers = array.array(ELEMENTS[element].typecode, values)
            if sys.byteorder == "big":
                numbers.byteswap()
            self.payload = numbers.tobytes()
        width = 1 if element == "u8" else ELEMENTS[element].width
        if len(self.payload) % width:
            raise ValueError(f"{len(self.payload)} bytes are no list of {element}, which has {width} bytes each")
        if element in ("f32", "f64"):
            self.payload = _canonical_nans(element, self.payload)

    def to_array(self) -> "array.array[Any]":
        """The numbers as an array.array, which numpy takes without a copy (`numpy.asarray`)."""
        numbers: array.array[Any] = array.array("B" if self.element == "u8" else ELEMENTS[self.element].typecode)
        numbers.frombytes(self.payload)
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Packed) and (self.element, self.payload) == (other.element, other.payload)

    def __hash__(self) -> int:
        return hash((self.element, self.payload))

    def __repr__(self) -> str:
        return f"Packed({self.element!r}, {self.to_array().tolist()!r})"


def _canonical_nans(element: str, payload: bytes) -> bytes:
    """Makes every NaN the one that docs/values.md names."""
    numbers: array.array[Any] = array.array(ELEMENTS[element].typecode)
    numbers.frombytes(payload)
    if sys.byteorder == "big":
        numbers.byteswap()
    total = sum(numbers)
    if total == total:  # A NaN anywhere makes the sum one; infinities of both signs only cost the look below.
        return payload
    nan = b"\x00\x00\xc0\x7f" if element == "f32" else b"\x00\x00\x00\x00\x00\x00\xf8\x7f"
    fixed = bytearray(payload)
    width = len(nan)
    for position, number in enumerate(numbers):
        if number != number:
            fixed[position * width : (position + 1) * width] = nan
    return bytes(fixed)

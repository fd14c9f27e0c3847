"""Python values to MessagePack and back. Knows docs/values.md, and no graphs: references are resolved by the caller."""

from __future__ import annotations

import dataclasses
import math
import operator
import struct
import sys
from typing import Any, Dict, List

import msgpack

from .errors import GraphError
from .names import Path, kebab
from .packed import BY_CODE, ELEMENTS, Packed, element_of_format

#: How deep values may nest; the array or map of all arguments counts as one level.
DEPTH_MAX = 64
EXT_TASK = 1
EXT_DATA = 2
EXT_GRAPH = 3

_INT_MIN = -(1 << 63)
_INT_MAX = (1 << 64) - 1
_NAN: float = struct.unpack(">d", bytes.fromhex("7ff8000000000000"))[0]
_SMALL = [bytes([n]) for n in range(128)]


class Reference:
    """Something in an argument that stands for another value: a task's result or a data entry."""

    __slots__ = ()

    def _encode(self, resolver: "Resolver") -> msgpack.ExtType:
        raise NotImplementedError


class Resolver:
    """Says where references point. This one knows nothing, for places where none may stand."""

    place = "here"

    def task(self, node: Any, path: Path) -> msgpack.ExtType:
        raise GraphError("bad-value", f"a task's result may not stand {self.place}")

    def data(self, entry: Any) -> msgpack.ExtType:
        raise GraphError("bad-value", f"a data entry may not stand {self.place}")

    def future(self, future: Any, path: Path) -> msgpack.ExtType:
        raise GraphError("bad-value", "a future is an argument of tasks that its own client submits, and may stand nowhere else")


def uint_bytes(number: int) -> bytes:
    """A number ≥ 0 as MessagePack."""
    if number < 128:
        return _SMALL[number]
    packed: bytes = msgpack.packb(number)
    return packed


def task_reference(position: int, path: Path) -> msgpack.ExtType:
    """Ext 1: the result of the task at a position."""
    if path:
        return msgpack.ExtType(EXT_TASK, msgpack.packb([position, *path]))
    return msgpack.ExtType(EXT_TASK, uint_bytes(position))


def data_reference(position: int) -> msgpack.ExtType:
    """Ext 2: the data entry at a position."""
    return msgpack.ExtType(EXT_DATA, uint_bytes(position))


def convert(value: Any, resolver: Resolver, depth: int = 0) -> Any:
    """The value as msgpack's packer writes it canonically: sorted maps, one NaN, packed numbers, resolved references.

    Raises GraphError (`bad-value`, `limit-exceeded`) with the path to the part that no WIT type has.
    """
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int:
        if _INT_MIN <= value <= _INT_MAX:
            return value
        raise GraphError("bad-value", f"the integer {value} does not fit 64 bits")
    if kind is float:
        return value if value == value else _NAN
    if isinstance(value, Reference):
        return value._encode(resolver)
    if depth >= DEPTH_MAX and isinstance(value, (list, tuple, dict)) and value:
        raise GraphError("limit-exceeded", f"values nest at most {DEPTH_MAX} deep")
    if kind is list or kind is tuple:
        return _sequence(value, resolver, depth)
    if kind is dict:
        return _mapping(value, resolver, depth)
    if kind is bytes:
        return value
    return _rare(value, resolver, depth)


def _sequence(values: Any, resolver: Resolver, depth: int) -> List[Any]:
    out: List[Any] = []
    try:
        for value in values:
            out.append(convert(value, resolver, depth + 1))
    except GraphError as error:
        raise error.inside(f"[{len(out)}]") from None
    return out


def _mapping(values: Dict[Any, Any], resolver: Resolver, depth: int) -> Dict[str, Any]:
    for key in values:
        if not isinstance(key, str):
            raise GraphError("bad-value", f"the map key {key!r} is no string")
    out: Dict[str, Any] = {}
    # The order of code points is the order of UTF-8 bytes.
    for key in sorted(values):
        try:
            out[key] = convert(values[key], resolver, depth + 1)
        except GraphError as error:
            raise error.inside(f".{key}") from None
    return out


def _rare(value: Any, resolver: Resolver, depth: int) -> Any:
    """Everything that is not exactly one of the types above."""
    if isinstance(value, Packed):
        if value.element == "u8":
            return value.payload
        return msgpack.ExtType(ELEMENTS[value.element].code, value.payload)
    if isinstance(value, bytearray):
        return bytes(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, float):
        return convert(float(value), resolver, depth)
    if isinstance(value, (list, tuple)):
        return _sequence(value, resolver, depth)
    if isinstance(value, dict):
        return _mapping(value, resolver, depth)
    if isinstance(value, (set, frozenset)):
        return _flags(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {kebab(field.name): getattr(value, field.name) for field in dataclasses.fields(value)}
        return _mapping(fields, resolver, depth)
    if isinstance(value, int):
        return convert(int(value), resolver, depth)
    return _buffer(value, resolver, depth)


def _flags(names: Any) -> List[str]:
    if all(isinstance(name, str) for name in names):
        return sorted(names)
    raise GraphError("bad-value", "a set stands for flags and holds their names as strings")


def _buffer(value: Any, resolver: Resolver, depth: int) -> Any:
    """array.array, memoryview, numpy arrays and numpy scalars: all of them offer their memory."""
    try:
        view = memoryview(value)
    except TypeError:
        view = None
    if view is None or not view.format:
        if hasattr(value, "__index__"):
            return convert(operator.index(value), resolver, depth)
        raise GraphError("bad-value", f"a {type(value).__name__} is no value of WIT") from None
    if view.ndim == 0:
        return convert(value.item() if hasattr(value, "item") else view.tolist(), resolver, depth)
    if view.ndim > 1:
        if depth >= DEPTH_MAX:
            raise GraphError("limit-exceeded", f"values nest at most {DEPTH_MAX} deep")
        return [_buffer(row, resolver, depth + 1) for row in _rows(value)]
    order, fmt = (view.format[0], view.format[1:]) if view.format[0] in "@=<>!" else ("@", view.format)
    if fmt == "?":
        return view.tolist()
    element = element_of_format(fmt, view.itemsize)
    if not element:
        raise GraphError("bad-value", f"a buffer of format `{view.format}` is no list of numbers of WIT")
    payload = view.tobytes()
    if (sys.byteorder == "big" if order in "@=" else order in ">!") and view.itemsize > 1:
        payload = _swapped(payload, view.itemsize)
    return _rare(Packed(element, payload), resolver, depth)


def _rows(value: Any) -> Any:
    if hasattr(value, "__iter__") and not isinstance(value, memoryview):
        return iter(value)
    # A memoryview of more dimensions gives no rows; its bytes are cut by hand.
    size = value.nbytes // max(value.shape[0], 1)
    flat = memoryview(value.tobytes())
    rest = value.shape[1:]
    return [flat[n * size : (n + 1) * size].cast(value.format, rest) for n in range(value.shape[0])]


def _swapped(payload: bytes, width: int) -> bytes:
    out = bytearray(len(payload))
    for offset in range(width):
        out[offset::width] = payload[width - 1 - offset :: width]
    return bytes(out)


def pack(converted: Any) -> bytes:
    """The bytes of a converted value."""
    try:
        packed: bytes = msgpack.packb(converted)
    except UnicodeEncodeError as error:
        raise not_utf8(error) from None
    return packed


def not_utf8(error: UnicodeEncodeError) -> GraphError:
    """A string with lone surrogates."""
    return GraphError("bad-value", f"the string {error.object[:40]!r} cannot be written as UTF-8")


def decode(encoded: bytes) -> Any:
    """A result in the typed encoding as Python has it.

    bin is bytes, packed lists are array.array, records and variants are dicts, tuples and lists are lists.
    """
    return msgpack.unpackb(encoded, ext_hook=_decode_ext, strict_map_key=True)


def _decode_ext(code: int, payload: bytes) -> Any:
    element = BY_CODE.get(code)
    if element is None:
        raise GraphError("bad-value", f"a result holds extension code {code}, which no value has")
    return Packed(element, payload).to_array()


def is_number(value: Any) -> bool:
    """A finite int or float, and not a bool."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def scan(value: Any, found: List[Reference]) -> None:
    """Appends every reference in a value; looks where `convert` looks."""
    stack: List[Any] = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is str or kind is int or kind is float or item is None or kind is bool or kind is bytes:
            continue
        if isinstance(item, Reference):
            found.append(item)
        elif isinstance(item, (list, tuple)):
            stack.extend(item)
        elif isinstance(item, dict):
            stack.extend(item.values())
        elif dataclasses.is_dataclass(item) and not isinstance(item, type):
            stack.extend(getattr(item, field.name) for field in dataclasses.fields(item))



"""Python values to MessagePack and back. Knows docs/values.md, and no graphs: references are resolved by the caller."""

from __future__ import annotations

import dataclasses
import math
import operator
import struct
import sys
from typing import Any, Collection, Dict, List, Optional, Sequence, Set

import msgpack

from .errors import GraphError
from .names import Path, kebab
from .packed import BY_CODE, ELEMENTS, Packed, element_of_format

#: How deep values may nest; the array or map of all arguments counts as one level.
DEPTH_MAX = 64
#: Values that the arguments of a task may hold, each counted as often as it is written: they have
#: at most 32 MiB, and every value takes a byte.
ARGUMENT_VALUES_MAX = 32 << 20
#: The same of a shared literal: a graph file has at most 2 GiB.
DATA_VALUES_MAX = 2 << 30
#: Values after which a literal is measured: few are larger, and measuring takes as long as converting.
_MEASURED_FROM = 100_000
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
    #: Values that may still be converted before the literal is measured.
    room = _MEASURED_FROM

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


class _Crowded(Exception):
    """Enough values were converted that the whole literal has to be measured."""


def convert(value: Any, resolver: Resolver, values_max: int = ARGUMENT_VALUES_MAX) -> Any:
    """The value as msgpack's packer writes it canonically: sorted maps, one NaN, packed numbers, resolved references.

    Raises GraphError (`bad-value`, `limit-exceeded`) with the path to the part that no WIT type has,
    or that holds itself.
    """
    resolver.room = _MEASURED_FROM
    try:
        return _convert(value, resolver, 0)
    except _Crowded:
        measure(value, values_max)
    except GraphError as error:
        if error.code == "limit-exceeded":
            measure(value, values_max)  # What holds itself is as deep as one likes; this names the reason.
        raise
    resolver.room = values_max
    return _convert(value, resolver, 0)


def _convert(value: Any, resolver: Resolver, depth: int) -> Any:
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
    if depth >= DEPTH_MAX and children(value):
        raise GraphError("limit-exceeded", f"values nest at most {DEPTH_MAX} deep")
    if kind is list or kind is tuple:
        return _sequence(value, resolver, depth)
    if kind is dict:
        return _mapping(value, resolver, depth)
    if kind is bytes:
        return value
    return _rare(value, resolver, depth)


def _sequence(values: Any, resolver: Resolver, depth: int) -> List[Any]:
    resolver.room -= len(values)
    if resolver.room < 0:
        raise _Crowded
    out: List[Any] = []
    try:
        for value in values:
            out.append(_convert(value, resolver, depth + 1))
    except GraphError as error:
        raise error.inside(f"[{len(out)}]") from None
    return out


def _mapping(values: Dict[Any, Any], resolver: Resolver, depth: int) -> Dict[str, Any]:
    resolver.room -= len(values)
    if resolver.room < 0:
        raise _Crowded
    for key in values:
        if not isinstance(key, str):
            raise GraphError("bad-value", f"the map key {key!r} is no string")
    out: Dict[str, Any] = {}
    # The order of code points is the order of UTF-8 bytes.
    for key in sorted(values):
        try:
            out[key] = _convert(values[key], resolver, depth + 1)
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
        return _convert(float(value), resolver, depth)
    if isinstance(value, (set, frozenset)):
        return _flags(value)
    fields = record_fields(value)
    if fields is not None:
        return _mapping({kebab(name): getattr(value, name) for name in fields}, resolver, depth)
    if isinstance(value, (list, tuple)):
        return _sequence(value, resolver, depth)
    if isinstance(value, dict):
        return _mapping(value, resolver, depth)
    if isinstance(value, int):
        return _convert(int(value), resolver, depth)
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
            return _convert(operator.index(value), resolver, depth)
        raise GraphError("bad-value", f"a {type(value).__name__} is no value of WIT") from None
    if view.ndim == 0:
        return _convert(value.item() if hasattr(value, "item") else view.tolist(), resolver, depth)
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


def record_fields(value: Any) -> Optional[Sequence[str]]:
    """The names of the fields of a dataclass or a named tuple, which stand for records; None for anything else."""
    if isinstance(value, tuple):
        fields: Optional[Sequence[str]] = getattr(type(value), "_fields", None)
        return fields
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [field.name for field in dataclasses.fields(value)]
    return None


def children(value: Any) -> Collection[Any]:
    """The values that a container holds; none of anything else. The only place that knows what a container is."""
    kind = type(value)
    if kind is str or kind is int or kind is float or value is None or kind is bool or kind is bytes:
        return ()
    if isinstance(value, (list, tuple)):
        return value
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (Reference, type)):
        return ()
    return [getattr(value, name) for name in record_fields(value) or ()]


def scan(value: Any, found: List[Reference]) -> None:
    """Appends every reference in a value, those in parts that stand at several places once; takes values that hold themselves."""
    stack: List[Any] = [value]
    seen: Set[int] = set()
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is int or kind is float or kind is str:
            continue  # Most are; the rest of this loop is only for what may hold something.
        if isinstance(item, Reference):
            found.append(item)
            continue
        held = children(item)
        if held and id(item) not in seen:
            seen.add(id(item))
            stack.extend(held)


def measure(value: Any, values_max: int) -> int:
    """How many values a value holds, counted as often as they are written, in time that grows with those that exist.

    Raises GraphError: `bad-value` where a part holds itself, `limit-exceeded` above `values_max`.
    """
    sizes: Dict[int, int] = {}
    entered: Set[int] = set()
    keep: List[Any] = []  # An id is a part's only while the part is there.
    stack: List[Any] = [value]
    while stack:
        item = stack[-1]
        held = children(item)
        if not held or id(item) in sizes:
            stack.pop()
        elif id(item) not in entered:
            entered.add(id(item))
            keep.append(item)
            for part in held:
                if id(part) in entered and id(part) not in sizes and children(part):
                    raise GraphError("bad-value", f"a {type(part).__name__} holds itself, so it has no end")
            stack.extend(held)
        else:
            size = sizes[id(item)] = sum(1 + sizes.get(id(part), 0) for part in held)
            if size > values_max:
                raise GraphError("limit-exceeded", f"at most {values_max} values may stand here; written out these are more")
            stack.pop()
    return sizes.get(id(value), 0)

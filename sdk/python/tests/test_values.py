"""Python values to canonical MessagePack, and results back."""

import array
import dataclasses
import enum
import math
import struct
from typing import NamedTuple

import msgpack
import pytest

from wasm_tasks import GraphError, Packed, decode
from wasm_tasks.types import canonical_type
from wasm_tasks.values import Resolver, convert, pack, scan


def encode(value):
    return pack(convert(value, Resolver())).hex()


def test_floats_and_integers_stay_apart():
    assert encode(1) == "01"
    assert encode(1.0) == "cb3ff0000000000000"
    assert encode(True) == "c3"
    assert encode([True, 1, 1.0]) == "93c301cb3ff0000000000000"


def test_every_nan_is_the_canonical_one():
    negative = struct.unpack(">d", bytes.fromhex("fff8000000000001"))[0]
    assert encode(negative) == encode(math.nan) == "cb7ff8000000000000"
    assert Packed("f64", [1.0, negative]).payload[8:].hex() == "000000000000f87f"
    signalling = struct.pack("<I", 0xFFC00001)
    assert Packed("f32", signalling + struct.pack("<f", 1)).payload[:4].hex() == "0000c07f"
    assert Packed("f64", [math.inf, -math.inf]).to_array().tolist() == [math.inf, -math.inf]


def test_tuples_namedtuples_and_sets():
    assert encode((1, 2)) == encode([1, 2])
    assert encode({"write", "read"}) == encode(["read", "write"])


def test_maps_are_sorted_at_every_level():
    assert encode({"b": {"d": 1, "c": 2}, "a": 0}) == encode({"a": 0, "b": {"c": 2, "d": 1}})
    assert encode({"\U0001f600": 1, "\uffee": 2}) == "82a3efbfae02a4f09f988001"


def test_dataclasses_are_records():
    @dataclasses.dataclass
    class HourSum:
        hour: int
        mean_delay: float

    assert encode(HourSum(1, 2.0)) == encode({"hour": 1, "mean-delay": 2.0})


def test_subclasses_are_what_they_derive_from():
    class Color(enum.IntEnum):
        RED = 3

    class Name(str):
        pass

    assert encode(Color.RED) == "03"
    assert encode(Name("x")) == encode("x")


@pytest.mark.parametrize(
    "typecode,code",
    [("b", 16), ("H", 17), ("h", 18), ("q", 22), ("Q", 21), ("f", 23), ("d", 24)],
)
def test_arrays_are_packed_lists(typecode, code):
    numbers = array.array(typecode, [1, 2, 3])
    assert convert(numbers, Resolver()) == msgpack.ExtType(code, numbers.tobytes())
    assert decode(pack(convert(numbers, Resolver()))) == numbers


def test_bytes_in_all_their_forms():
    for value in (b"ab", bytearray(b"ab"), memoryview(b"ab"), array.array("B", b"ab"), Packed("u8", [97, 98])):
        assert encode(value) == "c4026162"
    assert encode(memoryview(b"abcd")[::2]) == "c4026163"


def test_memoryviews_of_more_dimensions_are_lists_of_packed_lists():
    grid = memoryview(array.array("d", [1, 2, 3, 4])).cast("B").cast("d", (2, 2))
    assert convert(grid, Resolver()) == [convert(Packed("f64", row), Resolver()) for row in ([1, 2], [3, 4])]


def test_numpy():
    numpy = pytest.importorskip("numpy")
    assert convert(numpy.array([1.5, 2.5]), Resolver()) == msgpack.ExtType(24, struct.pack("<2d", 1.5, 2.5))
    assert convert(numpy.array([1, 2], dtype=">i4"), Resolver()) == msgpack.ExtType(20, struct.pack("<2i", 1, 2))
    assert convert(numpy.arange(6, dtype="u2")[::2], Resolver()) == msgpack.ExtType(17, struct.pack("<3H", 0, 2, 4))
    assert convert(numpy.eye(2), Resolver()) == [
        msgpack.ExtType(24, struct.pack("<2d", 1, 0)),
        msgpack.ExtType(24, struct.pack("<2d", 0, 1)),
    ]
    assert convert(numpy.array([True, False]), Resolver()) == [True, False]
    assert encode(numpy.frombuffer(b"ab", dtype="u1")) == "c4026162"
    for scalar, expected in ((numpy.int64(5), 5), (numpy.float32(1.5), 1.5), (numpy.bool_(True), True), (numpy.float64(2), 2.0)):
        converted = convert(scalar, Resolver())
        assert converted == expected and type(converted) is type(expected)
    with pytest.raises(GraphError, match="format `e`"):
        convert(numpy.zeros(2, dtype="f2"), Resolver())


@pytest.mark.parametrize(
    "value,where,words",
    [
        (1 << 64, None, "64 bits"),
        (-(1 << 63) - 1, None, "64 bits"),
        ([1, {"x": [object()]}], "[1].x[0]", "object is no value"),
        ({"x": {1: 2}}, ".x", "map key 1"),
        ({1, 2}, None, "flags"),
        (1j, None, "complex"),
        (array.array("u", "x"), None, "no list of numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_is_no_value_is_refused_with_its_place(value, where, words):
    with pytest.raises(GraphError, match=words) as refusal:
        convert(value, Resolver())
    assert (refusal.value.code, refusal.value.where) == ("bad-value", where)


def test_what_cannot_be_utf_8_is_refused():
    with pytest.raises(GraphError, match="UTF-8"):
        encode(["\ud800"])


def holds_itself(make):
    """A container that `make` builds around a list which is then given the container."""
    inside = []
    outside = make(inside)
    inside.append(outside)
    return outside


CONTAINERS = {
    "list": lambda inside: [inside],
    "tuple": lambda inside: (inside,),
    "dict": lambda inside: {"a": 1, "b": inside},
    "dataclass": lambda inside: Held(inside),
    "named tuple": lambda inside: Point(1, inside),
    "twice": lambda inside: [inside, inside],
    "deep": lambda inside: [[[{"a": (inside,)}]]],
    "beside much": lambda inside: [list(range(200_000)), inside],
}


@dataclasses.dataclass
class Held:
    part: object


class Point(NamedTuple):
    x_axis: int
    y_axis: object


@pytest.mark.parametrize("kind", CONTAINERS)
def test_what_holds_itself_is_refused(kind):
    value = holds_itself(CONTAINERS[kind])
    with pytest.raises(GraphError, match="holds itself") as refusal:
        convert(value, Resolver())
    assert refusal.value.code == "bad-value"
    scan(value, found := [])
    assert found == []


@pytest.mark.parametrize("width,depth", [(2, 40), (1_000, 4), (30_000, 3)])
def test_shared_parts_count_as_often_as_they_are_written(width, depth):
    value = 0
    for _ in range(depth):
        value = [value] * width
    with pytest.raises(GraphError, match="written out") as refusal:
        convert(value, Resolver())
    assert refusal.value.code == "limit-exceeded"
    scan(value, found := [])
    assert found == []


def test_shared_parts_are_no_circle():
    row = [1, 2]
    assert convert([row, row, {"a": row}], Resolver()) == [[1, 2], [1, 2], {"a": [1, 2]}]
    many = [row] * 100_000
    assert convert(many, Resolver()) == many


def test_named_tuples_are_records_and_other_tuples_are_tuples():
    assert convert(Point(1, (2, 3)), Resolver()) == {"x-axis": 1, "y-axis": [2, 3]}


def test_nesting_is_limited():
    def nested(levels):
        value = 1
        for _ in range(levels):
            value = [value]
        return value

    encode(nested(64))
    with pytest.raises(GraphError) as refusal:
        encode(nested(65))
    assert refusal.value.code == "limit-exceeded"
    with pytest.raises(GraphError):
        encode(nested(900))


def test_packed_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="no packed element"):
        Packed("i32", [1])
    with pytest.raises(OverflowError):
        Packed("u16", [65536])
    with pytest.raises(ValueError, match="8 bytes each"):
        Packed("f64", b"\0" * 12)


def test_results_come_back_as_python():
    encoded = msgpack.packb(
        {"bytes": b"ab", "list": [1, None], "numbers": msgpack.ExtType(19, struct.pack("<2I", 1, 2)), "case": {"some": 1}}
    )
    result = decode(encoded)
    assert result == {"bytes": b"ab", "list": [1, None], "numbers": array.array("I", [1, 2]), "case": {"some": 1}}
    with pytest.raises(GraphError, match="extension code 1"):
        decode(msgpack.packb(msgpack.ExtType(1, b"\0")))


@pytest.mark.parametrize(
    "text,printed",
    [
        ("record{a:u8,b-c:list< record { x : f64 } >,}", "record { a: u8, b-c: list<record { x: f64 }> }"),
        (" tuple<s64,string> ", "tuple<s64, string>"),
        ("variant{none,circle(f32)}", "variant { none, circle(f32) }"),
        ("result<_>", "result"),
        ("result<_,string>", "result<_, string>"),
        ("result<f32>", "result<f32>"),
        ("option<option<char>>", "option<option<char>>"),
        ("flags{ }", "flags { }"),
        ("tuple<>", "tuple<>"),
    ],
)
def test_types_are_printed_one_way(text, printed):
    assert canonical_type(text) == printed == canonical_type(printed)


@pytest.mark.parametrize(
    "text,at", [("list<u9>", 5), ("list<u8", 7), ("u8 u8", 3), ("", 0), ("record { a u8 }", 11)]
)
def test_bad_types_say_where(text, at):
    with pytest.raises(GraphError, match=rf"at character {at} \(bad-field\)"):
        canonical_type(text)


@pytest.mark.parametrize("text", ["list<" * 65 + "u8" + ">" * 65, "enum { " + ", ".join(["a"] * 4096) + " }", "u8" + " " * 65535])
def test_types_beyond_a_limit_are_refused(text):
    with pytest.raises(GraphError, match=r"\(limit-exceeded\)"):
        canonical_type(text)

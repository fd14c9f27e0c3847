"""Graphs to canonical bytes, as docs/graph-format.md says. Knows every table's layout and no execution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Optional, Set

import msgpack

from .data import Data
from .errors import GraphError
from .names import Path
from .node import Delayed
from .values import Resolver, convert, data_reference, not_utf8, pack, task_reference

if TYPE_CHECKING:
    from .graph import Graph

VERSION = 1


class _Tables(Resolver):
    """Resolves references to positions, and takes in what the graph does not have yet."""

    def __init__(self, graph: "Graph") -> None:
        self._graph = graph
        self._positions = graph._positions
        self._references: Dict[int, msgpack.ExtType] = {}
        self.used: Set[int] = set()

    def task(self, node: Delayed, path: Path) -> msgpack.ExtType:
        position = self._positions.get(node)
        if position is None:
            position = self._graph.position_of(node)
        self.used.add(position)
        if path:
            return task_reference(position, path)
        reference = self._references.get(position)
        if reference is None:
            reference = self._references[position] = task_reference(position, ())
        return reference

    def data(self, entry: Data) -> msgpack.ExtType:
        self._graph._declare_data(entry)
        return data_reference(self._graph._data[entry])


class _Bound(_Tables):
    """Bound arguments are known before any task runs."""

    def task(self, node: Delayed, path: Path) -> msgpack.ExtType:
        raise GraphError("bad-field", "a bound argument cannot be a task's result; pass it as an argument of the task")


def write(graph: "Graph", base: Optional[str]) -> bytes:
    """The bytes of the graph's file in the folder `base`; with None, paths in it are absolute.

    Raises GraphError naming the task and the argument that cannot be written.
    """
    try:
        return _write(graph, base)
    except UnicodeEncodeError as error:
        raise not_utf8(error) from None


def _write(graph: "Graph", base: Optional[str]) -> bytes:
    tables = _Tables(graph)
    tasks = _tasks(graph, tables)
    functions = _functions(graph)
    outputs = [task_reference(graph.position_of(node), path) for node, path in graph._wanted(sorted(tables.used))]
    out = msgpack.Packer(autoreset=False)
    fields = 5 + bool(graph._data) + bool(graph._options)
    out.pack_map_header(fields)
    out.pack("wasm-tasks")
    out.pack(VERSION)
    out.pack("components")
    out.pack_array_header(len(graph._components))
    for component in graph._components:
        out.pack(component._entry(base))
    out.pack("functions")
    parts = [out.bytes(), functions]
    out.reset()
    if graph._data:
        out.pack("data")
        out.pack_array_header(len(graph._data))
        for entry in graph._data:
            out.pack(entry._entry(base))
    out.pack("tasks")
    out.pack_array_header(len(graph._tasks))
    parts += [out.bytes(), tasks]
    out.reset()
    out.pack("outputs")
    out.pack(outputs)
    if graph._options:
        out.pack("options")
        out.pack(graph._options)
    parts.append(out.bytes())
    return b"".join(parts)


def _tasks(graph: "Graph", tables: _Tables) -> bytes:
    out = msgpack.Packer(autoreset=False)
    functions = graph._functions
    keys = graph._keys
    # The list grows while references to tasks without a graph are met.
    for position, node in enumerate(graph._tasks):
        index = functions[node._function]
        try:
            converted = convert(node._args, tables)
            if node._options:
                out.pack((keys[position], index, converted, node._options))
            else:
                out.pack((keys[position], index, converted))
        except GraphError as error:
            raise error.inside(f"task `{keys[position]}`, args") from None
        except UnicodeEncodeError as error:
            raise not_utf8(error).inside(f"task `{keys[position]!a}`, args") from None
    written: bytes = out.bytes()
    return written


def _functions(graph: "Graph") -> bytes:
    entries: List[Any] = []
    for position, function in enumerate(graph._functions):
        try:
            bind = convert(function.bind, _Bound(graph))
        except GraphError as error:
            raise error.inside(f"functions[{position}].bind") from None
        entries.append(function._entry(graph._components[function.component], bind))
    return pack(entries)

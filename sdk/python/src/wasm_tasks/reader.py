"""Graph files to graphs: refuses what docs/graph-format.md refuses, with its codes and places."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Optional, Set, Tuple

import msgpack

from .component import Component, Function, checked_dynamic
from .data import Data
from .errors import GraphError
from .graph import KEY_BYTES_MAX, Graph
from .node import Delayed, Part, Result, dependencies
from .options import checked
from .packed import Packed
from .source import Source
from .strict import OddMap, check_ext, data_payload, task_payload, unpack
from .values import DEPTH_MAX, EXT_DATA, EXT_TASK

_BLAKE3 = re.compile(r"blake3:[0-9a-f]{64}\Z")
NAME_BYTES_MAX = 4096
_RESERVED = {"links", "requires"}


def read(content: bytes, base: str) -> Graph:
    """The graph of a file's bytes. Paths in it are relative to the folder `base`."""
    value = unpack(content)
    # A later version may have other fields, so the version is looked at before any field is refused.
    version = value.get("wasm-tasks", 1) if isinstance(value, dict) else 1
    if type(version) is int and version != 1:
        raise GraphError("unsupported-version", f"this is version {version}; version 1 can be read", "wasm-tasks")
    root = _fields(value, "", ("wasm-tasks", "components", "functions", "tasks", "outputs"), ("data", "options"))
    version = root["wasm-tasks"]
    if type(version) is not int:
        raise _bad("wasm-tasks", "an integer", version)
    graph = Graph()
    graph._options = _options(root, "", of_graph=True)
    return _Reader(graph, base).read(root)


class _Reader:
    """Fills a graph's tables one after the other; references need the ones before."""

    def __init__(self, graph: Graph, base: str) -> None:
        self.graph = graph
        self.base = base
        self.data: List[Data] = []
        self.nodes: Optional[List[Delayed]] = None

    def read(self, root: Dict[str, Any]) -> Graph:
        components = [self.component(entry, place) for entry, place in _list(root, "components")]
        for entry, place in _list(root, "data"):
            self.data.append(self.graph._declare_data(self.data_entry(entry, place)))
        functions = [self.function(entry, place, components) for entry, place in _list(root, "functions")]
        self.tasks(root, functions)
        self.outputs(root)
        _refuse_cycles(self.graph)
        _find_gangs(self.graph)
        return self.graph

    def component(self, value: Any, place: str) -> Component:
        entry = _fields(value, place, ("digest",), ("name", "bytes", "source"), reserved=_RESERVED)
        content = _optional(entry, "bytes", bytes, place, "bytes")
        source = self.source(entry, place, ("path", "url", "oci"))
        name = _name(entry, "name", place)
        if content is not None and source is not None:
            raise GraphError("bad-field", "a component has `bytes` or a `source`, not both", f"{place}.source")
        try:
            return Component(
                digest=entry["digest"],
                name=name,
                content=content,
                source=source,
                graph=self.graph,
            )
        except GraphError as error:
            raise error.inside(place) from None

    def source(self, entry: Dict[str, Any], place: str, kinds: Tuple[str, ...]) -> Optional[Source]:
        if "source" not in entry:
            return None
        place += ".source"
        source = entry["source"]
        if not isinstance(source, dict) or len(source) != 1 or next(iter(source)) not in kinds:
            raise GraphError("bad-field", f"a source is a map with one entry: {', '.join(kinds)}", place)
        kind = next(iter(source))
        return Source(kind, _name(source, kind, place), self.base)

    def data_entry(self, value: Any, place: str) -> Data:
        entry = _fields(value, place, ("encoding",), ("digest", "bytes", "source", "offset", "len", "type"))
        content = _optional(entry, "bytes", bytes, place, "bytes")
        source = self.source(entry, place, ("path", "url"))
        if (content is None) == (source is None):
            raise GraphError("bad-field", "a data entry has either `bytes` or a `source`", place)
        if content is not None:
            for name in ("offset", "len"):
                if name in entry and (name == "len" or entry[name] != 0):
                    raise GraphError("bad-field", "belongs to a `source`; `bytes` are taken whole", f"{place}.{name}")
        digest = _optional(entry, "digest", str, place, "a string")
        if digest is not None and not _BLAKE3.match(digest):
            raise _bad(f"{place}.digest", "`blake3:` and 64 lower-case hex digits", digest)
        if content is not None and entry["encoding"] == "value":
            try:
                self.value(unpack(content), 0, None)
            except GraphError as error:
                raise GraphError(error.code, error.message, f"{place}.bytes") from None
        try:
            return Data(
                content=content,
                source=source,
                offset=entry.get("offset", 0),
                len=entry.get("len"),
                encoding=entry["encoding"],
                type=_optional(entry, "type", str, place, "a string"),
                digest=digest,
            )
        except GraphError as error:
            raise error.inside(place) from None

    def function(self, value: Any, place: str, components: List[Component]) -> Function:
        entry = _fields(value, place, ("component", "export"), ("bind", "dynamic", "group", "options"))
        component = _item(components, entry["component"], f"{place}.component", "component")
        bind = entry.get("bind", [])
        if not isinstance(bind, list):
            raise _bad(f"{place}.bind", "an array", bind)
        dynamic = None
        if "dynamic" in entry:
            dynamic = _fields(entry["dynamic"], f"{place}.dynamic", (), ("params", "result"))
            for name, types in dynamic.items():
                if types is None:
                    raise _bad(f"{place}.dynamic.{name}", "types", types)
            try:
                dynamic = checked_dynamic(dynamic)
            except GraphError as error:
                raise error.inside(place) from None
        function = Function(
            component,
            _name(entry, "export", place),
            self.value(bind, 0, f"{place}.bind"),
            dynamic,
            _name(entry, "group", place),
            _options(entry, f"{place}."),
        )
        self.graph._declare_function(function)
        return function

    def tasks(self, root: Dict[str, Any], functions: List[Function]) -> None:
        rows = _list(root, "tasks")
        nodes = []
        for row, place in rows:
            if not isinstance(row, list) or not 3 <= len(row) <= 4:
                raise GraphError("bad-field", "a task is an array [key, function, args] or [key, function, args, options]", place)
            key = row[0]
            if not isinstance(key, str) or not key:
                raise _bad(f"{place}.key", "a string that is not empty", key)
            if len(key.encode("utf-8")) > KEY_BYTES_MAX:
                raise GraphError("limit-exceeded", f"a key has at most {KEY_BYTES_MAX} bytes", f"{place}.key")
            if key in self.graph:
                raise GraphError("duplicate-key", f"the key `{key}` is already taken", f"{place}.key")
            function = _item(functions, row[1], f"{place}.function", "function")
            node = Delayed(function, (), key)
            if len(row) == 4:
                node._options = _options({"options": row[3]}, f"{place}.", of_task=True) or None
            nodes.append(node)
        self.nodes = nodes
        for node, (row, place) in zip(nodes, rows):
            args = row[2]
            if isinstance(args, list):
                node._args = tuple(self.value(args, 0, f"{place}.args"))
            elif isinstance(args, dict):
                node._args = self.value(args, 0, f"{place}.args")
            elif isinstance(args, OddMap):
                raise GraphError("bad-value", f"the map key {args.key!r} is no string", f"{place}.args")
            else:
                raise _bad(f"{place}.args", "an array or a map", args)

    def outputs(self, root: Dict[str, Any]) -> None:
        outputs = []
        for value, place in _list(root, "outputs"):
            if not isinstance(value, msgpack.ExtType):
                raise _bad(place, "a reference to a task", value)
            if value.code != EXT_TASK:
                raise GraphError("bad-value", f"extension code {value.code} is no reference to a task", place)
            outputs.append(self.reference(value, place))
        if not outputs and self.nodes:
            raise GraphError("bad-field", "a graph with tasks has at least one output", "outputs")
        self.graph.output(*outputs)

    def value(self, value: Any, depth: int, place: Optional[str]) -> Any:
        """Checks a value and turns its ext values into what they stand for. Without a place none may refer to anything."""
        kind = type(value)
        if kind is int or kind is str or kind is float:
            return value
        if kind is msgpack.ExtType:
            return self.reference(value, place)
        if kind is OddMap:
            raise GraphError("bad-value", f"the map key {value.key!r} is no string", place)
        if kind is list or kind is dict:
            if depth >= DEPTH_MAX and value:
                raise GraphError("limit-exceeded", f"values nest at most {DEPTH_MAX} deep", place)
            # A place is written only when something is refused, so that good files cost no text.
            items = enumerate(value) if kind is list else value.items()
            out: Any = [] if kind is list else {}
            for step, item in items:
                try:
                    read = self.value(item, depth + 1, None if place is None else "")
                except GraphError as error:
                    if place is None:
                        raise
                    step = f"[{step}]" if kind is list else f".{step}"
                    raise GraphError(error.code, error.message, place + step + (error.where or "")) from None
                if kind is list:
                    out.append(read)
                else:
                    out[step] = read
            return out
        if kind is msgpack.Timestamp:
            raise GraphError("bad-value", "extension code -1 (a timestamp) is no value", place)
        return value

    def reference(self, ext: msgpack.ExtType, place: Optional[str]) -> Any:
        """What an ext value stands for: a result, a data entry, or a packed list."""
        try:
            if ext.code == EXT_TASK:
                return self.result(ext, in_bind=place is not None)
            if ext.code == EXT_DATA:
                if place is None:
                    raise GraphError("bad-value", "a data entry may not stand here")
                position = data_payload(ext.data)
                if position >= len(self.data):
                    raise GraphError("unknown-data", f"there is no data entry {position}, but {len(self.data)}")
                return self.data[position]
            return Packed(check_ext(ext), ext.data)
        except GraphError as error:
            raise GraphError(error.code, error.message, place) from None

    def result(self, ext: msgpack.ExtType, in_bind: bool) -> Result:
        if self.nodes is None:
            raise GraphError("bad-field" if in_bind else "bad-value", "a task's result may not stand here")
        position, path = task_payload(ext.data)
        if position >= len(self.nodes):
            raise GraphError("unknown-task", f"there is no task {position}, but {len(self.nodes)}")
        node = self.nodes[position]
        return Part(node, path) if path else node


def _fields(
    value: Any, place: str, required: Tuple[str, ...], optional: Tuple[str, ...], reserved: Set[str] = frozenset()  # type: ignore[assignment]
) -> Dict[str, Any]:
    if isinstance(value, OddMap):
        raise GraphError("bad-value", f"the map key {value.key!r} is no string", place or None)
    if not isinstance(value, dict):
        raise _bad(place, "a map", value)
    dot = f"{place}." if place else ""
    for name in value:
        if name in reserved:
            raise GraphError("reserved-field", f"`{name}` is reserved for later", dot + name)
        if name not in required and name not in optional:
            raise GraphError("unknown-field", f"there is no field `{name}`", dot + name)
    for name in required:
        if name not in value:
            raise GraphError("missing-field", f"the field `{name}` is missing", dot + name)
    return value


def _bad(place: str, expected: str, found: Any) -> GraphError:
    return GraphError("bad-field", f"must be {expected}, not {str(found)[:80]!r}", place or None)


def _list(root: Dict[str, Any], name: str) -> List[Tuple[Any, str]]:
    values = root.get(name, [])
    if not isinstance(values, list):
        raise _bad(name, "an array", values)
    return [(value, f"{name}[{position}]") for position, value in enumerate(values)]


def _optional(entry: Dict[str, Any], name: str, kind: type, place: str, expected: str) -> Any:
    value = entry.get(name)
    if name in entry and not isinstance(value, kind):
        raise _bad(f"{place}.{name}", expected, value)
    return value


def _name(entry: Dict[str, Any], name: str, place: str) -> Any:
    """A string that is not empty; None where it may be absent and is."""
    text = _optional(entry, name, str, place, "a string")
    if text == "":
        raise GraphError("bad-field", "is empty", f"{place}.{name}")
    if text is not None and len(text.encode("utf-8")) > NAME_BYTES_MAX:
        raise GraphError("limit-exceeded", f"has more than {NAME_BYTES_MAX} bytes", f"{place}.{name}")
    return text


def _item(items: List[Any], position: Any, place: str, noun: str) -> Any:
    if type(position) is not int or not 0 <= position < len(items):
        raise GraphError("bad-field", f"there is no {noun} {position!r}, but {len(items)}", place)
    return items[position]


def _options(entry: Dict[str, Any], dot: str, *, of_graph: bool = False, of_task: bool = False) -> Dict[str, Any]:
    value = entry.get("options", {})
    place = f"{dot}options"
    if not isinstance(value, dict):
        raise _bad(place, "a map", value)
    try:
        for name in value:
            if "_" in name:
                raise GraphError("unknown-field", f"there is no option `{name}`", f".{name}")
        return checked(value, of_graph=of_graph, of_task=of_task)
    except GraphError as error:
        raise error.inside(place) from None


def _find_gangs(graph: Graph) -> None:
    """Cuts runs of tasks that name a gang into gangs. Refuses those that are not whole, or could never start together."""
    tasks = graph.tasks
    sizes = [(node._options or {}).get("gang", 0) for node in tasks]
    at = 0
    while at < len(tasks):
        size = sizes[at]
        members = tasks[at : at + size]
        if size and sizes[at : at + size] != [size] * size:
            count = next((rank for rank, other in enumerate(sizes[at : at + size]) if other != size), len(members))
            message = f"begins a gang of {size}, of which only {count} are there; members follow each other and all say so"
            raise GraphError("bad-field", message, f"tasks[{at}].options.gang")
        for other in members:
            if other._function is not tasks[at]._function or other._options != tasks[at]._options:
                message = f"{other!r} is of the same gang and has another function or other options"
                raise GraphError("bad-field", message, f"tasks[{at}].options.gang")
            other._gang = tuple(members)
        at += max(1, size)
    if any(sizes):
        _refuse_cycles(graph, as_one=True)


def _refuse_cycles(graph: Graph, as_one: bool = False) -> None:
    """Takes away tasks whose inputs are all taken away, until none is left or only those on and behind circles are."""

    def first(node: Delayed) -> int:
        return graph.position_of(node._gang[0] if as_one and node._gang else node)

    inputs: List[List[int]] = [[] for _ in graph.tasks]
    for node in graph.tasks:
        inputs[first(node)] += [first(other) for other in dependencies(node)]
    inputs = [list(set(others)) for others in inputs]
    users: List[List[int]] = [[] for _ in inputs]
    for position, others in enumerate(inputs):
        for other in others:
            users[other].append(position)
    missing = [len(others) for others in inputs]
    ready = [position for position, count in enumerate(missing) if count == 0]
    for position in ready:
        for user in users[position]:
            missing[user] -= 1
            if missing[user] == 0:
                ready.append(user)
    if len(ready) == len(inputs):
        return
    # Every task that is left has an input that is left: walking back must come round.
    position = next(position for position, count in enumerate(missing) if count)
    walked: Dict[int, int] = {}
    trail: List[int] = []
    while position not in walked:
        walked[position] = len(trail)
        trail.append(position)
        position = next(other for other in inputs[position] if missing[other])
    circle = trail[walked[position] :][::-1]
    keys = [graph._keys[one] for one in circle]
    gangs = "; the members of a gang start together, so none may need another" if as_one else ""
    raise GraphError("cycle", " → ".join(f"`{key}`" for key in [*keys, keys[0]]) + gangs)

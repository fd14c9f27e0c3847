"""Calls of futures as tables that continue a session's graph. Knows the layout of docs/graph-format.md and no processes."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import msgpack

from .component import Component, Function
from .data import Data
from .errors import GraphError, WasmTasksError
from .future import Future
from .names import Path
from .source import Source
from .values import Resolver, convert, data_reference, not_utf8, pack, task_reference


class Written:
    """What of a graph the scheduler has."""

    def __init__(self) -> None:
        self.components: Dict[str, int] = {}
        self.functions: Dict[Function, int] = {}
        self.data: Dict[Data, int] = {}
        self.tasks = 0
        self.outputs = 0


class NeedsFailed(Exception):
    """A task needs one that will never have a result; the error is that one's."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(error))
        self.error = error


class Fragment(Resolver):
    """Tables under construction. What is written already changes only by `commit`."""

    def __init__(self, session: Any, written: Written) -> None:
        self._session = session
        self._written = written
        self._components: Dict[str, Component] = {}
        self._functions: Dict[Function, Tuple[int, bytes]] = {}
        self._data: Dict[Data, Tuple[int, bytes]] = {}
        self._tasks: List[bytes] = []
        self._found: List[int] = []
        self.futures: List[Future] = []
        #: The tasks that each task needs, by position; only those that need any.
        self.needs: Dict[int, Tuple[int, ...]] = {}

    def add(self, future: Future) -> None:
        """Writes the call of a future.

        Raises GraphError when it cannot be written, NeedsFailed when it can never run; nothing is written then.
        """
        assert future._call is not None
        function, args, options = future._call
        self._found = []
        try:
            index = self._function(function)
            converted = convert(args, self)
            entry = [future.key, index, converted, options] if options else [future.key, index, converted]
            packed: bytes = msgpack.packb(entry)
        except UnicodeEncodeError as error:
            raise not_utf8(error).inside(f"task `{future.key!a}`, args") from None
        except GraphError as error:
            raise error.inside(f"task `{future.key}`, args") from None
        self._tasks.append(packed)
        future._task = self._written.tasks + len(self.futures)
        self.futures.append(future)
        if self._found:
            self.needs[future._task] = tuple(self._found)

    def new_components(self) -> List[Component]:
        """Those that the graph has not named before."""
        return list(self._components.values())

    def has_data(self) -> bool:
        """Whether it has data entries that the graph does not have."""
        return bool(self._data)

    def to_bytes(self) -> bytes:
        """The tables: a graph file, whose positions begin where the graph ends."""
        out = [msgpack.packb("wasm-tasks") + b"\x01"]
        components = [pack(_component(component)) for component in self._components.values()]
        first = self._written.tasks
        outputs = [pack(task_reference(position, ())) for position in range(first, first + len(self._tasks))]
        tables = {
            "components": components,
            "functions": [entry for _, entry in self._functions.values()],
            "data": [entry for _, entry in self._data.values()],
            "tasks": self._tasks,
            "outputs": outputs,
        }
        if not self._data:
            del tables["data"]
        header = msgpack.Packer(autoreset=False)
        header.pack_map_header(1 + len(tables))
        out.insert(0, header.bytes())
        for name, entries in tables.items():
            header.reset()
            header.pack(name)
            header.pack_array_header(len(entries))
            out.append(header.bytes())
            out.extend(entries)
        return b"".join(out)

    def commit(self) -> None:
        """The scheduler has it."""
        written = self._written
        for digest in self._components:
            written.components[digest] = len(written.components)
        for function in self._functions:
            written.functions[function] = len(written.functions)
        for entry in self._data:
            written.data[entry] = len(written.data)
        for future in self.futures:
            future._output = written.outputs
            future._call = None
            written.outputs += 1
            written.tasks += 1

    def roll_back(self) -> None:
        """The scheduler refused it."""
        for future in self.futures:
            future._task = None

    # What arguments refer to

    def future(self, future: Future, path: Path) -> msgpack.ExtType:
        if future._session is not self._session:
            raise GraphError("bad-value", f"the future `{future.key}` is another client's; gather it, or scatter its value here")
        if future._data is not None:
            if path:
                raise GraphError("bad-value", f"`{future.key}` is scattered; scatter its parts to pass them alone")
            return self.data(future._data)
        if future._task is None:
            # It was submitted before, so by now it would be written: it was refused, or cancelled.
            if future.cancelled():
                raise NeedsFailed(WasmTasksError(f"`{future.key}`, which it needs, was cancelled"))
            raise NeedsFailed(future._refused or WasmTasksError(f"`{future.key}`, which it needs, was refused"))
        self._found.append(future._task)
        return task_reference(future._task, path)

    def data(self, entry: Data) -> msgpack.ExtType:
        position = self._written.data.get(entry)
        if position is not None:
            return data_reference(position)
        if entry not in self._data:
            self._data[entry] = (len(self._written.data) + len(self._data), pack(_data(entry)))
        return data_reference(self._data[entry][0])

    def _function(self, function: Function) -> int:
        position = self._written.functions.get(function)
        if position is not None:
            return position
        if function not in self._functions:
            component = self._component(function.component)
            bind = convert(function.bind, _Bound(self))
            position = len(self._written.functions) + len(self._functions)
            self._functions[function] = (position, pack(function._entry(component, bind)))
        return self._functions[function][0]

    def _component(self, component: Component) -> int:
        position = self._written.components.get(component.digest)
        if position is not None:
            return position
        self._components.setdefault(component.digest, component)
        return len(self._written.components) + list(self._components).index(component.digest)


class _Bound(Resolver):
    """Bound arguments are known before any task runs."""

    def __init__(self, fragment: Fragment) -> None:
        self._fragment = fragment

    def task(self, node: Any, path: Path) -> msgpack.ExtType:
        raise GraphError("bad-field", "a bound argument cannot be a task's result; pass it as an argument of the task")

    def data(self, entry: Data) -> msgpack.ExtType:
        return self._fragment.data(entry)

    def future(self, future: Future, path: Path) -> msgpack.ExtType:
        if future._data is not None and not path:
            return self._fragment.future(future, path)
        raise GraphError("bad-field", "a bound argument cannot be a task's result; pass it as an argument of the task")


def _component(component: Component) -> Dict[str, Any]:
    """Bytes and files are uploaded apart."""
    entry: Dict[str, Any] = {"digest": component.digest}
    if component.name is not None:
        entry["name"] = component.name
    if component.source is not None and component.source.kind != "path":
        entry["source"] = component.source.entry(None)
    return entry


def _data(entry: Data) -> Dict[str, Any]:
    """Files are read now: nobody else could."""
    if entry.source is None or entry.source.kind != "path":
        return entry._entry(None)
    with open(entry.source.local or "", "rb") as file:
        file.seek(entry.offset)
        content = file.read(-1 if entry.len is None else entry.len)
    fields = {"digest": entry.digest, "bytes": content, "encoding": entry.encoding, "type": entry.type}
    return {name: value for name, value in fields.items() if value is not None}


def component_bytes(component: Component) -> "bytes | None":
    """The bytes of a component, where this machine has them."""
    if component._content is not None:
        return component._content
    source = component.source
    if isinstance(source, Source) and source.kind == "path":
        with open(source.local or "", "rb") as file:
            return file.read()
    return None

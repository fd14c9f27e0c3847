"""A graph under construction: its tables, its keys and its outputs. Bytes are `writer` and `reader`'s, execution is `run`'s."""

from __future__ import annotations

import os
import tempfile
from typing import Any, Dict, Iterable, List, Optional, Sequence, Tuple, Union

from .component import Component, Function, component
from .data import Data, data, data_file
from .dot import dot_text, write_drawing
from .errors import GraphError
from .names import Path
from .node import Delayed, Result, needed
from .options import checked

KEY_BYTES_MAX = 1024


class Graph:
    """Tasks, what they call, and which results are wanted.

    Tasks belong to the graph when their component was made by `graph.component`, and keep the order
    in which they were made. Tasks of components without a graph join when something here refers to them.

    Keys are chosen (`key=`) or made: the function's name and a number, counted for each name in the
    order in which tasks were made (`add-1`, `add-2`, …), leaving out chosen ones. The same program
    thus makes the same keys and, `options` being equal, the same bytes.
    """

    def __init__(self, name: Optional[str] = None, **options: Any) -> None:
        """`options` hold for every task; docs/graph-format.md lists them."""
        if name:
            options["name"] = name
        try:
            self._options = checked(options, of_graph=True)
        except GraphError as error:
            raise error.inside("options") from None
        self._components: Dict[Component, int] = {}
        self._functions: Dict[Function, int] = {}
        self._data: Dict[Data, int] = {}
        self._tasks: List[Delayed] = []
        self._positions: Dict[Delayed, int] = {}
        self._keys: List[str] = []
        self._by_key: Dict[str, int] = {}
        self._counters: Dict[str, int] = {}
        self._outputs: List[Result] = []

    # Building

    def component(
        self,
        source: Union[str, "os.PathLike[str]", bytes, None] = None,
        *,
        interface: Optional[str] = None,
        name: Optional[str] = None,
        embed: bool = False,
        digest: Optional[str] = None,
        url: Optional[str] = None,
        oci: Optional[str] = None,
    ) -> Component:
        """A component whose calls become tasks of this graph; see `wasm_tasks.component`."""
        return component(
            source, interface=interface, name=name, embed=embed, digest=digest, url=url, oci=oci, graph=self
        )

    def data(self, value: Any, *, type: Optional[str] = None) -> Data:
        """A shared literal; see `wasm_tasks.data`."""
        return self._declare_data(data(value, type=type))

    def data_file(
        self,
        path: Union[str, "os.PathLike[str]"],
        offset: int = 0,
        len: Optional[int] = None,
        *,
        encoding: str = "raw",
        type: Optional[str] = None,
    ) -> Data:
        """A range of a file; see `wasm_tasks.data_file`."""
        return self._declare_data(data_file(path, offset, len, encoding=encoding, type=type))

    def output(self, *results: Result) -> "Graph":
        """Asks for results. Without any, the outputs are the tasks that no other task uses."""
        for result in results:
            if not isinstance(result, Result):
                raise TypeError(f"an output is a result of a task, not {result!r}")
            self.position_of(result._node)
            self._outputs.append(result)
        return self

    # Reading

    @property
    def tasks(self) -> Sequence[Delayed]:
        """The tasks, in the order of their positions."""
        return tuple(self._tasks)

    @property
    def outputs(self) -> Sequence[Result]:
        """The results that were asked for."""
        return tuple(self._outputs)

    def __len__(self) -> int:
        return len(self._tasks)

    def __getitem__(self, key: str) -> Delayed:
        """The task with a key."""
        return self._tasks[self._by_key[key]]

    def __contains__(self, key: object) -> bool:
        return key in self._by_key

    def key_of(self, node: Delayed) -> str:
        """The key of a task of this graph."""
        return self._keys[self.position_of(node)]

    def position_of(self, node: Delayed) -> int:
        """The position of a task; one without a graph joins this one, with all that it needs."""
        position = self._positions.get(node)
        if position is None:
            if node._graph is not None:
                raise GraphError("bad-value", f"{node!r} belongs to another graph")
            self._adopt([other for other in needed([node]) if other not in self._positions])
            position = self._positions[node]
        return position

    # Bytes

    def to_bytes(self, base: Union[str, "os.PathLike[str]", None] = None) -> bytes:
        """The graph file, canonical. Paths in it are relative to the folder `base` (default: the current one)."""
        from .writer import write

        return write(self, os.path.abspath(base if base is not None else os.curdir))

    def save(self, path: Union[str, "os.PathLike[str]"]) -> None:
        """Writes the graph file, whole or not at all. Paths in it are relative to its folder."""
        folder = os.path.dirname(os.path.abspath(path))
        content = self.to_bytes(folder)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".graph-", suffix=".tmp")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(temporary, 0o666 & ~mask)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise

    @staticmethod
    def load(path: Union[str, "os.PathLike[str]"]) -> "Graph":
        """Reads a graph file. Raises GraphError when it is none."""
        with open(path, "rb") as file:
            return Graph.from_bytes(file.read(), os.path.dirname(os.path.abspath(path)))

    @staticmethod
    def from_bytes(content: bytes, base: Union[str, "os.PathLike[str]", None] = None) -> "Graph":
        """A graph from the bytes of its file, which stood in the folder `base` (default: the current one)."""
        from .reader import read

        return read(content, os.path.abspath(base if base is not None else os.curdir))

    # Using

    def run(
        self, *, scheduler: Optional[str] = None, allow_paths: Iterable[Union[str, "os.PathLike[str]"]] = ()
    ) -> Dict[str, Any]:
        """Executes the graph and returns its outputs by name: the task's key, then its path as `.field` and `[index]`.

        Files that this program named are read wherever they are. What a loaded graph file names is read below the
        folder of that file, and below `allow_paths`.

        Raises what `wasm_tasks.compute` raises.
        """
        from .run import run

        return run(self, scheduler=scheduler, allow_paths=allow_paths)

    def visualize(self, filename: Optional[str] = None) -> str:
        """The graph as DOT text, also written to a file if one is named.

        A file that does not end in `.dot` or `.gv` is drawn by graphviz's `dot`, which must be installed.
        """
        text = dot_text(self)
        if filename is not None:
            write_drawing(text, filename)
        return text

    def __repr__(self) -> str:
        return f"<Graph {self._options.get('name', '')!r} of {len(self._tasks)} tasks>"

    # For the other modules of the package

    def _declare_component(self, one: Component) -> int:
        return self._components.setdefault(one, len(self._components))

    def _declare_function(self, function: Function) -> int:
        position = self._functions.get(function)
        if position is None:
            self._declare_component(function.component)
            position = self._functions[function] = len(self._functions)
        return position

    def _declare_data(self, entry: Data) -> Data:
        self._data.setdefault(entry, len(self._data))
        return entry

    def _append(self, node: Delayed) -> None:
        key = node._key
        if key is None:
            key = self._free_key(node._function._label)
        else:
            self._check_key(key)
        self._insert(node, key)

    def _adopt(self, nodes: Sequence[Delayed]) -> None:
        """Takes nodes in; the chosen keys among them go first, so that made ones step aside."""
        chosen: List[Tuple[Delayed, Optional[str]]] = []
        reserved = set()
        for node in nodes:
            key = node.key
            if key is not None:
                self._check_key(key)
                if key in reserved:
                    raise _duplicate(key)
                reserved.add(key)
            chosen.append((node, key))
        for node, key in chosen:
            self._insert(node, key if key is not None else self._free_key(node._function._label, reserved))

    def _insert(self, node: Delayed, key: str) -> None:
        self._declare_function(node._function)
        position = len(self._tasks)
        self._tasks.append(node)
        self._positions[node] = position
        self._keys.append(key)
        self._by_key[key] = position

    def _free_key(self, name: str, reserved: Any = ()) -> str:
        number = self._counters.get(name, 0)
        while True:
            number += 1
            key = f"{name}-{number}"
            if key not in self._by_key and key not in reserved:
                self._counters[name] = number
                return key

    def _check_key(self, key: str) -> None:
        if not isinstance(key, str) or not key:
            raise GraphError("bad-field", f"a key is a string that is not empty, not {key!r}")
        if len(key.encode("utf-8", "surrogatepass")) > KEY_BYTES_MAX:
            raise GraphError("limit-exceeded", f"a key has at most {KEY_BYTES_MAX} bytes, not {len(key.encode())}")
        if key in self._by_key:
            raise _duplicate(key)

    def _rename(self, node: Delayed, key: str) -> None:
        position = self.position_of(node)
        if self._keys[position] == key:
            return
        self._check_key(key)
        del self._by_key[self._keys[position]]
        self._keys[position] = key
        self._by_key[key] = position

    def _wanted(self, used: Sequence[int]) -> List[Tuple[Delayed, Path]]:
        """The outputs, given the positions that tasks refer to."""
        if self._outputs:
            return [(result._node, result._path) for result in self._outputs]
        taken = set(used)
        return [(node, ()) for position, node in enumerate(self._tasks) if position not in taken]


def _duplicate(key: str) -> GraphError:
    return GraphError("duplicate-key", f"the key `{key}` is already taken by another task")

"""Tasks as Python sees them before they run: `Delayed`, and parts of their results."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, NoReturn, Optional, Tuple, Union

import msgpack

from .errors import GraphError
from .names import Path, kebab, path_text
from .options import checked
from .values import Reference, Resolver, scan

if TYPE_CHECKING:
    from .component import Function
    from .graph import Graph

_STEP_MAX = (1 << 32) - 1
PATH_STEPS_MAX = 32
#: Creation order, which is the order of tasks in a graph.
_serial = itertools.count()


class Result(Reference):
    """The result of a task or a part of it. It may stand anywhere in another task's arguments.

    `x["field"]` and `x[0]` are parts of the result, and so is `x.mean_delay` (the field
    `mean-delay`), unless it is one of the few attributes here.
    """

    __slots__ = ()
    _node: "Delayed"
    _path: Path

    def __getitem__(self, step: Union[str, int]) -> "Part":
        return Part(self._node, (*self._path, _checked_step(step)))

    def __getattr__(self, name: str) -> "Part":
        if name.startswith("_"):
            raise AttributeError(name)
        return Part(self._node, (*self._path, kebab(name)))

    def split(self, count: int) -> Tuple["Part", ...]:
        """The first `count` parts of a result that is a tuple or list: `low, high = x.split(2)`."""
        return tuple(self[position] for position in range(count))

    def compute(self, *, scheduler: Optional[str] = None) -> Any:
        """Runs what this needs and returns its value; see `wasm_tasks.compute`."""
        from .run import compute

        return compute(self, scheduler=scheduler)[0]

    def visualize(self, filename: Optional[str] = None) -> str:
        """The graph behind this as DOT text; see `Graph.visualize`."""
        return graph_of([self]).visualize(filename)

    def _encode(self, resolver: Resolver) -> msgpack.ExtType:
        return resolver.task(self._node, self._path)

    def __iter__(self) -> NoReturn:
        raise TypeError("how long a result is is known only when it has run; use x.split(count) or x[0]")

    def __bool__(self) -> NoReturn:
        raise TypeError("whether a result is true is known only when it has run; call .compute() first")


class Part(Result):
    """A part of a task's result, named by a path. It costs no task."""

    __slots__ = ("_node", "_path")

    def __init__(self, node: "Delayed", path: Path) -> None:
        if len(path) > PATH_STEPS_MAX:
            raise GraphError("bad-value", f"a path into a result has at most {PATH_STEPS_MAX} steps")
        self._node = node
        self._path = path

    def __repr__(self) -> str:
        return f"{self._node!r}{path_text(self._path)}"


class Delayed(Result):
    """A task: a call that has not run yet."""

    __slots__ = ("_function", "_args", "_key", "_options", "_graph", "_serial", "_gang")
    _path = ()

    def __init__(self, function: "Function", args: Union[Tuple[Any, ...], Dict[str, Any]], key: Optional[str]) -> None:
        self._function = function
        self._args = args
        self._key = key
        self._options: Optional[Dict[str, Any]] = None
        #: The members of its gang by rank; empty when it is in none.
        self._gang: Tuple["Delayed", ...] = ()
        self._serial = next(_serial)
        graph = self._graph = function._graph
        if graph is not None:
            graph._append(self)

    @property
    def _node(self) -> "Delayed":  # type: ignore[override]
        return self

    @property
    def key(self) -> Optional[str]:
        """The key in the graph; None if it was not chosen and no graph has the task yet."""
        return self._graph.key_of(self) if self._graph is not None else self._key

    def options(self, *, key: Optional[str] = None, **options: Any) -> "Delayed":
        """Sets options of this task, and its key, and returns the task. Those of a member are its gang's, set with `Function.gang`."""
        if options and self._gang:
            raise GraphError("bad-value", f"{self!r} is one of a gang, whose members have the same options; give them to `gang`")
        if options:
            self._options = checked({**(self._options or {}), **options}, of_task=True)
        if key is not None:
            if self._graph is not None:
                self._graph._rename(self, key)
            self._key = key
        return self

    def __repr__(self) -> str:
        return f"<Delayed {self.key or self._function._label}>"


def _checked_step(step: Union[str, int]) -> Union[str, int]:
    if isinstance(step, str):
        return step
    if isinstance(step, int) and not isinstance(step, bool):
        if 0 <= step <= _STEP_MAX:
            return step
        raise GraphError("bad-value", f"a position in a result is 0 to {_STEP_MAX}, not {step}")
    raise GraphError("bad-value", f"a step into a result is a field's name or a position, not {step!r}")


def dependencies(node: Delayed) -> List[Delayed]:
    """The tasks that a task refers to, in no order and perhaps repeatedly."""
    found: List[Reference] = []
    args = node._args
    for arg in args.values() if isinstance(args, dict) else args:
        kind = type(arg)
        if kind is Delayed:
            found.append(arg)
        elif kind is not int and kind is not str and kind is not float:
            scan(arg, found)
    return [reference._node for reference in found if isinstance(reference, Result)]


def needed(roots: Iterable[Result]) -> List[Delayed]:
    """The tasks behind some results, in the order in which they were made."""
    stack = [root._node for root in roots]
    seen = set(stack)
    while stack:
        top = stack.pop()
        # Members start together, so one needs all.
        for node in (*dependencies(top), *top._gang):
            if node not in seen:
                seen.add(node)
                stack.append(node)
    return sorted(seen, key=lambda node: node._serial)


def graph_of(outputs: Iterable[Result]) -> "Graph":
    """A graph of what some results need, and nothing else, with them as its outputs."""
    from .graph import Graph

    roots = list(outputs)
    for root in roots:
        if not isinstance(root, Result):
            raise TypeError(f"{root!r} is no result of a task")
    nodes = needed(roots)
    owners = {id(node._graph): node._graph for node in nodes if node._graph is not None}
    if len(owners) > 1:
        raise GraphError("bad-value", "the results belong to different graphs; a graph's tasks can only use its own")
    options = next(iter(owners.values()))._options if owners else {}
    graph = Graph(**options)
    graph._adopt(nodes)
    graph.output(*roots)
    return graph

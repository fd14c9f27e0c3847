"""Components and their functions: what tasks call."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from .errors import GraphError
from .names import kebab, label
from .node import Delayed
from .options import checked
from .source import Source
from .types import canonical_type

if TYPE_CHECKING:
    from .graph import Graph

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")

#: A type as docs/values.md writes it, for `dynamic`.
Types = Mapping[str, Any]


class Function:
    """An export of a component. Calling it makes a task."""

    __slots__ = ("component", "export", "bind", "dynamic", "group", "_options", "_label", "_graph", "__weakref__")

    def __init__(
        self,
        component: "Component",
        export: str,
        bind: Sequence[Any],
        dynamic: Optional[Dict[str, Any]],
        group: Optional[str],
        options: Dict[str, Any],
    ) -> None:
        self.component = component
        self.export = export
        self.bind = list(bind)
        self.dynamic = dynamic
        self.group = group or None
        self._options = options
        self._label = label(export)
        self._graph = component._graph

    def __call__(self, *args: Any, key: Optional[str] = None, **named: Any) -> Delayed:
        """A task with these arguments: all by position, or all by the WIT names of the parameters.

        Names in snake_case are turned into kebab-case. `key` is the task's key; a parameter that
        is itself called `key` is given with `apply`.
        """
        if named:
            if args:
                raise TypeError(f"{self._label}: arguments are given by position or by name, not both")
            return Delayed(self, {kebab(name): value for name, value in named.items()}, key)
        return Delayed(self, args, key)

    def apply(
        self, args: Union[Sequence[Any], Mapping[str, Any]], *, key: Optional[str] = None, **options: Any
    ) -> Delayed:
        """A task whose arguments are one sequence, or one map by the exact WIT names of the parameters."""
        node = Delayed(self, dict(args) if isinstance(args, Mapping) else tuple(args), key)
        return node.options(**options) if options else node

    def map(self, *iterables: Iterable[Any]) -> List[Delayed]:
        """One task for each item, or for each row of several iterables of the same length."""
        columns = [list(column) for column in iterables]
        if len({len(column) for column in columns}) > 1:
            raise ValueError(f"{self._label}.map: the iterables have {[len(column) for column in columns]} items")
        return [Delayed(self, row, None) for row in zip(*columns)]

    def gang(
        self,
        size: int,
        args: Callable[[int, int], Union[Sequence[Any], Mapping[str, Any]]],
        *,
        key: Optional[str] = None,
        **options: Any,
    ) -> List[Delayed]:
        """Tasks that run at the same time, each on a worker of its own; their list by rank.

        `args(rank, size)` gives the arguments of each, as `apply` takes them: what a member is to know of its rank stands in
        them. With a `key` the members' are `key-0`, `key-1`, …; `options` are the same for all.
        """
        try:
            shared = checked({**options, "gang": size}, of_task=True)
        except GraphError as error:
            raise error.inside(f"{self._label}.gang") from None
        # What `args` makes comes before the members, which follow each other.
        all_args = [args(rank, size) for rank in range(size)]
        members = []
        for rank, own in enumerate(all_args):
            name = None if key is None else f"{key}-{rank}"
            member = Delayed(self, dict(own) if isinstance(own, Mapping) else tuple(own), name)
            member._options = dict(shared)
            members.append(member)
        for member in members:
            member._gang = tuple(members)
        return members

    def _entry(self, component: int, bind: List[Any]) -> Dict[str, Any]:
        entry: Dict[str, Any] = {"component": component, "export": self.export}
        if bind:
            entry["bind"] = bind
        if self.dynamic is not None:
            entry["dynamic"] = self.dynamic
        if self.group is not None:
            entry["group"] = self.group
        if self._options:
            entry["options"] = self._options
        return entry

    def __repr__(self) -> str:
        return f"<Function {self.export} of {self.component!r}>"


class Component:
    """A WebAssembly component.

    Its exports are attributes (`calc.mean_delay` is the export `mean-delay`) and items
    (`calc["mean-delay"]`, always the exact name). Exports that are called like one of the few
    attributes here (`digest`, `function`, `interface`, `name`, `source`) are taken as items.
    """

    def __init__(
        self,
        *,
        digest: str,
        name: Optional[str] = None,
        content: Optional[bytes] = None,
        source: Optional[Source] = None,
        interface: Optional[str] = None,
        graph: Optional["Graph"] = None,
    ) -> None:
        if not isinstance(digest, str) or not _DIGEST.match(digest):
            raise GraphError("bad-field", f"must be `sha256:` and 64 lower-case hex digits, not {digest!r}", ".digest")
        self.digest = digest
        self.name = name or None
        self.source = source
        self.interface = interface
        self._content = content
        self._graph = graph
        self._functions: Dict[str, Function] = {}
        if graph is not None:
            graph._declare_component(self)

    def function(
        self,
        export: str,
        *,
        bind: Sequence[Any] = (),
        group: Optional[str] = None,
        dynamic: Optional[Types] = None,
        **options: Any,
    ) -> Function:
        """An export by its exact name, with what all of its tasks share.

        `bind` are leading arguments (values and data, no task results), `group` a label for people,
        `options` those of docs/graph-format.md. `dynamic` is for functions that take any value:
        `{}`, or `{"params": [...], "result": "list<f64>"}` to declare types.
        """
        types = None if dynamic is None else checked_dynamic(dynamic)
        function = Function(self, self._full_name(export), bind, types, group, checked(options))
        # Attributes and items are declared by their first call: asking for one is not using it.
        if self._graph is not None:
            self._graph._declare_function(function)
        return function

    def _full_name(self, export: str) -> str:
        return f"{self.interface}#{export}" if self.interface and "#" not in export else export

    def __getitem__(self, export: str) -> Function:
        function = self._functions.get(export)
        if function is None:
            function = self._functions[export] = Function(self, self._full_name(export), (), None, None, {})
        return function

    def __getattr__(self, name: str) -> Function:
        if name.startswith("_"):
            raise AttributeError(name)
        return self[kebab(name)]

    def _entry(self, base: Optional[str]) -> Dict[str, Any]:
        entry: Dict[str, Any] = {"digest": self.digest}
        if self.name is not None:
            entry["name"] = self.name
        if self._content is not None:
            entry["bytes"] = self._content
        elif self.source is not None:
            entry["source"] = self.source.entry(base)
        return entry

    def __repr__(self) -> str:
        return f"<Component {self.name or self.source or self.digest[:19]}>"


def checked_dynamic(dynamic: Types) -> Dict[str, Any]:
    """The types of a dynamic function, printed in the canonical way. Raises GraphError with a `where` after a dot."""
    unknown = set(dynamic) - {"params", "result"}
    if unknown:
        raise GraphError("unknown-field", "`dynamic` has `params` and `result`", f".dynamic.{min(unknown)}")
    out: Dict[str, Any] = {}
    params, result = dynamic.get("params"), dynamic.get("result")
    try:
        if params is not None:
            if not isinstance(params, (list, tuple)):
                raise GraphError("bad-field", f"must be a list of types, not {params!r}")
            out["params"] = [canonical_type(param) for param in params]
    except GraphError as error:
        raise error.inside(".dynamic.params") from None
    try:
        if result is not None:
            out["result"] = canonical_type(result)
    except GraphError as error:
        raise error.inside(".dynamic.result") from None
    return out


def component(
    source: Union[str, "os.PathLike[str]", bytes, None] = None,
    *,
    interface: Optional[str] = None,
    name: Optional[str] = None,
    embed: bool = False,
    digest: Optional[str] = None,
    url: Optional[str] = None,
    oci: Optional[str] = None,
    graph: Optional["Graph"] = None,
) -> Component:
    """A component from a file or from bytes; or by `digest`, if it was uploaded before or comes from `url` or `oci`.

    `interface` (`ns:pkg/iface@1.0.0`) is the one that exports named without a `#` belong to.
    A file goes into the graph as its path, relative to where the graph is saved, or as its bytes
    with `embed=True`. It is read now for its SHA-256, unless `digest` is given.
    """
    content: Optional[bytes] = None
    origin: Optional[Source] = None
    if sum(one is not None for one in (source, url, oci)) > 1:
        raise TypeError("a component has one of a file or bytes, `url` and `oci`")
    if isinstance(source, (bytes, bytearray, memoryview)):
        content = bytes(source)
    elif source is not None:
        path = os.fspath(source)
        origin = Source("path", path)
        if embed:
            with open(path, "rb") as file:
                content = file.read()
            origin = None
        elif digest is None:
            digest = _file_digest(path)
    elif url is not None:
        origin = Source("url", url)
    elif oci is not None:
        origin = Source("oci", oci)
    if content is not None and digest is None:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
    if digest is None:
        raise TypeError("a component needs a file, bytes, or the `digest` of what was uploaded or is fetched")
    return Component(digest=digest, name=name, content=content, source=origin, interface=interface, graph=graph)


#: Components that `delayed` read, so that all functions of one file share one component.
_read: Dict[Any, Component] = {}


def delayed(
    target: Union[str, "os.PathLike[str]", bytes, Component],
    export: str,
    *,
    interface: Optional[str] = None,
    **shared: Any,
) -> Function:
    """An export as a function whose calls are lazy: `delayed("calc.wasm", "add")(1, 2).compute()`.

    `target` is a component, or the file or bytes of one. `shared` is what all of the function's tasks share, as for
    `Component.function`: `bind`, `group`, `dynamic`, options. A file that changed is read again.
    """
    if not isinstance(target, Component):
        if isinstance(target, (bytes, bytearray, memoryview)):
            known: Any = bytes(target)
        else:
            path = os.path.abspath(os.fspath(target))
            status = os.stat(path)
            known = (path, status.st_mtime_ns, status.st_size)
            target = path
        found = _read.get((known, interface))
        if found is None:
            found = _read[(known, interface)] = component(target, interface=interface)
        target = found
    elif interface is not None:
        raise TypeError("a component has its interface already; `interface` is for files and bytes")
    return target.function(export, **shared) if shared else target[export]


def _file_digest(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for chunk in iter(lambda: file.read(1 << 20), b""):
            digest.update(chunk)
    return "sha256:" + digest.hexdigest()

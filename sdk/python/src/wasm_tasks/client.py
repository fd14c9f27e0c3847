"""`Client`: calls that run at once, on a fleet or in a cluster of their own, as futures."""

from __future__ import annotations

import itertools
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, as_completed, wait
from typing import Any, Dict, Iterable, List, Optional, Set, Tuple, Union

from .binary import find_binary
from .component import Function
from .data import data
from .errors import GraphError
from .future import Future, Value
from .graph import KEY_BYTES_MAX
from .options import checked
from .run import execute
from .session import Session

__all__ = ["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "Client", "as_completed", "published", "wait"]


class Client:
    """Runs calls of components as they are submitted.

    >>> with Client() as client:
    ...     x = client.submit(calc.add, 1, 2)
    ...     y = client.submit(calc.mul, x, x)
    ...     y.result()
    9

    `scheduler` is the HOST:PORT of one; without it the environment's WASM_TASKS_SCHEDULER holds, and without
    that a cluster with all cores lives as long as the client. Closing the client, or losing it, lets go of all its
    futures, unless it has published them.
    """

    def __init__(
        self,
        scheduler: Optional[str] = None,
        *,
        name: Optional[str] = None,
        slots: Optional[int] = None,
        memory: Optional[Union[int, str]] = None,
    ) -> None:
        """`slots` and `memory` are of a cluster of its own; `name` is for `wasm-tasks status`."""
        command = [find_binary(), "session"]
        for option, value in (("--scheduler", scheduler), ("--name", name), ("--slots", slots), ("--memory", memory)):
            if value is not None:
                command += [option, str(value)]
        self._session = Session(command)
        self._numbers: Dict[str, "itertools.count[int]"] = {}
        self._chosen: Set[str] = set()

    def submit(self, function: Function, *args: Any, key: Optional[str] = None, **options: Any) -> Future:
        """Runs a call as soon as what it needs is there. Futures of this client may stand anywhere in the arguments.

        `options` are those of tasks (docs/graph-format.md). What is wrong with the call is raised by the future.
        """
        future = self._call(function, args, key, options)
        self._session.submit([future])
        return future

    def map(self, function: Function, *iterables: Iterable[Any], **options: Any) -> List[Future]:
        """One call for each row of the iterables."""
        options = checked(options) if options else {}
        futures = [self._call(function, row, None, options, is_checked=True) for row in zip(*iterables)]
        self._session.submit(futures)
        return futures

    def gather(self, futures: Iterable[Future], *, timeout: Optional[float] = None) -> List[Any]:
        """The values of futures, in their order. Raises what the first that failed raises."""
        return [future.result(timeout) for future in list(futures)]

    def scatter(self, values: Any, *, type: Optional[str] = None, broadcast: bool = False) -> Any:
        """Values as futures that are done: handed over once, however many calls take them.

        A list or tuple gives a list of futures, a dict a dict, anything else one future. Each worker that
        needs a value fetches it once; with `broadcast` all workers that are there fetch it now, before calls need it
        (the call does not wait for that). `type` is a WIT type, needed only where a dynamic function takes the value.
        """
        if isinstance(values, (list, tuple)):
            scattered: Any = [self._scatter(value, type) for value in values]
            futures = scattered
        elif isinstance(values, dict):
            scattered = {name: self._scatter(value, type) for name, value in values.items()}
            futures = list(scattered.values())
        else:
            scattered = self._scatter(values, type)
            futures = [scattered]
        if broadcast:
            self._session.broadcast([future._data for future in futures])
        return scattered

    def replicate(self, futures: Iterable[Future], n: Optional[int] = None) -> None:
        """Copies results to `n` workers, or to all that are there, before calls need them everywhere.

        Waits until the futures are done, and raises what the first that failed raises; not until the copies are there.
        Whoever got one gives it on. Results of 4 KiB at most travel with the calls that need them, and scattered values
        are with the scheduler, from which each worker fetches them once; neither is copied.
        """
        if n is not None and (isinstance(n, bool) or not isinstance(n, int) or not 1 <= n < 1 << 32):
            raise ValueError(f"`n` is how many workers should have a copy, at least 1, not {n!r}")
        futures = list(futures)
        for future in futures:
            if future._session is not self._session:
                raise GraphError("bad-value", f"the future `{future.key}` is another client's")
            error = future.exception()
            if error is not None:
                raise error
        self._session.replicate([future for future in futures if future._data is None], n)

    def publish(self, name: str) -> None:
        """Keeps the results of all futures that are alive now, and that come, under a name.

        They stay when this client is gone, until `wasm-tasks unpublish NAME`; `published(name)` gives them, by the keys
        of their tasks.
        """
        self._session.publish(name)

    @property
    def graph(self) -> str:
        """The id of the session's graph, for `wasm-tasks status`, `explain`, `logs` and `replay`."""
        return self._session.graph

    def close(self) -> None:
        """Lets go of everything. Futures that are not done fail."""
        self._session.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def _call(
        self, function: Function, args: Tuple[Any, ...], key: Optional[str], options: Dict[str, Any], *, is_checked: bool = False
    ) -> Future:
        if not isinstance(function, Function):
            raise TypeError(f"a client submits exports of components, such as `calc.add`, not {function!r}")
        future = Future(self._session, self._key(function._label) if key is None else self._choose(key))
        future._call = (function, list(args), options if is_checked or not options else checked(options))
        return future

    def _key(self, label: str) -> str:
        numbers = self._numbers.get(label)
        if numbers is None:
            numbers = self._numbers.setdefault(label, itertools.count(1))
        while True:
            key = f"{label}-{next(numbers)}"
            if key not in self._chosen:
                return key

    def _choose(self, key: str) -> str:
        if not isinstance(key, str) or not key or len(key.encode("utf-8", "surrogatepass")) > KEY_BYTES_MAX:
            raise GraphError("bad-field", f"a key is a string of 1 to {KEY_BYTES_MAX} bytes, not {key!r}")
        if key in self._chosen:
            raise GraphError("duplicate-key", f"the key `{key}` is already taken by another task")
        self._chosen.add(key)
        return key

    def _scatter(self, value: Any, type: Optional[str]) -> Future:
        future = Future(self._session, self._key("scattered"))
        future._data = data(value, type=type)
        future.set_result(Value.of(value))
        return future


def published(name: str, *, scheduler: Optional[str] = None) -> Dict[str, Any]:
    """The results that are published under a name and finished by now, by the keys of their tasks."""
    command = [find_binary(), "results", name, "--format", "msgpack"]
    if scheduler is not None:
        command += ["--scheduler", scheduler]
    return execute(command, is_partial=True)

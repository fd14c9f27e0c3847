"""Futures: results of tasks that run, or will run, on a cluster. Knows nothing of how they get there."""

from __future__ import annotations

import concurrent.futures
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, NoReturn, Optional, Tuple, Union

from .data import Data
from .errors import GraphError
from .names import Path
from .node import PATH_STEPS_MAX, _checked_step
from .values import Reference, Resolver, decode

if TYPE_CHECKING:
    import msgpack

    from .component import Function
    from .session import Session

__all__ = ["Future", "FuturePart"]


class Value:
    """A result that exists: here, or at the cluster until somebody asks for it."""

    __slots__ = ("_encoded", "_fetch", "_value", "_lock")
    _NOTHING = object()

    def __init__(self, encoded: Optional[bytes] = None, fetch: Optional[Callable[[Optional[float]], bytes]] = None) -> None:
        self._encoded = encoded
        self._fetch = fetch
        self._value: Any = self._NOTHING
        self._lock = threading.Lock()

    @staticmethod
    def of(value: Any) -> "Value":
        """One that is known without asking."""
        known = Value()
        known._value = value
        return known

    def get(self, timeout: Optional[float]) -> Any:
        with self._lock:
            if self._value is self._NOTHING:
                encoded = self._encoded
                if encoded is None:
                    assert self._fetch is not None
                    encoded = self._fetch(timeout)
                self._value = decode(encoded)
                self._encoded = self._fetch = None
            return self._value


class Future(concurrent.futures.Future, Reference):  # type: ignore[type-arg]
    """The result of a task of a `Client`, made by `submit`, `map` or `scatter`.

    It is a `concurrent.futures.Future`, so `result`, `exception`, `done`, `add_done_callback`, and the
    module's `wait` and `as_completed` are what they are there. It may stand anywhere in the arguments of other
    tasks of the same client, and so may a part of it (`future["field"]`, `future[0]`). The cluster keeps its
    result as long as this object lives, or another task needs it.
    """

    def __init__(self, session: Optional["Session"], key: str) -> None:
        super().__init__()
        self._session = session
        self._key = key
        #: Function, arguments and options, until they are with the scheduler.
        self._call: Optional[Tuple["Function", Any, Dict[str, Any]]] = None
        #: Position of the task in the session's graph, once it is written.
        self._task: Optional[int] = None
        #: Position among the outputs, once the scheduler has it.
        self._output: Optional[int] = None
        #: What it is, for scattered values.
        self._data: Optional[Data] = None
        #: Why it is not in the graph, when it was not taken.
        self._refused: Optional[BaseException] = None

    @property
    def key(self) -> str:
        """The task's key."""
        return self._key

    def result(self, timeout: Optional[float] = None) -> Any:
        """Waits for the value and returns it.

        Raises TaskFailed when the task, or one that it needs, failed; BadInput when it was refused;
        concurrent.futures.CancelledError and TimeoutError as in that module.
        """
        found = super().result(timeout)
        return found.get(timeout) if isinstance(found, Value) else found

    def cancel(self) -> bool:
        """Stops the task, at once where it runs, and what needs it. False when it had ended before."""
        if self.done():
            return self.cancelled()
        is_cancelled = super().cancel()
        if is_cancelled:
            # Tells those who wait with `wait` and `as_completed`.
            self.set_running_or_notify_cancel()
            if self._session is not None:
                self._session.cancel(self)
        return is_cancelled

    def add_done_callback(self, fn: Callable[["Future"], Any]) -> None:  # type: ignore[override]
        """Calls `fn` with this future once it is done; until then the future is kept."""
        session = self._session
        if session is not None and not self.done():
            session.keep(self)
        super().add_done_callback(fn)
        if session is not None and self.done():
            session.unkeep(self)

    def __getitem__(self, step: Union[str, int]) -> "FuturePart":
        return FuturePart(self, (_checked_step(step),))

    def _encode(self, resolver: Resolver) -> "msgpack.ExtType":
        return resolver.future(self, ())

    def __iter__(self) -> NoReturn:
        raise TypeError("how long a result is is known only when it is there; use future.result() or future[0]")

    def __del__(self) -> None:
        session, output = getattr(self, "_session", None), getattr(self, "_output", None)
        if session is not None and output is not None:
            session.drop(output)

    def __repr__(self) -> str:
        return f"<Future {self._key} {self._state.lower()}>"


class FuturePart(Reference):
    """A part of a future's result, as an argument."""

    __slots__ = ("_future", "_path")

    def __init__(self, future: Future, path: Path) -> None:
        if len(path) > PATH_STEPS_MAX:
            raise GraphError("bad-value", f"a path into a result has at most {PATH_STEPS_MAX} steps")
        self._future = future
        self._path = path

    def __getitem__(self, step: Union[str, int]) -> "FuturePart":
        return FuturePart(self._future, (*self._path, _checked_step(step)))

    def _encode(self, resolver: Resolver) -> "msgpack.ExtType":
        return resolver.future(self._future, self._path)

"""A session: the program `wasm-tasks session` and the graph that it grows. Owns which call is where on its way.

Calls are written as they come while nothing is under way, and collected while something is: many small `submit`s
become one fragment. Frames are those of docs/session.md.
"""

from __future__ import annotations

import os
import queue
import struct
import subprocess
import tempfile
import threading
import weakref
from collections import deque
from typing import Any, Callable, Deque, Dict, List, Optional, Sequence, Set, Tuple

import msgpack

from .data import Data
from .errors import BadInput, ExecutionError, GraphError, NoConnection, TaskFailed, WasmTasksError
from .fragment import Fragment, NeedsFailed, Written, component_bytes
from .future import Future, Value
from .values import decode

#: Version of the frames of docs/session.md.
_FRAMES_VERSION = 1

#: Calls that go into one fragment, so that the first results come while the rest is checked.
CALLS_MAX = 20_000
#: How long the program may take to leave.
LEAVE_SECONDS = 5.0


class Session:
    """One running program. Threads: one reads what it says, one completes futures (and runs their callbacks)."""

    def __init__(self, command: Sequence[str]) -> None:
        self._lock = threading.Lock()
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True
        )
        self._written = Written()
        self._groups: Deque[List[Future]] = deque()
        self._flying: Optional[Fragment] = None
        #: Data entries that workers are to fetch, and that may not be with the scheduler yet.
        self._broadcasts: List[Data] = []
        self._outputs: Dict[int, "weakref.ref[Future]"] = {}
        self._kept: Set[Future] = set()
        self._needs: Dict[int, Tuple[int, ...]] = {}
        self._failures: Dict[int, TaskFailed] = {}
        self._doomed: List[Tuple[int, Future]] = []
        self._uploaded: Set[str] = set()
        self._refused_component: Optional[str] = None
        self._fetches: Dict[int, List["queue.SimpleQueue[Any]"]] = {}
        self._answers: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        #: Outputs whose futures are gone; filled by `__del__`, which may come at any moment.
        self._dropped: Deque[int] = deque()
        self._is_published = False
        self._end: Optional[BaseException] = None
        self._ready = threading.Event()
        self.graph = ""
        self._done: "queue.SimpleQueue[Optional[Callable[[], None]]]" = queue.SimpleQueue()
        threading.Thread(target=self._read, name="wasm-tasks session", daemon=True).start()
        threading.Thread(target=self._complete, name="wasm-tasks futures", daemon=True).start()
        self._ready.wait()
        if self._end is not None:
            raise self._end

    # What clients do

    def submit(self, futures: List[Future]) -> None:
        """Hands over calls that are in their futures; they run as soon as what they need is there."""
        with self._lock:
            if self._end is not None:
                raise self._end
            for future in futures:
                if not self._groups or len(self._groups[-1]) >= CALLS_MAX:
                    self._groups.append([])
                self._groups[-1].append(future)
            self._write()

    def cancel(self, future: Future) -> None:
        """Stops the task of a future that was cancelled."""
        with self._lock:
            # One that is not with the scheduler yet is left out, or stopped when it is.
            if future._output is not None and self._end is None:
                self._send(["cancel", [future._task]])

    def replicate(self, futures: List[Future], copies: Optional[int]) -> None:
        """Has results copied to other workers. The futures are done."""
        with self._lock:
            if self._end is not None:
                raise self._end
            tasks = [future._task for future in futures if future._output is not None]
            if tasks:
                self._send(["replicate", tasks] + ([] if copies is None else [copies]))

    def broadcast(self, entries: List[Data]) -> None:
        """Has all workers fetch data entries, which go to the scheduler before the next calls."""
        with self._lock:
            if self._end is not None:
                raise self._end
            self._broadcasts.extend(entries)
            self._write()

    def keep(self, future: Future) -> None:
        """Keeps a future that nobody may hold, until it is done."""
        self._kept.add(future)

    def unkeep(self, future: Future) -> None:
        """It was done before it was kept."""
        self._kept.discard(future)

    def drop(self, output: int) -> None:
        """A future is gone. Never waits: this may be called in the midst of anything."""
        if self._is_published:
            return
        self._dropped.append(output)
        if self._lock.acquire(blocking=False):
            try:
                self._send_dropped()
            finally:
                self._lock.release()

    def fetch(self, output: int, timeout: Optional[float]) -> bytes:
        """The value of an output that is with the workers."""
        answer: "queue.SimpleQueue[Any]" = queue.SimpleQueue()
        with self._lock:
            if self._end is not None:
                raise self._end
            waiting = self._fetches.setdefault(output, [])
            waiting.append(answer)
            if len(waiting) == 1:
                self._send(["fetch", output])
        try:
            found = answer.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError() from None
        if isinstance(found, BaseException):
            raise found
        return bytes(found)

    def publish(self, name: str) -> None:
        """Keeps what the session has, under a name, beyond its end."""
        with self._lock:
            if self._end is not None:
                raise self._end
            self._is_published = True
            self._send(["publish", name])
        answer = self._answers.get()
        if isinstance(answer, BaseException):
            raise answer

    def close(self) -> None:
        """Ends the program. Futures that are not done fail."""
        with self._lock:
            if self._end is None:
                self._end = ExecutionError("the client was closed")
            try:
                if self._process.stdin is not None:
                    self._process.stdin.close()
            except OSError:
                pass
        try:
            self._process.wait(LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    # Writing: with the lock held

    def _send(self, frame: List[Any]) -> None:
        encoded = msgpack.packb(frame)
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(struct.pack("<I", len(encoded)) + encoded)
            stdin.flush()
        except (OSError, ValueError):
            pass  # The program is gone; the thread that reads tells everybody.

    def _send_dropped(self) -> None:
        if not self._dropped or self._end is not None:
            return
        outputs = []
        while self._dropped:
            outputs.append(self._dropped.popleft())
        for output in outputs:
            self._outputs.pop(output, None)
        self._send(["release", outputs])

    def _write(self) -> None:
        """Sends the next fragment, unless one is under way."""
        if self._broadcasts and self._flying is None and self._end is None:
            self._write_broadcasts()
        while self._flying is None and self._groups and self._end is None:
            fragment = Fragment(self, self._written)
            for future in self._groups.popleft():
                if future.done():
                    continue
                try:
                    fragment.add(future)
                except NeedsFailed as needs:
                    self._fail(future, needs.error)
                except (GraphError, OSError) as error:
                    self._fail(future, error)
            if not fragment.futures:
                continue
            self._upload(fragment)
            self._flying = fragment
            self._send(["append", fragment.to_bytes()])
        self._send_dropped()

    def _write_broadcasts(self) -> None:
        """Sends what is to be broadcast and is not there yet, as a fragment without calls; otherwise the order."""
        fragment = Fragment(self, self._written)
        for entry in self._broadcasts:
            fragment.data(entry)
        if fragment.has_data():
            self._flying = fragment
            self._send(["append", fragment.to_bytes()])
        else:
            entries, self._broadcasts = self._broadcasts, []
            self._send(["broadcast", [self._written.data[entry] for entry in entries]])

    def _upload(self, fragment: Fragment) -> None:
        for component in fragment.new_components():
            if component.digest in self._uploaded:
                continue
            try:
                content = component_bytes(component)
            except OSError as error:
                self._refused_component = str(error)
                continue
            if content is not None:
                self._uploaded.add(component.digest)
                self._send(["component", content])

    # Reading

    def _read(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None
        error: Optional[BaseException] = None
        try:
            while True:
                head = stdout.read(4)
                if len(head) < 4:
                    break
                (length,) = struct.unpack("<I", head)
                body = stdout.read(length)
                if len(body) < length:
                    break
                self._on_frame(msgpack.unpackb(body))
        except BaseException as unexpected:  # noqa: BLE001 - whoever waits must hear of it
            error = unexpected
        self._on_end(error)

    def _on_frame(self, frame: List[Any]) -> None:
        kind = frame[0]
        with self._lock:
            if kind == "output":
                self._on_output(frame[1], frame[2])
            elif kind == "appended":
                self._on_appended()
            elif kind == "failed":
                self._on_failed(frame[1])
            elif kind == "refused":
                self._on_refused(*frame[1:])
            elif kind == "value":
                for waiting in self._fetches.pop(frame[1], []):
                    waiting.put(frame[2] if isinstance(frame[2], bytes) else ExecutionError(frame[2]))
            elif kind == "quiet":
                self._on_quiet()
            elif kind == "published":
                self._answers.put(None)
            elif kind == "ready":
                if frame[2:3] != [_FRAMES_VERSION]:
                    raise ExecutionError(f"`wasm-tasks session` speaks another version of its frames than {_FRAMES_VERSION}")
                self.graph = frame[1]
                self._ready.set()

    def _on_appended(self) -> None:
        fragment, self._flying = self._flying, None
        assert fragment is not None
        fragment.commit()
        self._needs.update(fragment.needs)
        cancelled = []
        for future in fragment.futures:
            assert future._output is not None
            self._outputs[future._output] = weakref.ref(future)
            if future.cancelled():
                cancelled.append(future._task)
        if cancelled:
            self._send(["cancel", cancelled])
        self._write()

    def _on_refused(self, what: str, code: str, message: str) -> None:
        if what == "component":
            self._refused_component = message
            return
        if what == "published":
            self._answers.put(BadInput(message))
            return
        fragment, self._flying = self._flying, None
        assert fragment is not None
        fragment.roll_back()
        futures = fragment.futures
        if not futures:
            # Calls that take these values are refused for the same reason.
            self._broadcasts.clear()
        elif len(futures) == 1:
            if code == "not-uploaded" and self._refused_component is not None:
                message, self._refused_component = self._refused_component, None
                self._uploaded.difference_update(component.digest for component in fragment.new_components())
            self._fail(futures[0], BadInput(f"error[{code}]: {message}"))
        else:
            # Some call in it is wrong; the others shall not suffer.
            middle = len(futures) // 2
            self._groups.appendleft(futures[middle:])
            self._groups.appendleft(futures[:middle])
        self._write()

    def _on_output(self, output: int, payload: Any) -> None:
        reference = self._outputs.get(output)
        future = reference() if reference is not None else None
        if future is None or future.done() or payload is None:
            return
        if payload is False:
            assert future._task is not None
            cause = self._cause_of(future._task)
            if cause is None:
                self._doomed.append((future._task, future))
            else:
                self._fail(future, cause)
        elif isinstance(payload, bytes):
            self._finish(future, Value(payload))
        else:
            self._finish(future, Value(fetch=lambda timeout: self.fetch(output, timeout)))

    def _on_failed(self, failure: Dict[str, Any]) -> None:
        key, code = failure["key"], failure["code"]
        error = TaskFailed(
            f"task `{key}` failed [{code}]: {failure['message']}",
            key=key,
            code=code,
            value=decode(failure["value"]) if failure["value"] else None,
            stderr=failure["stderr"],
        )
        self._failures[failure["task"]] = error
        self._settle_doomed(None)

    def _on_quiet(self) -> None:
        """All has been told, so who is still without a cause was stopped from elsewhere."""
        self._settle_doomed(TaskFailed("it was stopped", code="cancelled"))

    def _settle_doomed(self, otherwise: Optional[TaskFailed]) -> None:
        doomed, self._doomed = self._doomed, []
        for task, future in doomed:
            cause = self._cause_of(task) or otherwise
            if cause is None:
                self._doomed.append((task, future))
            else:
                self._fail(future, cause)

    def _cause_of(self, task: int) -> Optional[TaskFailed]:
        """The failure of a task, or of one that it needs."""
        seen, stack = {task}, [task]
        while stack:
            task = stack.pop()
            found = self._failures.get(task)
            if found is not None:
                return found
            for need in self._needs.get(task, ()):
                if need not in seen:
                    seen.add(need)
                    stack.append(need)
        return None

    # Completing: callbacks may do anything, so they run without the lock

    def _finish(self, future: Future, value: Value) -> None:
        self._done.put(lambda: _settle(future, value, None))
        self._kept.discard(future)

    def _fail(self, future: Future, error: BaseException) -> None:
        if future._output is None:
            future._refused = error
            future._call = None
        self._done.put(lambda: _settle(future, None, error))
        self._kept.discard(future)

    def _complete(self) -> None:
        while True:
            work = self._done.get()
            if work is None:
                return
            work()
            del work

    def _on_end(self, unexpected: Optional[BaseException]) -> None:
        code = self._process.wait()
        self._errors.seek(0)
        message = self._errors.read().decode("utf-8", "replace").strip()
        with self._lock:
            if self._end is None:
                self._end = unexpected or _end_of(code, message)
            error = self._end
            alive = [reference() for reference in self._outputs.values()]
            flying = self._flying.futures if self._flying is not None else []
            waiting = [future for group in self._groups for future in group]
            self._groups.clear()
            for future in [*alive, *flying, *waiting]:
                if future is not None and not future.done():
                    self._done.put(lambda future=future: _settle(future, None, error))
            for answers in self._fetches.values():
                for answer in answers:
                    answer.put(error)
            self._fetches.clear()
            self._answers.put(error)
            self._kept.clear()
        self._done.put(None)
        self._ready.set()


def _settle(future: Future, value: Optional[Value], error: Optional[BaseException]) -> None:
    """Completes a future, unless it was cancelled or is told of twice."""
    try:
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)
    except Exception:  # noqa: BLE001 - `InvalidStateError`, which Python 3.7 and later have in two places
        pass


def _end_of(code: int, message: str) -> WasmTasksError:
    if code == 3:
        return NoConnection(message or "no connection to the scheduler")
    if code == 2:
        return BadInput(message or "the session was refused")
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return ExecutionError(f"`wasm-tasks session` {how}" + (f": {message}" if message else ""))

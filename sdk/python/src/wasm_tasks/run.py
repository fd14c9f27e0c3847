"""Executes graphs: hands them to the `wasm-tasks` program and reads what it answers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Tuple, Union

from .binary import find_binary
from .errors import BadInput, ExecutionError, GraphError, Interrupted, NoConnection, TaskFailed
from .names import output_name
from .node import Result, graph_of
from .values import decode

if TYPE_CHECKING:
    from .graph import Graph

    StrPath = Union[str, "os.PathLike[str]"]

#: How long a program that was interrupted may take to cancel its graph before it is killed.
CANCEL_SECONDS = 10.0


def compute(*results: Result, scheduler: Optional[str] = None) -> Tuple[Any, ...]:
    """Runs what the results need, in one graph, and returns their values in the same order.

    `scheduler` is the HOST:PORT of one; without it the environment's WASM_TASKS_SCHEDULER holds,
    and without that the tasks run on all cores of this machine.

    Raises TaskFailed, BadInput, NoConnection or BinaryNotFound with the program's message;
    Interrupted, which is a KeyboardInterrupt, when the run was interrupted.
    """
    if not results:
        return ()
    graph = graph_of(results)
    names = [output_name(graph.key_of(result._node), result._path) for result in results]
    _check_names(graph, results, names)
    values = run(graph, scheduler=scheduler)
    missing = [name for name in names if name not in values]
    if missing:
        raise ExecutionError(f"`wasm-tasks` ended well but gave no output `{missing[0]}`; it gave {sorted(values)}")
    return tuple(values[name] for name in names)


def _check_names(graph: "Graph", results: Tuple[Result, ...], names: List[str]) -> None:
    """Two different results may be called the same only if a key imitates a path."""
    known: Dict[str, Any] = {}
    for result, name in zip(results, names):
        what = (result._node, result._path)
        if known.setdefault(name, what) != what:
            raise GraphError("duplicate-key", f"two outputs are called `{name}`; choose other keys")


def _folders(graph: "Graph", allowed: Iterable["StrPath"]) -> List[str]:
    """Folders that the graph may read besides this one: those of files that this program named, those of graph files that
    it was read from, and those that are allowed."""
    here = os.path.join(os.getcwd(), "")
    sources = [entry.source for entry in (*graph._components, *graph._data) if entry.source is not None]
    named = {source.folder for source in sources}
    wanted = {folder for folder in named if folder is not None} | {os.path.abspath(folder) for folder in allowed}
    return sorted(folder for folder in wanted if not os.path.join(folder, "").startswith(here))


def run(graph: "Graph", *, scheduler: Optional[str] = None, allow_paths: Iterable["StrPath"] = ()) -> Dict[str, Any]:
    """Runs a graph and returns its outputs by name."""
    program = find_binary()
    from .writer import write

    # The program takes paths in what it reads from standard input as relative to its folder, which is this one.
    command = [program, "submit", "-", "--format", "msgpack", "--quiet"]
    if scheduler is not None:
        command += ["--scheduler", scheduler]
    for folder in _folders(graph, allow_paths):
        command += ["--allow-path", folder]
    code, out, err = _execute(command, write(graph, os.getcwd()))
    return _answer(code, out, err.decode("utf-8", "replace").strip())


def execute(command: List[str], *, is_partial: bool = False) -> Dict[str, Any]:
    """Runs the program for outputs. `is_partial`: some may be missing."""
    code, out, err = _execute(command)
    if code == 1 and is_partial and out:
        return _outputs(out)
    return _answer(code, out, err.decode("utf-8", "replace").strip())


def _answer(code: int, out: bytes, message: str) -> Dict[str, Any]:
    if code == 0:
        return _outputs(out)
    if code == 1:
        raise TaskFailed(message or "a task failed", _outputs(out) if out else {})
    if code == 2:
        raise BadInput(message or "the graph was refused")
    if code == 3:
        raise NoConnection(message or "no connection to the scheduler")
    if code in (130, -signal.SIGINT):
        raise Interrupted(message or "interrupted")
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    raise ExecutionError(f"`wasm-tasks` {how}" + (f": {message}" if message else ""))


def _outputs(out: bytes) -> Dict[str, Any]:
    try:
        values = decode(out)
    except (ValueError, GraphError) as error:
        raise ExecutionError(f"`wasm-tasks` printed {len(out)} bytes that are no outputs: {error}") from error
    if not isinstance(values, dict):
        raise ExecutionError(f"`wasm-tasks` printed a {type(values).__name__} where a map of outputs was expected")
    return values


def _execute(command: List[str], given: bytes = b"") -> Tuple[int, bytes, bytes]:
    """Runs the program to its end, with some bytes as its standard input.

    An interrupt is handed on once, so that it can cancel the graph.
    """
    # In a group of its own the program gets exactly one interrupt for each of ours: from here,
    # and not a second one from the terminal, which it would take for "stop at once".
    if sys.platform == "win32":
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=subprocess.CREATE_NEW_PROCESS_GROUP,
        )
        interrupt = signal.CTRL_BREAK_EVENT
    else:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        interrupt = signal.SIGINT
    with process:
        try:
            out, err = process.communicate(given)
        except KeyboardInterrupt:
            raise Interrupted(_cancel(process, interrupt)) from None
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, err


def _cancel(process: "subprocess.Popen[bytes]", interrupt: int) -> str:
    """Lets the program cancel its graph and end; a second interrupt or too long a wait kills it."""
    try:
        process.send_signal(interrupt)
        _, err = process.communicate(timeout=CANCEL_SECONDS)
        return err.decode("utf-8", "replace").strip() or "interrupted; the graph was cancelled"
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        return "interrupted; `wasm-tasks` was killed before it had cancelled the graph"

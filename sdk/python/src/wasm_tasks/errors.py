"""Every exception of the package. Knows nothing of graphs or processes."""

from __future__ import annotations

import re
from typing import Any, Dict, Optional

#: Characters that a terminal obeys or that reorder text: C0 without line feed and tab, DEL, C1, and the bidirectional
#: controls and separators of Unicode.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def escaped(text: str) -> str:
    """Text with `\\u{…}` for each character that is unsafe on a terminal: keys and messages come from graphs and guests."""
    return _UNSAFE.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", text)


class WasmTasksError(Exception):
    """Base of everything that this package raises on purpose, except `Interrupted`.

    Its text is safe to print; `args` and the fields of the exceptions have the words as they came.
    """

    def __str__(self) -> str:
        return escaped(super().__str__())


class GraphError(WasmTasksError, ValueError):
    """A graph, or a value in it, that the graph format does not allow.

    `code` is one of the codes of docs/graph-format.md, `where` a path from the root of the
    file such as `tasks[3].args[0]`, or None where it is not known.
    """

    def __init__(self, code: str, message: str, where: Optional[str] = None) -> None:
        super().__init__(code, message, where)
        self.code = code
        self.message = message
        self.where = where

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return escaped(f"{place}{self.message} ({self.code})")

    def inside(self, prefix: str) -> GraphError:
        """The same error, seen from the value around it."""
        return GraphError(self.code, self.message, prefix + (self.where or ""))


class ExecutionError(WasmTasksError):
    """The `wasm-tasks` program ended without all results. The message is what it printed."""


class TaskFailed(ExecutionError):
    """A task failed. `results` has the outputs that were finished all the same, by name.

    Of a future, `key` and `code` say which task failed and why (docs/errors), `value` is what its export gave as `err`,
    and `stderr` the end of what it wrote.
    """

    def __init__(
        self,
        message: str,
        results: Optional[Dict[str, Any]] = None,
        *,
        key: Optional[str] = None,
        code: Optional[str] = None,
        value: Any = None,
        stderr: str = "",
    ) -> None:
        super().__init__(message)
        self.results: Dict[str, Any] = results or {}
        self.key = key
        self.code = code
        self.value = value
        self.stderr = stderr


class BadInput(ExecutionError):
    """The graph was refused before anything ran."""


class NoConnection(ExecutionError):
    """The scheduler cannot be reached."""


class BinaryNotFound(ExecutionError):
    """There is no `wasm-tasks` program to execute graphs with."""


class Interrupted(KeyboardInterrupt):
    """The run was interrupted and its graph cancelled. Like KeyboardInterrupt, no `except Exception` catches it."""

"""Finds the `wasm-tasks` program."""

from __future__ import annotations

import os
import shutil

from .errors import BinaryNotFound

_NAME = "wasm-tasks.exe" if os.name == "nt" else "wasm-tasks"


def find_binary() -> str:
    """The program named by WASM_TASKS_BIN, else the one shipped with this package, else the one on PATH.

    Raises BinaryNotFound, which says what to do.
    """
    named = os.environ.get("WASM_TASKS_BIN")
    if named:
        if os.path.isfile(named) and os.access(named, os.X_OK):
            return named
        raise BinaryNotFound(f"WASM_TASKS_BIN is `{named}`, which is no program that can be executed")
    shipped = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bin", _NAME)
    if os.access(shipped, os.X_OK):
        return shipped
    found = shutil.which(_NAME)
    if found:
        return found
    raise BinaryNotFound(
        "graphs are executed by the program `wasm-tasks`, which is not on PATH; "
        "build it (`cargo build -p wasm-tasks-cli`) and put it there, or set WASM_TASKS_BIN to its path. "
        "Building and saving graphs needs no program"
    )

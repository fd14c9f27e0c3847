"""Build graphs of sandboxed WebAssembly tasks, and run them with `wasm-tasks`.

>>> from wasm_tasks import component, compute
>>> calc = component("calc.wasm")
>>> x = calc.add(1, 2)
>>> y = calc.add(x, 3)
>>> y.compute()
6
"""

from __future__ import annotations

from .binary import find_binary
from .client import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, Client, as_completed, published, wait
from .component import Component, Function, component, delayed
from .data import Data, data, data_file, data_url
from .errors import (
    BadInput,
    BinaryNotFound,
    ExecutionError,
    GraphError,
    Interrupted,
    NoConnection,
    TaskFailed,
    WasmTasksError,
)
from .future import Future
from .graph import Graph
from .node import Delayed, Part, Result, graph_of
from .packed import Packed
from .run import compute
from .values import decode

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED",
    "BadInput",
    "BinaryNotFound",
    "Client",
    "Component",
    "Data",
    "Delayed",
    "ExecutionError",
    "FIRST_COMPLETED",
    "FIRST_EXCEPTION",
    "Function",
    "Future",
    "Graph",
    "GraphError",
    "Interrupted",
    "NoConnection",
    "Packed",
    "Part",
    "Result",
    "TaskFailed",
    "WasmTasksError",
    "as_completed",
    "component",
    "compute",
    "data",
    "data_file",
    "data_url",
    "decode",
    "delayed",
    "find_binary",
    "graph_of",
    "published",
    "wait",
]

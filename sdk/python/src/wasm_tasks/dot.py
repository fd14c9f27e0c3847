"""Graphs as drawings: text in graphviz's DOT language, and files drawn from it by `dot`."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, List

from .errors import WasmTasksError
from .names import path_text
from .node import Delayed, Result, dependencies
from .values import Reference, scan

if TYPE_CHECKING:
    from .graph import Graph


def dot_text(graph: "Graph") -> str:
    """One box a task, one arrow for each different use of a result; outputs have a double border."""
    edges: List[str] = []
    used = set()
    for node in graph.tasks:
        for other in dependencies(node):
            graph.position_of(other)
    for position, node in enumerate(graph.tasks):
        seen = set()
        for reference in _references(node):
            source = graph.position_of(reference._node)
            used.add(source)
            edge = (source, reference._path)
            if edge not in seen:
                seen.add(edge)
                note = f" [label={_quoted(path_text(reference._path))}]" if reference._path else ""
                edges.append(f"  t{source} -> t{position}{note};")
    wanted = {graph.position_of(node) for node, _ in graph._wanted(sorted(used))}
    lines = ["digraph {", "  rankdir=BT;", "  node [shape=box, fontname=sans];"]
    for position, node in enumerate(graph.tasks):
        extra = ", peripheries=2" if position in wanted else ""
        text = f"{graph.key_of(node)}\n{node._function._label}"
        lines.append(f"  t{position} [label={_quoted(text)}{extra}];")
    return "\n".join([*lines, *edges, "}", ""])


def _references(node: Delayed) -> List[Result]:
    found: List[Reference] = []
    scan(list(node._args.values()) if isinstance(node._args, dict) else node._args, found)
    results = [reference for reference in found if isinstance(reference, Result)]
    results.reverse()
    return results


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def write_drawing(text: str, filename: str) -> None:
    """Writes the DOT text, or what graphviz draws from it, by the file's ending."""
    ending = os.path.splitext(filename)[1].lower().lstrip(".")
    if ending in ("dot", "gv"):
        with open(filename, "w", encoding="utf-8") as file:
            file.write(text)
        return
    program = shutil.which("dot")
    if program is None:
        raise WasmTasksError(
            f"`{filename}` would be drawn by graphviz's `dot`, which is not installed; "
            f"install graphviz, or name a file that ends in `.dot`"
        )
    drawn = subprocess.run(
        [program, f"-T{ending}", "-o", filename], input=text.encode("utf-8"), stderr=subprocess.PIPE, check=False
    )
    if drawn.returncode:
        raise WasmTasksError(f"`dot` could not draw `{filename}`: {drawn.stderr.decode(errors='replace').strip()}")

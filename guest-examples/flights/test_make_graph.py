"""Tests of how the demo's graph cuts files: every line is in exactly one range, whole."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from make_graph import cut
from wasm_tasks import Graph

HEADER = b"hour,dep_delay\n"


def pieces_of(path: Path, pieces: int) -> list:
    content = path.read_bytes()
    _, ranges = cut(str(path), pieces)
    return [content[offset : offset + length] for offset, length in ranges]


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("ending", [b"\n", b""])
def test_ranges_are_whole_lines_and_all_of_them(tmp_path: Path, pieces: int, ending: bytes) -> None:
    lines = [b"%d,%s" % (i % 24, b"9" * (i % 11)) for i in range(40)]
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"\n".join(lines) + ending)
    parts = pieces_of(path, pieces)
    assert b"".join(parts) == b"\n".join(lines) + ending
    assert all(part.endswith(b"\n") for part in parts[:-1])
    assert 1 <= len(parts) <= pieces and all(parts)
    if pieces <= 7:
        assert len(parts) == pieces


def test_a_file_without_lines_has_no_range(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER)
    assert cut(str(path), 3) == ("hour,dep_delay", [])


def test_a_line_longer_than_a_piece_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(HEADER + b"1," + b"1" * 1000 + b"\n2,2\n")
    assert pieces_of(path, 4) == [b"1," + b"1" * 1000 + b"\n", b"2,2\n"]


def arguments(folder: Path) -> list:
    """The arguments of both programs that write the graph, for five files."""
    files = []
    for month in range(5):
        path = folder / f"{month}.csv"
        path.write_bytes(HEADER + b"1,2\n" * 10)
        files.append(str(path))
    for step in ("parse", "other"):
        (folder / f"{step}.wasm").write_bytes(step.encode())
    other = str(folder / "other.wasm")
    return ["--parse", str(folder / "parse.wasm"), "--combine", other, "--stats", other, "--report", other, *files]


def made_by_python(folder: Path) -> Path:
    out = folder / "python.msgpack"
    script = str(Path(__file__).with_name("make_graph.py"))
    subprocess.run([sys.executable, script, *arguments(folder), "--out", str(out)], check=True)
    return out


def test_the_graph_combines_in_a_tree(tmp_path: Path) -> None:
    graph = Graph.load(made_by_python(tmp_path))
    keys = [graph.key_of(task) for task in graph.tasks]
    parsed = [f"parse-{month}-{piece}" for month in range(5) for piece in range(2)]
    assert keys == [*parsed, "combine-0-0", "combine-0-1", "combine-0-2", "combine-1-0", "summary", "report"]
    assert [graph.key_of(output._node) for output in graph.outputs] == ["report"]


@pytest.mark.skipif("WASM_TASKS_FLIGHTS" not in os.environ, reason="WASM_TASKS_FLIGHTS names no example of the Rust SDK")
def test_the_rust_sdk_writes_the_same_bytes(tmp_path: Path) -> None:
    out = tmp_path / "rust.msgpack"
    subprocess.run([os.environ["WASM_TASKS_FLIGHTS"], *arguments(tmp_path), "--out", str(out)], check=True)
    assert out.read_bytes() == made_by_python(tmp_path).read_bytes()

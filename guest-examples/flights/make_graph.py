"""Writes the graph of the flights demo: mean departure delay by scheduled hour.

Every CSV is cut into ranges, each range is parsed to partial sums, the partial sums are combined in
a tree, and the last task makes a table and a plot. Which component does a step is an argument: the
steps are typed, so one written in another language takes its place.

    python make_graph.py --parse flights.wasm --combine combine.wasm --stats stats.wasm \\
        --report report.wasm --out graph.msgpack 2013-*.csv
"""

from __future__ import annotations

import argparse
import os
from typing import Dict, Iterator, List, Tuple

from wasm_tasks import Component, Delayed, Function, Graph

VERSION = "0.1.0"
#: Partial sums that one task combines.
FAN_IN = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for step in ("parse", "combine", "stats", "report"):
        parser.add_argument(f"--{step}", required=True, metavar="WASM", help=f"component that does the step `{step}`")
    parser.add_argument("--out", required=True, metavar="GRAPH", help="where to write the graph")
    parser.add_argument("--pieces", type=int, default=2, metavar="N", help="ranges to cut each file into")
    parser.add_argument("csv", nargs="+", metavar="CSV")
    args = parser.parse_args()
    if args.pieces < 1:
        parser.error("--pieces must be 1 or more")

    graph = Graph("flights")
    components: Dict[str, Component] = {}

    def export(step: str, function: str, **options: object) -> Function:
        path = os.path.abspath(getattr(args, step))
        if path not in components:
            components[path] = graph.component(path, name=os.path.splitext(os.path.basename(path))[0])
        return components[path].function(f"wasm-tasks:examples/flights-{step}@{VERSION}#{function}", **options)

    parsers: Dict[str, Function] = {}
    ranges_count = 0
    sums: List[Delayed] = []
    for path in args.csv:
        name = os.path.splitext(os.path.basename(path))[0]
        header, ranges = cut(path, args.pieces)
        if header not in parsers:
            parsers[header] = export("parse", "parse", bind=[header], group="parse")
        ranges_count += len(ranges)
        for i, (offset, length) in enumerate(ranges):
            part = graph.data_file(path, offset, length)
            sums.append(parsers[header](part, key=f"parse-{name}-{i}"))

    combine = export("combine", "combine", group="combine")
    level = 0
    while len(sums) > 1 or level == 0:
        groups = [sums[i : i + FAN_IN] for i in range(0, len(sums), FAN_IN)]
        sums = [combine(group, key=f"combine-{level}-{i}") for i, group in enumerate(groups)]
        level += 1
    (total,) = sums

    summary = export("stats", "describe")(total, key="summary")
    report = export("report", "make")(total, summary, key="report")
    graph.output(report)
    graph.save(args.out)
    print(f"{args.out}: {len(graph)} tasks, {len(args.csv)} files in {ranges_count} ranges")


def cut(path: str, pieces: int) -> Tuple[str, List[Tuple[int, int]]]:
    """The header line of a CSV, and ranges (offset, length) that together are everything after it.

    The rule: a range begins at the start of a line and ends after a line end (or at the end of the
    file), so no line is read by two tasks or by none. It holds for files whose quoted fields contain
    no line ends, which the task checks by counting fields.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        header = file.readline()
        starts = list(line_starts(file, len(header), size, pieces))
    ends = starts[1:] + [size]
    return header.decode("utf-8").rstrip("\r\n"), [(start, end - start) for start, end in zip(starts, ends)]


def line_starts(file: object, first: int, size: int, pieces: int) -> Iterator[int]:
    """Starts of lines, evenly spread: the first line's, and those of the lines after each cut."""
    last = first
    if first < size:
        yield first
    for i in range(1, pieces):
        file.seek(max(first + (size - first) * i // pieces - 1, first))
        file.readline()
        start = file.tell()
        if last < start < size:
            yield start
            last = start


if __name__ == "__main__":
    main()

"""How long building a graph takes, a task: python bench/build.py [TASKS]. Times are the best of five, in one process."""

import sys
import time

from wasm_tasks import Graph, component, graph_of

DIGEST = "sha256:" + "0" * 64


def flat(tasks):
    graph = Graph()
    add = graph.component(digest=DIGEST).add
    for number in range(tasks):
        add(number, 1)
    return graph


def chain(tasks):
    add = component(digest=DIGEST).add
    node = add(0, 0)
    for number in range(1, tasks):
        node = add(node, number)
    return node


def tree(tasks):
    add = component(digest=DIGEST).add
    row = [add(number, 1) for number in range(tasks // 2)]
    while len(row) > 1:
        row = [add(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)] + row[len(row) // 2 * 2 :]
    return row[0]


def best(function, tasks):
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function(tasks)
        times.append(time.perf_counter() - start)
    return min(times) / tasks * 1e6


def main():
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"Python {sys.version.split()[0]}, {tasks} tasks, µs a task")
    print(f"  calls alone, flat         {best(flat, tasks):6.2f}")
    print(f"  calls and bytes, flat     {best(lambda n: flat(n).to_bytes(), tasks):6.2f}")
    print(f"  calls and bytes, a chain  {best(lambda n: graph_of([chain(n)]).to_bytes(), tasks):6.2f}")
    print(f"  calls and bytes, a tree   {best(lambda n: graph_of([tree(n)]).to_bytes(), tasks):6.2f}")


if __name__ == "__main__":
    main()

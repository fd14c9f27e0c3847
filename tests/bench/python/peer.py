"""dask.distributed's side of the fleet benchmarks: the same shapes on a warm cluster of two workers of one thread.

Reads requests from standard input, one a line: `merge LEAVES ROUND`, `tree HEIGHT ROUND` or `chain HOPS ROUND`.
Answers each with one line of JSON, `{"seconds": …, "value": …}`; the first line is `{"dask": …, "python": …}`.
The time is from the graph object to the value, as on the other side. Keys hold the round, so nothing is reused.
"""

import json
import operator
import platform
import sys
import time

# The fastest way in that dask has: tasks as its scheduler wants them. A dictionary of tuples is turned into these
# first, which takes longer.
from dask._task_spec import List, Task, TaskRef

FAN_IN = 100


def merge(leaves, round_):
    graph = {}
    level = [leaf(graph, i, round_) for i in range(leaves)]
    depth = 0
    while len(level) > 1:
        depth += 1
        above = []
        for i in range(0, len(level), FAN_IN):
            key = f"sum{depth}{round_:04}{i:08}"
            graph[key] = Task(key, sum, List(*map(TaskRef, level[i : i + FAN_IN])))
            above.append(key)
        level = above
    return graph, level[0]


def tree(height, round_):
    graph = {}
    level = [leaf(graph, i, round_) for i in range(2**height)]
    depth = 0
    while len(level) > 1:
        depth += 1
        above = []
        for i in range(0, len(level), 2):
            key = f"add{depth:02}{round_:04}{i:07}"
            graph[key] = Task(key, operator.add, TaskRef(level[i]), TaskRef(level[i + 1]))
            above.append(key)
        level = above
    return graph, level[0]


def chain(hops, round_):
    graph = {}
    last = leaf(graph, 0, round_)
    for i in range(1, hops):
        key = f"link{round_:04}{i:08}"
        graph[key] = Task(key, operator.add, TaskRef(last), i)
        last = key
    return graph, last


def leaf(graph, i, round_):
    key = f"leaf{round_:04}{i:08}"
    graph[key] = Task(key, operator.add, i, round_)
    return key


SHAPES = {"merge": merge, "tree": tree, "chain": chain}


def answer(message):
    print(json.dumps(message), flush=True)


def main():
    import dask
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None)
    with cluster, Client(cluster) as client:
        answer({"dask": dask.__version__, "python": platform.python_version()})
        for line in sys.stdin:
            shape, size, round_ = line.split()
            graph, output = SHAPES[shape](int(size), int(round_))
            start = time.perf_counter()
            value = client.get(graph, output)
            answer({"seconds": time.perf_counter() - start, "value": value})


if __name__ == "__main__":
    main()

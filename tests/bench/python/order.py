"""dask.order's side of the benchmark `order`: the same graphs, a line of JSON each.

Reads the file that it is given: `{"deps": [[…], …]}` a line. Prints `{"dask": …, "python": …}`, then for each graph
`{"priorities": […], "seconds": …}`, the time that `dask.order.order` took.
"""

import json
import platform
import sys
import time

import dask
from dask._task_spec import Task, TaskRef
from dask.order import order


def nothing(*_):
    pass


print(json.dumps({"dask": dask.__version__, "python": platform.python_version()}))
with open(sys.argv[1]) as lines:
    for line in lines:
        deps = json.loads(line)["deps"]
        graph = {task: Task(task, nothing, *map(TaskRef, inputs)) for task, inputs in enumerate(deps)}
        start = time.perf_counter()
        priorities = order(graph)
        seconds = time.perf_counter() - start
        print(json.dumps({"priorities": [priorities[task] for task in range(len(deps))], "seconds": seconds}))

"""Names: Python's snake_case to WIT's kebab-case, and what outputs are called."""

from __future__ import annotations

from typing import Tuple, Union

#: A step of a path into a result: a record's field, or a position in a tuple or list.
Step = Union[str, int]
Path = Tuple[Step, ...]


def kebab(name: str) -> str:
    """`mean_delay` as WIT writes it: `mean-delay`. One trailing underscore (`import_`) is dropped."""
    if name.endswith("_"):
        name = name[:-1]
    return name.replace("_", "-")


def label(export: str) -> str:
    """The bare function name of an export such as `ns:pkg/iface@1.0.0#func`."""
    return export.rsplit("#", 1)[-1]


def path_text(path: Path) -> str:
    """A path as people read it: `.field` and `[index]`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)


def output_name(key: str, path: Path) -> str:
    """The name under which a run hands over an output: the task's key and the path."""
    return key + path_text(path)

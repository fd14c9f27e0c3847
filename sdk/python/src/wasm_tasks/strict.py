"""MessagePack of strangers to Python objects, refusing what docs/values.md refuses. Knows no graphs."""

from __future__ import annotations

from typing import Any, Dict, List, Tuple

import msgpack

from .errors import GraphError
from .packed import BY_CODE, ELEMENTS
from .values import DEPTH_MAX, EXT_DATA, EXT_GRAPH, EXT_TASK

#: Steps of a path into a result.
PATH_STEPS_MAX = 32
_STEP_MAX = (1 << 32) - 1


class OddMap:
    """A map with a key that is no string; refused where it stands."""

    def __init__(self, key: Any) -> None:
        self.key = key


def _pairs(pairs: List[Tuple[Any, Any]]) -> Any:
    out: Dict[str, Any] = {}
    for key, value in pairs:
        if type(key) is not str:
            return OddMap(key)
        out[key] = value
    if len(out) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise GraphError("duplicate-map-key", f"the key `{twice[:80]}` stands twice in a map")
    return out


def unpack(content: bytes) -> Any:
    """One MessagePack value with nothing after it. Ext values stay `msgpack.ExtType`, for their place to be named.

    Raises GraphError: `bad-msgpack`, `trailing-bytes`, `duplicate-map-key`, `limit-exceeded`.
    """
    try:
        return msgpack.unpackb(
            content, raw=False, strict_map_key=False, object_pairs_hook=_pairs, ext_hook=msgpack.ExtType, timestamp=0
        )
    except GraphError:
        raise
    except msgpack.ExtraData as error:
        raise GraphError("trailing-bytes", f"{len(error.extra)} bytes follow the end") from None
    except (msgpack.StackError, RecursionError):
        raise GraphError("limit-exceeded", f"values nest at most {DEPTH_MAX} deep") from None
    except UnicodeDecodeError as error:
        raise GraphError("bad-msgpack", f"a string is not UTF-8: {error.reason}") from None
    except (ValueError, msgpack.UnpackException) as error:
        raise GraphError("bad-msgpack", f"no MessagePack: {str(error).strip() or type(error).__name__}") from None


def task_payload(payload: bytes) -> Tuple[int, Tuple[Any, ...]]:
    """Position and path of an ext 1."""
    bad = GraphError("bad-value", "a reference to a task is its position, or an array of its position and a path")
    try:
        value = unpack(payload)
    except GraphError:
        raise bad from None
    if type(value) is int and value >= 0:
        return value, ()
    if not isinstance(value, list) or len(value) < 2:
        raise bad
    position, path = value[0], tuple(value[1:])
    if type(position) is not int or position < 0:
        raise bad
    for step in path:
        if not (type(step) is str or (type(step) is int and 0 <= step <= _STEP_MAX)):
            raise GraphError("bad-value", f"a step of a path is a position or a field's name, not {step!r}")
    if len(path) > PATH_STEPS_MAX:
        raise GraphError("limit-exceeded", f"a path of {len(path)} steps; at most {PATH_STEPS_MAX} are allowed")
    return position, path


def data_payload(payload: bytes) -> int:
    """Position of an ext 2."""
    try:
        value = unpack(payload)
    except GraphError:
        value = None
    if type(value) is int and value >= 0:
        return value
    raise GraphError("bad-value", "a reference to data is its position")


def check_ext(ext: msgpack.ExtType) -> str:
    """The element of a packed list. Raises GraphError for every other ext code."""
    if ext.code == EXT_GRAPH:
        raise GraphError("bad-value", "references to other graphs (extension code 3) are reserved")
    element = BY_CODE.get(ext.code)
    if element is None:
        raise GraphError("bad-value", f"extension code {ext.code} is no value")
    if len(ext.data) % ELEMENTS[element].width:
        raise GraphError("bad-value", f"{len(ext.data)} bytes are no list<{element}>")
    return element


def is_reference(ext: msgpack.ExtType) -> bool:
    """Whether an ext stands for another value."""
    return ext.code in (EXT_TASK, EXT_DATA)

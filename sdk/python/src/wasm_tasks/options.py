"""Options of graphs, functions and tasks: their names and what values they take."""

from __future__ import annotations

import difflib
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Callable, Dict, List, Mapping, Optional, Union

from .errors import GraphError
from .names import kebab
from .values import is_number

_U64_MAX = (1 << 64) - 1
#: 30 days, as in docs/limits.md.
_MS_MAX = 30 * 24 * 3_600_000
_RESULT_BYTES_MAX = 1 << 30
_MEMORY_BYTES_MAX = 4 << 30
_AMOUNT_MAX = 10**15
_ALTERNATIVES_MAX = 8
_RULES_MAX = 64
_NAME_BYTES_MAX = 4096
GANG_MEMBERS_MAX = 1024
_WORD = r"\s*[\w.:/-]+\s*"
_RULE = re.compile(rf"{_WORD}(!=|=){_WORD}|{_WORD} in \({_WORD}(,{_WORD})*\)\s*")


def _integer(low: int, high: int) -> Callable[[Any], Optional[str]]:
    def check(value: Any) -> Optional[str]:
        if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high:
            return None
        return f"an integer from {low} to {high}"

    return check


def _milliseconds(value: Any) -> Optional[str]:
    return None if is_number(value) and 0 <= value <= _MS_MAX else f"a number from 0 to {_MS_MAX}"


def _text(value: Any) -> Optional[str]:
    return None if isinstance(value, str) and value else "a string that is not empty"


def _any(value: Any) -> Optional[str]:
    return None


def _one_of(*names: str) -> Callable[[Any], Optional[str]]:
    def check(value: Any) -> Optional[str]:
        return None if value in names else "one of " + ", ".join(f"`{name}`" for name in names)

    return check


def _texts(value: Any) -> Optional[str]:
    return None if isinstance(value, list) and all(isinstance(item, str) for item in value) else "a list of strings"


def _labels(value: Any) -> Optional[str]:
    if _texts(value) is None and all(_RULE.fullmatch(rule) for rule in value):
        return None
    return "a list of rules `key=value`, `key!=value` or `key in (a, b)`"


def _grants(value: Any) -> Optional[str]:
    known = ("clock", "entropy")
    return None if _texts(value) is None and all(item in known for item in value) else "a list of `clock` and `entropy`"


_CHECKS: Dict[str, Callable[[Any], Optional[str]]] = {
    "any-of": _any,
    "backoff-ms": _integer(0, _MS_MAX),
    "cache": _one_of("auto", "never"),
    "deadline-ms": _integer(1, _MS_MAX),
    "expected-ms": _milliseconds,
    "expected-result-bytes": _integer(0, _RESULT_BYTES_MAX),
    "fuel": _integer(1, _U64_MAX),
    "gang": _integer(1, GANG_MEMBERS_MAX),
    "grants": _grants,
    "labels": _labels,
    "name": _text,
    "prefer": _labels,
    "priority": _integer(-1_000_000, 1_000_000),
    "resources": _any,
    "result-bytes-max": _integer(0, _RESULT_BYTES_MAX),
    "retries": _integer(0, 100),
    "seed": _integer(0, _U64_MAX),
    "speculate": _one_of("auto", "never"),
    "time-request-ms": _integer(1, _MS_MAX),
    "timeout-ms": _integer(1, _MS_MAX),
}


#: What docs/limits.md bounds. A value above is `limit-exceeded`, any other out of its range `bad-field`.
_LIMITS = {
    "backoff-ms": _MS_MAX,
    "deadline-ms": _MS_MAX,
    "expected-ms": _MS_MAX,
    "expected-result-bytes": _RESULT_BYTES_MAX,
    "result-bytes-max": _RESULT_BYTES_MAX,
    "retries": 100,
    "time-request-ms": _MS_MAX,
    "timeout-ms": _MS_MAX,
}


def checked(options: Mapping[str, Any], *, of_graph: bool = False, of_task: bool = False) -> Dict[str, Any]:
    """The options as they are written: names in kebab-case (`timeout_ms` is taken too), sorted, values checked.

    Raises GraphError (`unknown-field`, `bad-field`) whose `where` is the option's name after a dot.
    """
    out: Dict[str, Any] = {}
    for given, value in options.items():
        name = kebab(given)
        check = _CHECKS.get(name)
        if check is None:
            raise GraphError("unknown-field", f"there is no option `{name}`{_hint(name)}", f".{name}")
        if name == "name" and not of_graph:
            raise GraphError("bad-field", "only a graph's own options have a name", ".name")
        if name == "deadline-ms" and not of_graph:
            raise GraphError("bad-field", "only a graph's own options have a deadline; a task has `timeout-ms`", ".deadline-ms")
        if name == "gang":
            if not of_task:
                raise GraphError("bad-field", "only a task's own options name a gang: each of its members does", ".gang")
            if isinstance(value, int) and value > GANG_MEMBERS_MAX:
                raise GraphError("limit-exceeded", f"{value} members; at most {GANG_MEMBERS_MAX} are allowed", ".gang")
        if name == "resources":
            value = _resources(value)
            if not value:
                continue
        elif name == "any-of":
            value = _alternatives(value)
        elif isinstance(value, (tuple, set, frozenset)):
            value = sorted(value) if isinstance(value, (set, frozenset)) else list(value)
        if name in ("labels", "prefer") and isinstance(value, list) and len(value) > _RULES_MAX:
            raise GraphError("limit-exceeded", f"has {len(value)} rules; at most {_RULES_MAX} are allowed", f".{name}")
        if name == "name" and isinstance(value, str) and len(value.encode("utf-8")) > _NAME_BYTES_MAX:
            raise GraphError("limit-exceeded", f"has more than {_NAME_BYTES_MAX} bytes", ".name")
        limit = _LIMITS.get(name)
        if limit is not None and is_number(value) and value > limit:
            raise GraphError("limit-exceeded", f"{value}; at most {limit} is allowed", f".{name}")
        expected = check(value)
        if expected is not None:
            raise GraphError("bad-field", f"must be {expected}, not {value!r}", f".{name}")
        if name in ("labels", "prefer"):
            value = [_canonical_rule(rule) for rule in value]
        out[name] = _thousandths(value) if name == "expected-ms" else value
    return {name: out[name] for name in sorted(out)}


def _canonical_rule(rule: str) -> str:
    """A rule that was checked, with the spaces that are written."""
    for sign in ("!=", "="):
        if sign in rule:
            key, _, value = rule.partition(sign)
            return f"{key.strip()}{sign}{value.strip()}"
    key, _, values = rule.partition(" in ")
    return f"{key.strip()} in ({', '.join(word.strip() for word in values.strip()[1:-1].split(','))})"


def _hint(name: str) -> str:
    near = difflib.get_close_matches(name, _CHECKS, 1)
    return f"; did you mean `{near[0]}`?" if near else f"; options are {', '.join(_CHECKS)}"


def _alternatives(value: Any) -> List[Dict[str, Any]]:
    """Ways in which a task may run, the preferred first: maps with `labels` and `resources`."""
    if not isinstance(value, (list, tuple)):
        raise GraphError("bad-field", f"must be a list of alternatives, not {value!r}", ".any-of")
    if len(value) > _ALTERNATIVES_MAX:
        raise GraphError("limit-exceeded", f"has {len(value)} alternatives; at most {_ALTERNATIVES_MAX} are allowed", ".any-of")
    out: List[Dict[str, Any]] = []
    for position, alternative in enumerate(value):
        where = f".any-of[{position}]"
        if not isinstance(alternative, Mapping):
            raise GraphError("bad-field", f"must be a map with `labels` and `resources`, not {alternative!r}", where)
        for name in alternative:
            if name not in ("labels", "resources"):
                raise GraphError("unknown-field", f"an alternative has `labels` and `resources`, not `{name}`", f"{where}.{name}")
        try:
            out.append(checked(alternative))
        except GraphError as error:
            raise error.inside(where) from None
    return out


def _resources(value: Any) -> Dict[str, Any]:
    if not isinstance(value, Mapping):
        raise GraphError("bad-field", f"must be a map from name to amount, not {value!r}", ".resources")
    out: Dict[str, Any] = {}
    for name, amount in sorted(value.items()):
        if not isinstance(name, str) or not name or not is_number(amount) or not 0 <= amount <= _AMOUNT_MAX:
            raise GraphError("bad-field", f"an amount is a number from 0 to {_AMOUNT_MAX}, not {amount!r}", f".resources.{name}")
        if name != "memory":
            out[name] = _thousandths(amount)
        elif isinstance(amount, int) and amount <= _MEMORY_BYTES_MAX:
            out[name] = amount
        elif isinstance(amount, int):
            raise GraphError("limit-exceeded", f"{amount}; at most {_MEMORY_BYTES_MAX} is allowed", ".resources.memory")
        else:
            raise GraphError("bad-field", f"must be an integer number of bytes up to {_MEMORY_BYTES_MAX}", ".resources.memory")
    return out


def _thousandths(amount: Union[int, float]) -> Union[int, float]:
    """Amounts are kept in thousandths, so that they add up exactly; whole ones are integers."""
    milli = int((Decimal(repr(amount)) * 1000).to_integral_value(ROUND_HALF_EVEN))
    return milli // 1000 if milli % 1000 == 0 else milli / 1000

"""Types as text: reads what docs/values.md writes, and prints it in the one canonical way."""

from __future__ import annotations

import re
from typing import Callable, List

from .errors import GraphError

_PLAIN = frozenset("bool u8 u16 u32 u64 s8 s16 s32 s64 f32 f64 char string any unit".split())
_NAME = re.compile(r"[0-9A-Za-z-]+")
_DEPTH_MAX = 64
#: Types, cases and flags of one type, and the bytes of its text.
_PARTS_MAX = 4096
_BYTES_MAX = 65536


def canonical_type(text: str) -> str:
    """The type with spaces as they are printed. Raises GraphError (`bad-field`) saying what was expected, and where."""
    if not isinstance(text, str):
        raise GraphError("bad-field", f"a type is text such as `list<f64>`, not {text!r}")
    parser = _Parser(text)
    if len(text.encode("utf-8")) > _BYTES_MAX:
        raise parser.beyond(f"it has more than {_BYTES_MAX} bytes")
    printed = parser.type(0)
    parser.space()
    if parser.at != len(text):
        raise parser.bad("the end of the type")
    return printed


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.parts = 0

    def beyond(self, what: str) -> GraphError:
        return GraphError("limit-exceeded", f"`{self.text[:80]}` is no type: {what} at character {self.at}")

    def bad(self, expected: str) -> GraphError:
        return GraphError("bad-field", f"`{self.text}` is no type: expected {expected} at character {self.at}")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in " \t\r\n":
            self.at += 1

    def take(self, symbol: str) -> bool:
        self.space()
        found = self.text.startswith(symbol, self.at)
        self.at += len(symbol) if found else 0
        return found

    def need(self, symbol: str) -> None:
        if not self.take(symbol):
            raise self.bad(f"`{symbol}`")

    def part(self) -> None:
        self.parts += 1
        if self.parts > _PARTS_MAX:
            raise self.beyond(f"it has more than {_PARTS_MAX} parts")

    def named_part(self) -> str:
        self.part()
        return self.name()

    def name(self) -> str:
        self.space()
        match = _NAME.match(self.text, self.at)
        if match is None:
            raise self.bad("a name")
        self.at = match.end()
        return match.group()

    def items(self, end: str, item: Callable[[], str]) -> List[str]:
        """`item, item` up to `end`; a comma may follow the last."""
        found: List[str] = []
        while not self.take(end):
            if found:
                if not self.take(","):
                    raise self.bad(f"`,` or `{end}`")
                if self.take(end):
                    break
            found.append(item())
        return found

    def type(self, depth: int) -> str:
        if depth > _DEPTH_MAX:
            raise self.beyond(f"it nests more than {_DEPTH_MAX} deep")

        self.part()

        def inner() -> str:
            return self.type(depth + 1)

        self.space()
        start = self.at
        word = self.name()
        if word in _PLAIN:
            return word
        if word in ("list", "option"):
            self.need("<")
            element = inner()
            self.need(">")
            return f"{word}<{element}>"
        if word == "tuple":
            self.need("<")
            return f"tuple<{', '.join(self.items('>', inner))}>"
        if word == "result":
            return self.result(inner)
        if word == "record":
            return self.braces(word, lambda: self.field(inner))
        if word == "variant":
            return self.braces(word, lambda: self.case(inner))
        if word in ("enum", "flags"):
            return self.braces(word, self.named_part)
        self.at = start
        raise self.bad("a type such as `u32`, `list<string>` or `record { a: f64 }`")

    def braces(self, word: str, item: Callable[[], str]) -> str:
        self.need("{")
        items = self.items("}", item)
        return f"{word} {{ {', '.join(items)} }}" if items else f"{word} {{ }}"

    def field(self, inner: Callable[[], str]) -> str:
        name = self.name()
        self.need(":")
        return f"{name}: {inner()}"

    def case(self, inner: Callable[[], str]) -> str:
        name = self.named_part()
        if not self.take("("):
            return name
        payload = inner()
        self.need(")")
        return f"{name}({payload})"

    def result(self, inner: Callable[[], str]) -> str:
        if not self.take("<"):
            return "result"
        ok = "_" if self.take("_") else inner()
        err = inner() if self.take(",") else ""
        self.need(">")
        if err:
            return f"result<{ok}, {err}>"
        return "result" if ok == "_" else f"result<{ok}>"

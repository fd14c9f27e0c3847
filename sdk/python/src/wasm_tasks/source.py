"""Where bytes come from that are not in the graph file: a path, a URL or an OCI reference."""

from __future__ import annotations

import os
from typing import Dict, Optional

from .errors import GraphError


class Source:
    """One `source` of a component or data entry.

    Paths are resolved against the folder of the graph file, so the same source reads differently
    in graphs that are saved in different folders.
    """

    __slots__ = ("kind", "_text", "_base")

    def __init__(self, kind: str, text: str, base: Optional[str] = None) -> None:
        """`base` is the folder that a path's text is relative to, where it came from a graph file."""
        self.kind = kind
        if kind == "path" and base is None:
            text = os.path.abspath(text)
        self._text = text
        self._base = base

    @property
    def local(self) -> Optional[str]:
        """The absolute path, of a path."""
        if self.kind != "path":
            return None
        return os.path.normpath(os.path.join(self._base or "", self._text))

    @property
    def folder(self) -> Optional[str]:
        """The folder that a path may be read below: that of the graph file which named it, or where this program found it."""
        local = self.local
        if local is None:
            return None
        return os.path.dirname(local) if self._base is None else os.path.abspath(self._base)

    def entry(self, base: Optional[str]) -> Dict[str, str]:
        """The source as a graph file in the folder `base` has it; None writes absolute paths.

        Raises GraphError for a path that is not UTF-8: a graph file cannot name it.
        """
        if self.kind != "path":
            return {self.kind: self._text}
        path = self._text if base is not None and self._base == base else self._relative(base)
        try:
            path.encode("utf-8")
        except UnicodeEncodeError:
            raise GraphError(
                "bad-value", f"a graph file cannot name {os.fsencode(path)!r}, which is no UTF-8; rename it or give its bytes"
            ) from None
        return {"path": path}

    def _relative(self, base: Optional[str]) -> str:
        path = self.local or ""
        if base is None:
            return path
        try:
            path = os.path.relpath(path, base)
        except ValueError:
            pass  # Another drive of Windows: only the absolute path exists.
        return path.replace(os.sep, "/")

    def __repr__(self) -> str:
        return f"{self.kind}:{self._text}"

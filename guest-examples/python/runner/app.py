"""Runs Python functions that are given as source text, with the whole standard library.

componentize-py mounts the standard library only while it prepares the component: a module that is
not imported then does not exist later. So everything that can be imported is imported here, once,
and a task finds it ready in memory.
"""

import gc
import importlib
import linecache
import sys
import traceback
import types

import wit_world
from componentize_py_types import Err
from wasm_tasks.values import Resolver, convert, decode, pack

NOT_FOR_TASKS = {
    "antigravity", "curses", "ensurepip", "idlelib", "lib2to3", "pydoc_data", "test", "this", "tkinter", "turtle",
    "turtledemo", "venv", "_pyrepl",
}  # fmt: skip
SUBMODULES = (
    "collections.abc", "concurrent.futures", "email.message", "encodings.ascii", "encodings.cp1252", "encodings.idna",
    "encodings.latin_1", "encodings.utf_16", "html.parser", "importlib.metadata", "importlib.resources",
    "json.decoder", "logging.handlers", "unittest.mock", "urllib.parse", "xml.etree.ElementTree",
)  # fmt: skip


def import_everything() -> None:
    """Imports what of the standard library exists here; the rest (threads, sockets, ctypes) cannot work in WASI."""
    for name in (*sorted(sys.stdlib_module_names - NOT_FOR_TASKS), *SUBMODULES):
        try:
            importlib.import_module(name)
        except BaseException:
            pass
    gc.collect()
    gc.freeze()


import_everything()


class ResultResolver(Resolver):
    place = "in a task's result"


class WitWorld(wit_world.WitWorld):
    def call(self, source: str, entry: str, arguments: bytes) -> bytes:
        try:
            return pack(convert(function(source, entry)(*decode(arguments)), ResultResolver()))
        except BaseException as error:
            raise Err(text_of(error))


def function(source: str, entry: str) -> object:
    """The function `entry` of a fresh module with this source."""
    name = "<task>"
    # So that a traceback shows the task's lines.
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    module = types.ModuleType("__task__")
    sys.modules[module.__name__] = module
    exec(compile(source, name, "exec"), module.__dict__)
    try:
        return module.__dict__[entry]
    except KeyError:
        raise NameError(f"the source defines no `{entry}`") from None


def text_of(error: BaseException) -> str:
    """The traceback, without the runner's own frames."""
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace))

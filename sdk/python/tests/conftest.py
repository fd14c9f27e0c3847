"""What the tests share: where things are, and a program that stands in for `wasm-tasks`."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from wasm_tasks import BinaryNotFound, find_binary

ROOT = Path(__file__).resolve().parents[3]
#: Built guests: `WASM_TASKS_GUESTS` says where they must be, as `cargo xtask test` does.
GUESTS = Path(os.environ.get("WASM_TASKS_GUESTS") or Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "guests")
CALC = GUESTS / "calc.wasm"
CONFORMANCE = Path(__file__).resolve().parents[2] / "conformance"


def is_program_built():
    """Whether there is the real `wasm-tasks` to run tests on."""
    try:
        return b"wasm-tasks" in subprocess.run([find_binary(), "--version"], stdout=subprocess.PIPE, check=False).stdout
    except (BinaryNotFound, OSError):
        return False


#: For tests that run components. They fail, and are not skipped, where guests must be.
needs_program = pytest.mark.skipif(
    not (is_program_built() and ("WASM_TASKS_GUESTS" in os.environ or CALC.is_file())),
    reason="no `wasm-tasks` (WASM_TASKS_BIN) or no guests (`cargo xtask guests`)",
)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Installs a Python script as `wasm-tasks`. It is a process boundary: what the SDK sees is arguments, streams and codes."""

    def install(script: str) -> Path:
        path = tmp_path / "fake" / "wasm-tasks"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!{sys.executable}\nimport os, sys, time, signal, msgpack\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("WASM_TASKS_BIN", os.fspath(path))
        return path

    return install


@pytest.fixture
def wasm(tmp_path):
    """A file that stands for a component; building graphs needs no more than its digest."""
    path = tmp_path / "calc.wasm"
    path.write_bytes(b"calc")
    return path

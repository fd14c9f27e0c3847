"""The README's tutorial is true: its Python runs from top to bottom, and gives what it says."""

import os
import re
import shutil
from pathlib import Path

import pytest
from conftest import CALC, needs_program

README = Path(__file__).resolve().parents[1] / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


def test_the_tutorial_is_python():
    assert len(BLOCKS) >= 5
    for block in BLOCKS:
        compile(block, "README.md", "exec")


@needs_program
def test_the_tutorial_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WASM_TASKS_SCHEDULER", raising=False)
    shutil.copy(CALC, tmp_path)
    names: dict = {}
    for block in BLOCKS:
        code: list = []
        for line in block.splitlines():
            expression, promise, expected = line.partition("  # → ")
            if not promise:
                code.append(line)
                continue
            exec("\n".join(code), names)
            code = []
            assert repr(eval(expression, names)) == expected, expression
        exec("\n".join(code), names)
    assert os.path.getsize("graph.msgpack") > 0

"""The boundary to the `wasm-tasks` program: its arguments, what it prints, its exit codes, and interrupts.

A script stands in for the program; only the process boundary is tested here.
"""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from wasm_tasks import (
    BadInput,
    BinaryNotFound,
    ExecutionError,
    Graph,
    GraphError,
    Interrupted,
    NoConnection,
    TaskFailed,
    component,
    compute,
    data_file,
    find_binary,
)

DIGEST = "sha256:" + "0" * 64
SOURCES = Path(__file__).resolve().parents[1] / "src"


def answer(values):
    return f"sys.stdout.buffer.write(msgpack.packb({values!r}))"


def keep_stdin(path):
    return f"open({str(path)!r}, 'wb').write(sys.stdin.buffer.read())\n"


def test_compute_hands_over_the_graph_and_reads_the_outputs(fake, tmp_path, wasm, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fake(
        keep_stdin(tmp_path / "seen.msgpack") + f"open({str(tmp_path / 'args')!r}, 'w').write(repr(sys.argv[1:]))\n"
        + answer({"add-2": 6, "add-1.low[0]": b"ab", "add-1": [1]})
    )
    calc = component("calc.wasm")
    x = calc.add(1, data_file("in.csv"))
    y = calc.add(x, 3)
    assert compute(y, x.low[0], y) == (6, b"ab", 6)
    assert (tmp_path / "args").read_text() == repr(["submit", "-", "--format", "msgpack", "--quiet"])
    seen = Graph.load(tmp_path / "seen.msgpack")
    assert [task.key for task in seen.tasks] == ["add-1", "add-2"]
    assert seen.tasks[0]._function.component.source.local == str(wasm)
    assert y.compute() == 6 and compute() == ()


def test_a_graph_reads_files_that_this_program_named_wherever_they_are(fake, tmp_path, wasm, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    fake(f"open({str(tmp_path / 'args')!r}, 'w').write(repr(sys.argv[6:]))\n" + answer({"add-1": 1}))
    component(str(wasm)).add(1, 2).compute()
    assert (tmp_path / "args").read_text() == repr(["--allow-path", str(wasm.parent)])


def test_texts_of_exceptions_are_safe_to_print():
    for code in [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x202E, 0x2066]:
        bad = f"a{chr(code)}b"
        for error in (TaskFailed(bad), BadInput(bad), GraphError("bad-value", bad, bad), ExecutionError(bad)):
            assert all(c.isprintable() or c in "\n\t" for c in str(error)), repr(str(error))


def test_the_scheduler_is_passed_on(fake):
    fake("assert sys.argv[-2:] == ['--scheduler', 'host:1'], sys.argv\n" + answer({"f-1": None}))
    assert component(digest=DIGEST).f().compute(scheduler="host:1") is None


def test_run_gives_all_outputs_by_name(fake):
    fake(answer({"a": 1, "b": 2}))
    graph = Graph()
    f = graph.component(digest=DIGEST).f
    f(key="a"), f(key="b")
    assert graph.run() == {"a": 1, "b": 2}


def test_part_of_a_graph_keeps_its_keys_and_options(fake, tmp_path):
    fake(keep_stdin(tmp_path / "seen") + answer({"f-2": 1}))
    graph = Graph("named", retries=2)
    f = graph.component(digest=DIGEST).f
    f()
    assert f().compute() == 1
    seen = Graph.load(tmp_path / "seen")
    assert len(seen) == 1 and seen._options == {"name": "named", "retries": 2}


@pytest.mark.parametrize(
    "code,kind",
    [(1, TaskFailed), (2, BadInput), (3, NoConnection), (101, ExecutionError)],
)
def test_exit_codes_are_exceptions_with_the_message(fake, code, kind):
    fake(f"print('task `f-1` trapped: unreachable', file=sys.stderr); sys.exit({code})")
    with pytest.raises(kind, match="task `f-1` trapped: unreachable") as raised:
        component(digest=DIGEST).f().compute()
    assert type(raised.value) is kind


def test_a_failed_task_leaves_what_was_finished(fake):
    fake(answer({"g-1": 5}) + "\nsys.stdout.flush(); print('f-1 failed', file=sys.stderr); sys.exit(1)")
    calc = component(digest=DIGEST)
    with pytest.raises(TaskFailed) as raised:
        compute(calc.f(), calc.g())
    assert raised.value.results == {"g-1": 5}


@pytest.mark.parametrize(
    "script,words",
    [
        ("", "no outputs"),
        ("sys.stdout.write('hello')", "no outputs"),
        (answer([1]), "a list where a map"),
        (answer({"other": 1}), r"no output `f-1`; it gave \['other'\]"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "killed by signal 9"),
    ],
)
def test_a_program_that_breaks_its_word(fake, script, words):
    fake(script)
    with pytest.raises(ExecutionError, match=words):
        component(digest=DIGEST).f().compute()


def test_outputs_with_the_same_name_are_refused_before_anything_runs(fake):
    fake("sys.exit(9)")
    f = component(digest=DIGEST).f
    with pytest.raises(ValueError, match=r"two outputs are called `a\[0\]`"):
        compute(f(key="a")[0], f(key="a[0]"))


def test_interrupted_is_a_keyboard_interrupt(fake):
    fake("print('cancelled', file=sys.stderr); sys.exit(130)")
    with pytest.raises(KeyboardInterrupt, match="cancelled") as raised:
        component(digest=DIGEST).f().compute()
    assert type(raised.value) is Interrupted and not isinstance(raised.value, Exception)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_an_interrupt_reaches_the_program_and_only_from_here(fake, tmp_path):
    log = tmp_path / "log"
    fifo = tmp_path / "ready"
    os.mkfifo(fifo)
    fake(
        textwrap.dedent(
            f"""
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            # In a group of its own, or the terminal's interrupt would come here as well as ours.
            open({str(log)!r}, "w").write(str(os.getpgrp() == os.getpid()))
            open({str(fifo)!r}, "w").close()
            signal.sigwait([signal.SIGINT])
            print("graph cancelled", file=sys.stderr)
            sys.exit(130)
            """
        )
    )
    # Programs that were started in the background ignore interrupts; this one must not, whoever runs the tests.
    script = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += f"from wasm_tasks import component\ncomponent(digest={DIGEST!r}).f().compute()"
    user = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.fspath(SOURCES)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    fifo.open().close()
    # As a terminal does it: the interrupt goes to the whole group.
    os.killpg(user.pid, signal.SIGINT)
    _, err = user.communicate(timeout=30)
    assert log.read_text() == "True"
    assert "Interrupted: graph cancelled" in err and user.returncode != 0


def test_where_the_program_is_looked_for(fake, tmp_path, monkeypatch):
    path = fake("")
    assert find_binary() == str(path)
    monkeypatch.setenv("WASM_TASKS_BIN", str(tmp_path / "missing"))
    with pytest.raises(BinaryNotFound, match="WASM_TASKS_BIN is"):
        find_binary()
    monkeypatch.delenv("WASM_TASKS_BIN")
    monkeypatch.setenv("PATH", str(path.parent))
    assert find_binary() == str(path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BinaryNotFound, match="set WASM_TASKS_BIN"):
        component(digest=DIGEST).f().compute()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_folders_whose_names_are_no_utf_8(fake, tmp_path, wasm, monkeypatch):
    folder = os.fsencode(tmp_path) + b"/caf\xe9"
    os.mkdir(folder)
    shutil.copy(wasm, os.fsdecode(folder + b"/calc.wasm"))
    shutil.copy(wasm, os.fsdecode(folder + b"/\xff.wasm"))
    monkeypatch.chdir(os.fsdecode(folder))
    fake(keep_stdin(tmp_path / "seen.msgpack") + answer({"f-1": 1}))
    assert component("calc.wasm").f().compute() == 1
    graph = Graph()
    graph.component("calc.wasm").f()
    graph.save("graph.msgpack")
    assert len(Graph.load("graph.msgpack")) == 1
    with pytest.raises(GraphError, match="no UTF-8"):
        component(os.fsdecode(b"\xff.wasm")).f().compute()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GraphError, match="no UTF-8"):
        component(os.fsdecode(folder + b"/calc.wasm")).f().compute()

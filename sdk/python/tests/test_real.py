"""The real program and a real component, where both have been built: `cargo xtask guests`, `cargo build -p wasm-tasks-cli`."""

import array

import pytest
from conftest import CALC, needs_program

from wasm_tasks import BadInput, NoConnection, TaskFailed, component, compute, data

pytestmark = needs_program


@pytest.fixture
def calc(monkeypatch):
    monkeypatch.delenv("WASM_TASKS_SCHEDULER", raising=False)
    return component(CALC)


def test_calls_feed_calls(calc):
    x = calc.add(1, 2)
    assert calc.add(x, 3).compute() == 6
    assert compute(calc.sum([x, calc.mul(x, x), 30]), x) == (42, 3)


def test_parts_lists_and_nothing(calc):
    quotient, remainder = calc.div_rem(17, 5).split(2)
    numbers = calc.range(3, 4)
    values = compute(quotient, remainder, numbers, calc.sum(numbers), numbers[1], calc.noop())
    assert values == (3, 2, array.array("q", [3, 4, 5, 6]), 18, 4, None)


def test_packed_lists_and_shared_data(calc):
    shared = data(array.array("d", [0.5] * 1000))
    assert compute(calc.sum_f64(array.array("d", [1.5, 2.5])), calc.sum_f64(shared), calc.sum_f64(shared)) == (4.0, 500.0, 500.0)


def test_arguments_by_name(calc):
    assert calc.div(b=2, a=10).compute() == 5


def test_an_error_fails_what_needs_it_and_nothing_else(calc):
    bad = calc.div(1, 0, key="bad")
    with pytest.raises(TaskFailed, match="bad") as raised:
        compute(calc.neg(bad), calc.neg(4, key="good"))
    assert raised.value.results == {"good": -4}


@pytest.mark.parametrize("call", [lambda calc: calc.add(1), lambda calc: calc.add(1, "2"), lambda calc: calc.ad(1, 2)])
def test_a_graph_that_does_not_fit_is_refused(calc, call):
    with pytest.raises(BadInput):
        call(calc).compute()


def test_no_scheduler_there(calc, unused_port):
    with pytest.raises(NoConnection):
        calc.add(1, 2).compute(scheduler=f"127.0.0.1:{unused_port}")


@pytest.fixture
def unused_port():
    import socket

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]

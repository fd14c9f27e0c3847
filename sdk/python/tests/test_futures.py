"""Futures on the real program: `cargo xtask guests`, `cargo build -p wasm-tasks-cli`."""

import concurrent.futures
import gc
import threading

import pytest
from conftest import GUESTS, needs_program

from wasm_tasks import (
    FIRST_COMPLETED,
    BadInput,
    Client,
    ExecutionError,
    GraphError,
    NoConnection,
    TaskFailed,
    as_completed,
    component,
    data,
    wait,
)

#: Nothing here waits this long unless it is broken.
PATIENCE = 60


pytestmark = needs_program


@pytest.fixture(scope="module")
def client():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("WASM_TASKS_SCHEDULER", raising=False)
        with Client(name="tests", slots=2) as client:
            yield client


@pytest.fixture(scope="module")
def calc():
    return component(GUESTS / "calc.wasm")


@pytest.fixture(scope="module")
def hostile():
    return component(GUESTS / "hostile.wasm")


def test_futures_feed_calls_and_parts_do_too(client, calc):
    x = client.submit(calc.add, 1, 2)
    y = client.submit(calc.mul, x, x, key="nine")
    assert y.result(PATIENCE) == 9 and y.key == "nine" and y.done()
    pair = client.submit(calc.div_rem, 17, 5)
    assert client.submit(calc.add, pair[0], pair[1]).result(PATIENCE) == 5
    assert client.submit(calc.sum, [x, 40, y]).result(PATIENCE) == 52
    # What a released future made is still there for those that need it.
    for _ in range(3):
        x = client.submit(calc.add, x, 1)
    gc.collect()
    assert x.result(PATIENCE) == 6


def test_map_gather_and_completion(client, calc):
    squares = client.map(calc.mul, range(1000), range(1000))
    assert client.gather(squares, timeout=PATIENCE) == [n * n for n in range(1000)]
    assert {future.result() for future in as_completed(squares[:10], timeout=PATIENCE)} == {n * n for n in range(10)}
    done, rest = wait(squares, timeout=PATIENCE)
    assert len(done) == 1000 and not rest


def test_calls_that_end_in_calls_are_in_nobody_s_way(client, calc):
    recursion = component(GUESTS / "recursion.wasm")
    deep = client.submit(recursion.fib, 12, key="deep")
    for expected in range(1, 21):
        assert client.submit(calc.add, expected - 1, 1).result(PATIENCE) == expected
    assert deep.result(PATIENCE) == 144
    assert client.submit(recursion.add, deep, deep).result(PATIENCE) == 288
    words = client.submit(recursion.sort, list(range(5000, 0, -1)), 100)
    client.replicate([words])
    assert client.submit(calc.sum, words).result(PATIENCE) == sum(range(5001))
    # What fails of what a call wrote has failed of the call, and of what needs it.
    bomb = client.submit(recursion.bomb, 1, key="bomb")
    for future in (bomb, client.submit(recursion.add, bomb, 1)):
        error = future.exception(PATIENCE)
        assert isinstance(error, TaskFailed) and error.code == "bad-delegation" and error.key.startswith("bomb/0/0/")
    assert client.submit(calc.neg, 2).result(PATIENCE) == -2


def test_one_after_the_other(client, calc):
    x = client.submit(calc.add, 0, 0)
    for expected in range(1, 101):
        x = client.submit(calc.add, x.result(PATIENCE), 1)
        assert x.result(PATIENCE) == expected


def test_failures_name_the_task_that_failed(client, calc):
    bad = client.submit(calc.div, 1, 0, key="bad")
    after = client.submit(calc.neg, bad)
    fine = client.submit(calc.neg, 4)
    for future in (bad, after):
        error = future.exception(PATIENCE)
        assert isinstance(error, TaskFailed) and (error.key, error.code) == ("bad", "guest-error")
        assert "cannot divide 1 by zero" in str(error)
    assert fine.result(PATIENCE) == -4
    # A call that comes later and needs what failed fails for the same reason.
    with pytest.raises(TaskFailed, match="`bad` failed"):
        client.submit(calc.neg, after).result(PATIENCE)


def test_what_is_wrong_fails_alone(client, calc):
    futures = client.map(calc.neg, [1, "two", 3, 4, "five", 6])
    assert [future.exception(PATIENCE) is None for future in futures] == [True, False, True, True, False, True]
    with pytest.raises(BadInput, match="type-mismatch"):
        futures[1].result()
    assert futures[5].result() == -6
    with pytest.raises(BadInput):
        client.submit(calc.neg, futures[4]).result(PATIENCE)
    with pytest.raises(BadInput, match="unknown-export"):
        client.submit(calc.no_such_export, 1).result(PATIENCE)
    with pytest.raises(GraphError):
        client.submit(calc.neg, object()).result(PATIENCE)
    with pytest.raises(TypeError):
        client.submit(len, [1])
    with pytest.raises(GraphError):
        client.submit(calc.neg, 1, no_such_option=1)
    assert client.submit(calc.neg, 7).result(PATIENCE) == -7


def test_a_bad_component_is_refused_with_its_reason(client):
    with pytest.raises(BadInput, match="not-a-component|core-module|component"):
        client.submit(component(b"no component").f).result(PATIENCE)
    with pytest.raises(BadInput, match="not-uploaded"):
        client.submit(component(digest="sha256:" + "0" * 64).f).result(PATIENCE)


def test_running_tasks_are_cancelled_at_once(client, calc, hostile):
    spin = client.submit(hostile.spin)
    after = client.submit(calc.neg, client.submit(calc.neg, 1))
    assert after.result(PATIENCE) == 1, "it is not in the way of others"
    assert spin.cancel() and spin.cancelled() and spin.done()
    with pytest.raises(concurrent.futures.CancelledError):
        spin.result()
    # Both slots are free again: two that wait for each other's place would not end.
    both = [client.submit(hostile.spin) for _ in range(2)]
    for future in both:
        future.cancel()
    assert client.submit(calc.neg, 2).result(PATIENCE) == -2
    assert not after.cancel(), "it had ended"
    done, _ = wait([spin, *both], timeout=PATIENCE, return_when=FIRST_COMPLETED)
    assert len(done) == 3


def test_time_out_and_callbacks(client, calc, hostile):
    spin = client.submit(hostile.spin)
    with pytest.raises(concurrent.futures.TimeoutError):
        spin.result(0.01)
    spin.cancel()
    told = threading.Event()
    client.submit(calc.neg, 5).add_done_callback(lambda future: future.result() == -5 and told.set())
    gc.collect()
    assert told.wait(PATIENCE), "a future with a callback is kept, and its value may be asked for in it"


def test_large_results_stay_at_the_workers_until_they_are_asked_for(client, calc):
    numbers = client.submit(calc.range, 0, 200_000)
    assert client.submit(calc.sum, numbers).result(PATIENCE) == sum(range(200_000))
    assert len(numbers.result(PATIENCE)) == 200_000
    assert numbers.result() is numbers.result()


def test_scattered_values(client, calc):
    four, numbers = client.scatter([4, list(range(10_000))])
    assert four.done() and four.result() == 4
    assert client.submit(calc.add, four, four).result(PATIENCE) == 8
    assert client.gather([client.submit(calc.sum, numbers) for _ in range(3)], timeout=PATIENCE) == [49_995_000] * 3
    shared = data(5)
    assert client.submit(calc.add, shared, shared).result(PATIENCE) == 10
    assert client.scatter({"a": 1})["a"].result() == 1


def test_values_are_broadcast(client, calc):
    (numbers,) = client.scatter([list(range(10_000))], broadcast=True)
    both = client.scatter({"four": 4, "five": 5}, broadcast=True)
    sums = [client.submit(calc.sum, numbers) for _ in range(3)]
    assert client.submit(calc.add, both["four"], both["five"]).result(PATIENCE) == 9
    assert client.gather(sums, timeout=PATIENCE) == [49_995_000] * 3
    # Again, now that the scheduler has it, and in the midst of calls.
    client._session.broadcast([numbers._data])
    assert client.submit(calc.sum, numbers).result(PATIENCE) == 49_995_000


def test_results_are_copied_on_request(client, calc):
    numbers = client.submit(calc.range, 0, 200_000)
    client.replicate([numbers])
    client.replicate([numbers, client.scatter(5)], n=2)
    assert client.submit(calc.sum, numbers).result(PATIENCE) == sum(range(200_000))
    with pytest.raises(TaskFailed):
        client.replicate([client.submit(calc.div, 1, 0)])
    with pytest.raises(ValueError, match="at least 1"):
        client.replicate([numbers], n=0)
    with Client(slots=1) as other:
        with pytest.raises(GraphError, match="another client"):
            other.replicate([numbers])


def test_futures_are_of_one_client(client, calc):
    x = client.submit(calc.neg, 1)
    with Client(slots=1) as other:
        with pytest.raises(GraphError, match="another client"):
            other.submit(calc.neg, x).result(PATIENCE)
        y = other.submit(calc.neg, 2)
        assert y.result(PATIENCE) == -2
        late = other.submit(component(GUESTS / "hostile.wasm").spin)
    with pytest.raises(ExecutionError, match="closed"):
        late.result(PATIENCE)
    with pytest.raises(ExecutionError):
        other.submit(calc.neg, 1)
    with pytest.raises(GraphError, match="future"):
        calc.neg(x).compute()


def test_no_scheduler():
    with pytest.raises(NoConnection):
        Client("127.0.0.1:1")


def test_results_are_let_go_with_their_futures(client, calc):
    numbers = client.submit(calc.range, 0, 100_000)
    wait([numbers], timeout=PATIENCE)
    output = numbers._output
    del numbers
    gc.collect()
    # The next answer comes after the release was heard.
    assert client.submit(calc.neg, 1).result(PATIENCE) == -1
    with pytest.raises(ExecutionError):
        client._session.fetch(output, PATIENCE)

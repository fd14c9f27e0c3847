"""Calls, keys, references, options, components and data, seen through the graph that they make."""

import hashlib
import os

import msgpack
import pytest

from wasm_tasks import Delayed, Graph, GraphError, component, data, data_file, delayed, graph_of

DIGEST = "sha256:" + "0" * 64


def plain(graph, base=None):
    """The graph's fields; references as ("ref", …) and ("data", …)."""

    def ext(code, payload):
        return ({1: "ref", 2: "data"}[code], msgpack.unpackb(payload))

    return msgpack.unpackb(graph.to_bytes(base), ext_hook=ext)


def test_calls_without_a_graph():
    calc = component(digest=DIGEST)
    x = calc.add(1, 2)
    y = calc.add(x, 3)
    assert plain(graph_of([y])) == {
        "wasm-tasks": 1,
        "components": [{"digest": DIGEST}],
        "functions": [{"component": 0, "export": "add"}],
        "tasks": [["add-1", 0, [1, 2]], ["add-2", 0, [("ref", 0), 3]]],
        "outputs": [("ref", 1)],
    }
    assert x.key is None


def test_delayed_functions_of_one_file_share_a_component(wasm):
    add, mul = delayed(wasm, "add"), delayed(os.fspath(wasm), "mul", retries=2)
    fields = plain(graph_of([mul(add(1, 2), [add(3, 4)])]))
    assert len(fields["components"]) == 1
    assert sorted(function["export"] for function in fields["functions"]) == ["add", "mul"]
    assert {"component": 0, "export": "mul", "options": {"retries": 2}} in fields["functions"]
    assert delayed(component(digest=DIGEST, interface="a:b/c"), "f").export == "a:b/c#f"
    with pytest.raises(TypeError):
        delayed(component(digest=DIGEST), "f", interface="a:b/c")
    wasm.write_bytes(b"another component")
    changed = plain(graph_of([delayed(wasm, "add")(1, 2)]))
    assert changed["components"][0]["digest"] != fields["components"][0]["digest"]


def test_only_what_is_needed_and_in_the_order_of_calls():
    calc = component(digest=DIGEST)
    first, unused, second = calc.load("b"), calc.load("unused"), calc.load("a")
    result = calc.join(second, first)
    assert plain(graph_of([result]))["tasks"] == [
        ["load-1", 0, ["b"]],
        ["load-2", 0, ["a"]],
        ["join-1", 1, [("ref", 1), ("ref", 0)]],
    ]


def test_the_same_program_makes_the_same_bytes():
    def program():
        calc = component(digest=DIGEST)
        return graph_of([calc.sum([calc.add(n, 1) for n in range(50)])]).to_bytes()

    assert program() == program()


def test_references_nest_anywhere():
    f = component(digest=DIGEST).f
    a = f()
    f(a)
    call = f([a, (a["x"], {"k": [a[0].mean_delay]})], {"a": a})
    assert plain(graph_of([call]))["tasks"][1] == [
        "f-2",
        0,
        [[("ref", 0), [("ref", [0, "x"]), {"k": [("ref", [0, 0, "mean-delay"])]}]], {"a": ("ref", 0)}],
    ]


def test_parts():
    f = component(digest=DIGEST).f
    node = f()
    low, high = node.split(2)
    assert plain(graph_of([low, high, node["with_underscore"]]))["outputs"] == [
        ("ref", [0, 0]),
        ("ref", [0, 1]),
        ("ref", [0, "with_underscore"]),
    ]
    for step in (-1, 1 << 32, 1.5, None, True, slice(0, 2)):
        with pytest.raises(GraphError) as refusal:
            node[step]
        assert refusal.value.code == "bad-value"
    with pytest.raises(TypeError, match="split"):
        list(node)
    with pytest.raises(TypeError, match="compute"):
        bool(node)
    with pytest.raises(AttributeError):
        node._private


def test_arguments_by_name():
    f = component(digest=DIGEST).f
    graph = graph_of([f(max_delay=1, import_=2), f.apply({"key": 1, "max_delay": 2}), f.apply({}), f()])
    assert [task[2] for task in plain(graph)["tasks"]] == [
        {"import": 2, "max-delay": 1},
        {"key": 1, "max_delay": 2},
        {},
        [],
    ]
    with pytest.raises(TypeError, match="not both"):
        f(1, x=2)


def test_exports_and_interfaces():
    flights = component(digest=DIGEST, interface="ns:pkg/iface@1.0.0")
    calls = [flights.mean_delay(), flights["other:pkg/x#f"](), flights.function("g_g", retries=2, group="g", bind=[1])()]
    functions = plain(graph_of(calls))["functions"]
    assert functions == [
        {"component": 0, "export": "ns:pkg/iface@1.0.0#mean-delay"},
        {"component": 0, "export": "other:pkg/x#f"},
        {"component": 0, "export": "ns:pkg/iface@1.0.0#g_g", "bind": [1], "group": "g", "options": {"retries": 2}},
    ]
    assert flights.mean_delay is flights["mean-delay"]


def test_map_makes_a_task_for_each_row():
    add = component(digest=DIGEST).add
    assert [task[2] for task in plain(graph_of(add.map(range(3), (10, 20, 30))))["tasks"]] == [[0, 10], [1, 20], [2, 30]]
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        add.map([1], [1, 2])


def test_gangs():
    calc = component(digest=DIGEST)

    def args(rank, size):
        return [rank, size, calc.load(rank)]

    parts = calc.part.gang(2, args, key="p", retries=1)
    options = {"gang": 2, "retries": 1}
    expected = [
        ["load-1", 0, [0]],
        ["load-2", 0, [1]],
        ["p-0", 1, [0, 2, ("ref", 0)], options],
        ["p-1", 1, [1, 2, ("ref", 1)], options],
    ]
    # Members follow each other, and whoever needs one needs all.
    assert plain(graph_of([parts[1]]))["tasks"] == expected
    read = Graph.from_bytes(graph_of([parts[0]]).to_bytes())
    assert plain(graph_of([read["p-1"]]))["tasks"] == expected
    with pytest.raises(GraphError) as refusal:
        parts[0].options(seed=1)
    assert refusal.value.code == "bad-value"
    for size, code in [(0, "bad-field"), (1025, "limit-exceeded"), ("2", "bad-field"), (True, "bad-field")]:
        with pytest.raises(GraphError) as refusal:
            calc.part.gang(size, args)
        assert (refusal.value.code, refusal.value.where) == (code, "part.gang.gang")
    with pytest.raises(GraphError):
        calc.function("part", gang=2)


def test_keys_are_chosen_or_counted():
    f = component(digest=DIGEST, interface="a:b/c").f
    nodes = [f(), f(key="f-2"), f(), f().options(key="last")]
    assert [task[0] for task in plain(graph_of(nodes))["tasks"]] == ["f-1", "f-2", "f-3", "last"]
    with pytest.raises(GraphError, match="`same` is already taken"):
        graph_of([f(key="same"), f(key="same")])


@pytest.mark.parametrize("key,code", [("", "bad-field"), (7, "bad-field"), ("é" * 513, "limit-exceeded")])
def test_keys_that_cannot_be(key, code):
    with pytest.raises(GraphError) as refusal:
        graph_of([component(digest=DIGEST).f(key=key)])
    assert refusal.value.code == code


def test_keys_in_a_graph():
    graph = Graph()
    f = graph.component(digest=DIGEST).f
    a, b = f(), f(key="chosen")
    assert (a.key, b.key, f().key) == ("f-1", "chosen", "f-2")
    a.options(key="renamed")
    assert graph["renamed"] is a and "f-1" not in graph and len(graph) == 3
    with pytest.raises(GraphError, match="already taken"):
        f(key="chosen")
    with pytest.raises(GraphError, match="already taken"):
        a.options(key="chosen")


def test_options():
    graph = Graph("nightly", timeout_ms=1000, resources={"slots": 2.0, "gpu": 0.5})
    f = graph.component(digest=DIGEST).function("f", grants=("clock",))
    f().options(priority=3).options(seed=1)
    f.apply([1], key="k", **{"result-bytes-max": 10})
    fields = plain(graph)
    assert fields["options"] == {"name": "nightly", "resources": {"gpu": 0.5, "slots": 2}, "timeout-ms": 1000}
    assert [type(amount) for amount in fields["options"]["resources"].values()] == [float, int]
    assert fields["functions"][0]["options"] == {"grants": ["clock"]}
    assert [task[3] for task in fields["tasks"]] == [{"priority": 3, "seed": 1}, {"result-bytes-max": 10}]


@pytest.mark.parametrize(
    "options,code,words",
    [
        ({"priorty": 1}, "unknown-field", "did you mean `priority`"),
        ({"name": "x"}, "bad-field", "only a graph"),
        ({"priority": 1.0}, "bad-field", "integer"),
        ({"retries": True}, "bad-field", "integer"),
        ({"retries": 101}, "limit-exceeded", "at most 100"),
        ({"grants": ["all"]}, "bad-field", "entropy"),
        ({"grants": "clock"}, "bad-field", "entropy"),
        ({"labels": ["gpu"]}, "bad-field", "key=value"),
        ({"resources": {"slots": -1}}, "bad-field", "amount"),
        ({"resources": {"memory": 0.5}}, "bad-field", "bytes"),
        ({"resources": 3}, "bad-field", "map"),
        ({"cache": "always"}, "bad-field", "`never`"),
    ],
)
def test_options_that_cannot_be(options, code, words):
    node = component(digest=DIGEST).f()
    with pytest.raises(GraphError, match=words) as refusal:
        node.options(**options)
    assert refusal.value.code == code and refusal.value.where.startswith("." + next(iter(options)))


def test_without_outputs_what_nobody_uses_is_wanted():
    graph = Graph()
    f = graph.component(digest=DIGEST).f
    a = f()
    f([a[0]])
    f()
    assert plain(graph)["outputs"] == [("ref", 1), ("ref", 2)]
    graph.output(a)
    assert plain(graph)["outputs"] == [("ref", 0)]
    with pytest.raises(TypeError):
        graph.output("a")


def test_tasks_without_a_graph_join_the_one_that_uses_them():
    loose = component(digest="sha256:" + "1" * 64).load
    one, two = loose(1), loose(2)
    joined = loose([one, two])
    graph = Graph()
    f = graph.component(digest=DIGEST).f
    f(joined)
    fields = plain(graph)
    assert [task[0] for task in fields["tasks"]] == ["f-1", "load-1", "load-2", "load-3"]
    assert fields["tasks"][0][2] == [("ref", 3)] and fields["outputs"] == [("ref", 0)]
    assert [entry["digest"][-1] for entry in fields["components"]] == ["0", "1"]
    assert graph.to_bytes() == graph.to_bytes()


def test_tasks_of_another_graph_are_refused():
    one, two = Graph(), Graph()
    node = one.component(digest=DIGEST).f()
    other = two.component(digest=DIGEST).f(node)
    with pytest.raises(GraphError, match="another graph"):
        two.to_bytes()
    with pytest.raises(GraphError, match="different graphs"):
        graph_of([node, other])


def test_errors_name_the_task_and_the_argument():
    f = component(digest=DIGEST).f
    with pytest.raises(GraphError) as refusal:
        graph_of([f(1, {"x": [object()]}, key="bad one")]).to_bytes()
    assert str(refusal.value) == "task `bad one`, args[1].x[0]: a object is no value of WIT (bad-value)"


def test_components_from_files_and_bytes(wasm, tmp_path):
    digest = "sha256:" + hashlib.sha256(b"calc").hexdigest()
    (tmp_path / "graphs").mkdir()
    by_path, embedded, from_bytes = component(wasm), component(wasm, embed=True), component(b"calc", name="calc")
    graph = graph_of([by_path.f(), embedded.f(), from_bytes.f()])
    assert plain(graph, tmp_path / "graphs")["components"] == [
        {"digest": digest, "source": {"path": "../calc.wasm"}},
        {"digest": digest, "bytes": b"calc"},
        {"digest": digest, "name": "calc", "bytes": b"calc"},
    ]
    with pytest.raises(FileNotFoundError):
        component(tmp_path / "missing.wasm")
    with pytest.raises(TypeError, match="digest"):
        component(url="https://example.com/x.wasm")
    with pytest.raises(TypeError, match="one of"):
        component(wasm, oci="example.com/x")
    with pytest.raises(GraphError, match="sha256"):
        component(digest="sha256:abc")


def test_saved_paths_are_relative_to_the_graph_wherever_it_is_saved(wasm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    graph = graph_of([component("calc.wasm").f(data_file("in.csv", 10, 20))])
    graph.save("sub/graph.msgpack")
    loaded = Graph.load(tmp_path / "sub" / "graph.msgpack")
    fields = plain(loaded, tmp_path / "sub")
    assert fields["components"][0]["source"] == {"path": "../calc.wasm"}
    assert fields["data"] == [{"source": {"path": "../in.csv"}, "offset": 10, "len": 20, "encoding": "raw"}]
    assert (tmp_path / "sub" / "graph.msgpack").read_bytes() == loaded.to_bytes(tmp_path / "sub")
    loaded.save(tmp_path / "graph.msgpack")
    assert plain(Graph.load("graph.msgpack"))["components"][0]["source"] == {"path": "calc.wasm"}
    assert os.listdir(tmp_path / "sub") == ["graph.msgpack"]


def test_data_is_written_once():
    f = component(digest=DIGEST)
    shared = data(b"x" * 1000)
    table = data([1.5, {"b": 1, "a": None}], type="list<any>")
    calls = f.f.map([shared] * 3) + [f.function("g", bind=[shared, [table]])(1)]
    fields = plain(graph_of(calls))
    assert fields["data"] == [
        {"bytes": b"x" * 1000, "encoding": "raw"},
        {"bytes": msgpack.packb([1.5, {"a": None, "b": 1}]), "encoding": "value", "type": "list<any>"},
    ]
    assert [task[2] for task in fields["tasks"]] == [[("data", 0)]] * 3 + [[1]]
    assert fields["functions"][1]["bind"] == [("data", 0), [("data", 1)]]


def test_data_and_bind_hold_no_tasks():
    f = component(digest=DIGEST)
    node = f.f()
    with pytest.raises(GraphError, match="in a data entry"):
        data([node])
    with pytest.raises(GraphError, match=r"functions\[0\].bind\[1\].x"):
        graph_of([f.function("g", bind=[1, {"x": node}])()]).to_bytes()
    with pytest.raises(GraphError, match="offset"):
        data_file("x", -1)


def test_dynamic_functions():
    call = component(digest=DIGEST).function("call", dynamic={"result": "list<f64>", "params": None})
    assert plain(graph_of([call()]))["functions"][0]["dynamic"] == {"result": "list<f64>"}
    with pytest.raises(GraphError, match="dynamic.results"):
        component(digest=DIGEST).function("call", dynamic={"results": "u32"})


def test_long_chains_and_wide_sums_need_no_recursion():
    f = component(digest=DIGEST).f
    node = f()
    for _ in range(20_000):
        node = f(node)
    content = graph_of([f([node, *f.map(range(20_000))])]).to_bytes()
    loaded = Graph.from_bytes(content)
    assert len(loaded) == 40_002 and loaded.to_bytes() == content


def test_a_loaded_graph_can_be_extended():
    graph = graph_of([component(digest=DIGEST).f(1, key="a")])
    loaded = Graph.from_bytes(graph.to_bytes())
    assert isinstance(loaded["a"], Delayed) and loaded.outputs == (loaded["a"],)
    more = loaded.component(digest=DIGEST).g(loaded["a"]["x"])
    loaded.output(more)
    fields = plain(loaded)
    assert fields["tasks"][1] == ["g-1", 1, [("ref", [0, "x"])]] and fields["outputs"] == [("ref", 0), ("ref", 1)]


def test_drawing(tmp_path, monkeypatch):
    f = component(digest=DIGEST).f
    a = f(key='say "a"')
    b = f([a.x, a.x, a], key="b")
    text = b.visualize(str(tmp_path / "g.dot"))
    assert (tmp_path / "g.dot").read_text(encoding="utf-8") == text
    assert text.splitlines()[3:] == [
        r'  t0 [label="say \"a\"\nf"];',
        r'  t1 [label="b\nf", peripheries=2];',
        '  t0 -> t1 [label=".x"];',
        "  t0 -> t1;",
        "}",
    ]
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Exception, match="install graphviz"):
        b.visualize(str(tmp_path / "g.svg"))


def test_asking_for_an_export_is_not_using_it():
    graph = Graph()
    calc = graph.component(digest=DIGEST)
    assert hasattr(calc, "anything") and not hasattr(calc, "_repr_html_")
    declared = calc.function("declared")
    calc.second, calc.first()
    declared()
    assert [entry["export"] for entry in plain(graph)["functions"]] == ["declared", "first"]


def test_paths_have_an_end():
    part = component(digest=DIGEST).f()
    for _ in range(32):
        part = part[0]
    with pytest.raises(GraphError, match="32 steps"):
        part[0]

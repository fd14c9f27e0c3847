"""The vectors of sdk/conformance: JSON to the same bytes, bytes to the same bytes, and the same refusals."""

import base64
import json
import random

import pytest
from conftest import CONFORMANCE

from wasm_tasks import Data, Graph, GraphError, Packed
from wasm_tasks.node import Part
from wasm_tasks.source import Source

GOOD = sorted([*CONFORMANCE.glob("*.json"), *(CONFORMANCE / "run").glob("*.json")])
READ = sorted((CONFORMANCE / "read").glob("*.json"))
BAD = sorted((CONFORMANCE / "bad").glob("*.json"))


def name(path):
    return path.stem


def test_no_vector_is_missing():
    assert len(GOOD) >= 25 and len(BAD) >= 20 and len(READ) >= 5
    for folder in (CONFORMANCE, CONFORMANCE / "read", CONFORMANCE / "bad", CONFORMANCE / "run"):
        assert {p.stem for p in folder.glob("*.json")} == {p.stem for p in folder.glob("*.msgpack")}


class Builder:
    """Builds the graph that a vector's JSON describes, through the public interface."""

    def __init__(self, described, base):
        options = dict(self.plain(described.get("options", {})))
        self.graph = graph = Graph(**options)
        self.nodes = []
        components = [self.component(entry, base) for entry in described["components"]]
        self.entries = [graph._declare_data(self.data(entry, base)) for entry in described.get("data", [])]
        functions = [
            components[entry["component"]].function(
                entry["export"],
                bind=self.plain(entry.get("bind", [])),
                group=entry.get("group"),
                dynamic=entry.get("dynamic"),
                **self.plain(entry.get("options", {})),
            )
            for entry in described["functions"]
        ]
        # All tasks first: references may point forward.
        for key, function, _, *options in described["tasks"]:
            self.nodes.append(functions[function].apply([], key=key, **self.plain(options[0] if options else {})))
        for node, (_, _, args, *_) in zip(self.nodes, described["tasks"]):
            node._args = {k: self.plain(v) for k, v in args.items()} if isinstance(args, dict) else self.plain(args)
        graph.output(*self.plain(described["outputs"]))

    def component(self, entry, base):
        source = entry.get("source", {})
        return self.graph.component(
            self.plain(entry["bytes"]) if "bytes" in entry else base / source["path"] if "path" in source else None,
            digest=entry["digest"],
            name=entry.get("name"),
            url=source.get("url"),
            oci=source.get("oci"),
        )

    def data(self, entry, base):
        entry = dict(entry)
        if "bytes" in entry:
            entry["content"] = self.plain(entry.pop("bytes"))
        if "source" in entry:
            (kind, text), = entry["source"].items()
            entry["source"] = Source(kind, str(base / text) if kind == "path" else text)
        return Data(**entry)

    def plain(self, value):
        if isinstance(value, list):
            return [self.plain(item) for item in value]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            (tag, inner), = value.items()
            if tag == "$ref":
                position, *path = inner if isinstance(inner, list) else [inner]
                return Part(self.nodes[position], tuple(path)) if path else self.nodes[position]
            if tag == "$data":
                return self.entries[inner]
            if tag == "$bin":
                return base64.b64decode(inner, validate=True)
            if tag == "$int":
                return int(inner)
            if tag == "$float":
                return float(inner)
            if tag == "$packed":
                return Packed(inner[0], self.plain(inner[1]))
        return {key: self.plain(item) for key, item in value.items()}


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_json_to_the_same_bytes(path, tmp_path):
    described = json.loads(path.read_text(encoding="utf-8"))
    assert Builder(described, tmp_path).graph.to_bytes(tmp_path) == path.with_suffix(".msgpack").read_bytes()


@pytest.mark.parametrize("path", GOOD, ids=name)
def test_bytes_to_the_same_bytes(path, tmp_path):
    content = path.with_suffix(".msgpack").read_bytes()
    assert Graph.from_bytes(content, tmp_path).to_bytes(tmp_path) == content


@pytest.mark.parametrize("path", READ, ids=name)
def test_what_is_not_canonical_is_written_canonically(path, tmp_path):
    content = path.with_suffix(".msgpack").read_bytes()
    canonical = Builder(json.loads(path.read_text(encoding="utf-8")), tmp_path).graph.to_bytes(tmp_path)
    assert content != canonical
    assert Graph.from_bytes(content, tmp_path).to_bytes(tmp_path) == canonical


@pytest.mark.parametrize("path", BAD, ids=name)
def test_refusals(path):
    expected = json.loads(path.read_text(encoding="utf-8"))
    with pytest.raises(GraphError) as refusal:
        Graph.from_bytes(path.with_suffix(".msgpack").read_bytes())
    assert refusal.value.code == expected["error"], refusal.value
    # Ours may be the place of a smaller part.
    assert (refusal.value.where or "").startswith(expected.get("where", ""))


@pytest.mark.parametrize("seed", range(20))
def test_damaged_vectors_are_refused_or_read_never_worse(seed):
    chance = random.Random(seed)
    small = [content for content in (p.with_suffix(".msgpack").read_bytes() for p in GOOD + BAD) if 0 < len(content) < 3000]
    for _ in range(100):
        content = bytearray(chance.choice(small))
        for _ in range(chance.randint(1, 3)):
            at = chance.randrange(len(content))
            content[at : at + chance.randrange(2)] = chance.choice([b"", b"\xc0", b"\xc1", b"\x80", b"\x90", b"\xd4", bytes([chance.randrange(256)])])
            content = content or bytearray(b"\x80")
        try:
            graph = Graph.from_bytes(bytes(content))
        except GraphError:
            continue
        written = graph.to_bytes()
        assert Graph.from_bytes(written).to_bytes() == written

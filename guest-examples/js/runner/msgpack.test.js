// Runs the runner's codec under Node.

import assert from "node:assert/strict";
import { test } from "node:test";

import { decode, encode } from "./msgpack.js";

const bytes = (hex) => Uint8Array.from(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (value) => Buffer.from(encode(value)).toString("hex");

test("headers and integers are the shortest", () => {
  const cases = [
    [0, "00"], [127, "7f"], [128, "cc80"], [256, "cd0100"], [65536, "ce00010000"], [2 ** 32, "cf0000000100000000"],
    [-1, "ff"], [-32, "e0"], [-33, "d0df"], [-129, "d1ff7f"], [-32769, "d2ffff7fff"], [-(2 ** 31) - 1, "d3ffffffff7fffffff"],
    [2n ** 64n - 1n, "cfffffffffffffffff"], [-(2n ** 63n), "d38000000000000000"],
    [1.5, "cb3ff8000000000000"], [-0, "cb8000000000000000"], [NaN, "cb7ff8000000000000"],
    [null, "c0"], [undefined, "c0"], [true, "c3"], ["é", "a2c3a9"], [new Uint8Array([1]), "c40101"],
    [[1, [2]], "92019102"], [{ b: 1, a: 2 }, "82a16102a16201"],
    [new Float64Array([1]), "d7183ff0000000000000".replace("3ff0000000000000", "000000000000f03f")],
    [new Int16Array([1, 2, 3]), "c70612010002000300"],
    [new Float32Array([NaN]), "d6170000c07f"], [new Float64Array([NaN]), "d718000000000000f87f"],
  ];
  for (const [value, expected] of cases) assert.equal(hex(value), expected);
});

test("keys are sorted by code points", () => {
  assert.equal(hex({ "\u{1F600}": 1, "\uFFFD": 2, aa: 3, a: 4 }), "84a16104a2616103a3efbfbd02a4f09f988001");
});

test("what is written reads back", () => {
  const values = [
    [1, -1, 1.25, 2 ** 53 - 1, 2n ** 63n], "x".repeat(40), "é\u{1F600}".repeat(200), { a: { b: [null, true] } },
    new Uint8Array(70000).fill(7), new BigInt64Array([1n, -1n]), new Float64Array(1000).fill(0.5), Array(70000).fill(3),
    Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, i])),
  ];
  for (const value of values) assert.deepEqual(decode(encode(value)), value);
});

test("longer forms are read", () => {
  assert.deepEqual(decode(bytes("dd00000002 cd0001 ca3f000000")), [1, 0.5]);
});

test("a key named __proto__ is a key", () => {
  const value = decode(bytes("81a95f5f70726f746f5f5f80"));
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test("what is no value is refused", () => {
  for (const bad of ["", "92 01", "01 01", "c1", "8101 01", "d5 18 0000", "c7 03 18 000000", "d4 01 00", "a1 ff", "a2 c0 80"]) {
    assert.throws(() => decode(bytes(bad)), TypeError, bad);
  }
  let deep = [];
  for (let i = 0; i < 70; i++) deep = [deep];
  for (const bad of [() => 1, Symbol("s"), "\ud800", deep]) assert.throws(() => encode(bad), TypeError);
  assert.throws(() => encode(2n ** 64n), RangeError);
});

// Values to MessagePack and back, as docs/values.md has them.
//
// An integer is a number where that is exact and a BigInt elsewhere, bin is a Uint8Array, a packed list
// is a typed array. A number without a fraction is written as an integer: JavaScript has one kind of number.

import { decodeUtf8, encodeUtf8 } from "./utf8.js";

const DEPTH_MAX = 64;
const PACKED = new Map([
  [16, Int8Array],
  [17, Uint16Array],
  [18, Int16Array],
  [19, Uint32Array],
  [20, Int32Array],
  [21, BigUint64Array],
  [22, BigInt64Array],
  [23, Float32Array],
  [24, Float64Array],
]);

/** The value of one MessagePack value. */
export function decode(bytes) {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.at !== bytes.length) throw new TypeError("bytes after the value");
  return value;
}

/** A value as MessagePack. */
export function encode(value) {
  const writer = new Writer();
  writer.value(value, 0);
  return writer.bytes();
}

class Reader {
  constructor(bytes) {
    this.input = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = 0;
  }

  value(depth) {
    if (depth > DEPTH_MAX) throw new TypeError(`values nest at most ${DEPTH_MAX} deep`);
    const head = this.uint(1);
    if (head < 0x80) return head;
    if (head < 0x90) return this.map(head & 0x0f, depth);
    if (head < 0xa0) return this.array(head & 0x0f, depth);
    if (head < 0xc0) return decodeUtf8(this.take(head & 0x1f));
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0: return null;
      case 0xc2: return false;
      case 0xc3: return true;
      case 0xc4: case 0xc5: case 0xc6: return this.take(this.uint(1 << (head - 0xc4))).slice();
      case 0xc7: case 0xc8: case 0xc9: return this.packed(this.uint(1 << (head - 0xc7)));
      case 0xca: return this.number("getFloat32", 4);
      case 0xcb: return this.number("getFloat64", 8);
      case 0xcc: return this.number("getUint8", 1);
      case 0xcd: return this.number("getUint16", 2);
      case 0xce: return this.number("getUint32", 4);
      case 0xcf: return exact(this.number("getBigUint64", 8));
      case 0xd0: return this.number("getInt8", 1);
      case 0xd1: return this.number("getInt16", 2);
      case 0xd2: return this.number("getInt32", 4);
      case 0xd3: return exact(this.number("getBigInt64", 8));
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return this.packed(1 << (head - 0xd4));
      case 0xd9: case 0xda: case 0xdb: return decodeUtf8(this.take(this.uint(1 << (head - 0xd9))));
      case 0xdc: case 0xdd: return this.array(this.uint(2 << (head - 0xdc)), depth);
      case 0xde: case 0xdf: return this.map(this.uint(2 << (head - 0xde)), depth);
      default: throw new TypeError(`no MessagePack begins with ${head}`);
    }
  }

  take(length) {
    if (this.at + length > this.input.length) throw new TypeError("the MessagePack ends early");
    this.at += length;
    return this.input.subarray(this.at - length, this.at);
  }

  uint(width) {
    return this.number({ 1: "getUint8", 2: "getUint16", 4: "getUint32" }[width], width);
  }

  number(getter, width) {
    this.take(width);
    return this.view[getter](this.at - width);
  }

  array(length, depth) {
    const items = [];
    for (let i = 0; i < length; i++) items.push(this.value(depth + 1));
    return items;
  }

  map(length, depth) {
    const entries = [];
    for (let i = 0; i < length; i++) {
      const key = this.value(depth + 1);
      if (typeof key !== "string") throw new TypeError("a map's key is no string");
      entries.push([key, this.value(depth + 1)]);
    }
    // Not assignment: a key `__proto__` is a key like others.
    return Object.fromEntries(entries);
  }

  packed(length) {
    const code = this.uint(1);
    const Type = PACKED.get(code);
    if (!Type || length % Type.BYTES_PER_ELEMENT !== 0) throw new TypeError(`extension ${code} of ${length} bytes is no value`);
    return new Type(this.take(length).slice().buffer);
  }
}

const exact = (big) => (big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big);

class Writer {
  constructor() {
    this.parts = [];
  }

  bytes() {
    const all = new Uint8Array(this.parts.reduce((length, part) => length + part.length, 0));
    let at = 0;
    for (const part of this.parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  value(value, depth) {
    if (depth > DEPTH_MAX) throw new TypeError(`values nest at most ${DEPTH_MAX} deep`);
    switch (typeof value) {
      case "undefined": return this.put(0xc0);
      case "boolean": return this.put(value ? 0xc3 : 0xc2);
      case "bigint": return this.integer(value);
      case "number": return this.number(value);
      case "string": return this.text(value);
      case "object": return this.object(value, depth);
      default: throw new TypeError(`a ${typeof value} is no value of a task`);
    }
  }

  put(...bytes) {
    this.parts.push(Uint8Array.from(bytes));
  }

  /** A head byte and a number of some bytes. */
  head(head, setter, width, number) {
    const bytes = new Uint8Array(1 + width);
    bytes[0] = head;
    new DataView(bytes.buffer)[setter](1, number);
    this.parts.push(bytes);
  }

  number(number) {
    if (Number.isSafeInteger(number) && !Object.is(number, -0)) return this.integer(BigInt(number));
    if (Number.isNaN(number)) return this.put(0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0);
    return this.head(0xcb, "setFloat64", 8, number);
  }

  integer(big) {
    if (big >= -32n && big < 128n) return this.put(Number(big) & 0xff);
    for (const [bits, unsigned, signed] of [[8, 0xcc, 0xd0], [16, 0xcd, 0xd1], [32, 0xce, 0xd2]]) {
      if (big >= 0n && big < 1n << BigInt(bits)) return this.head(unsigned, `setUint${bits}`, bits / 8, Number(big));
      if (big < 0n && big >= -(1n << BigInt(bits - 1))) return this.head(signed, `setInt${bits}`, bits / 8, Number(big));
    }
    if (big >= 0n && big < 1n << 64n) return this.head(0xcf, "setBigUint64", 8, big);
    if (big < 0n && big >= -(1n << 63n)) return this.head(0xd3, "setBigInt64", 8, big);
    throw new RangeError(`the integer ${big} does not fit 64 bits`);
  }

  /** The head of something with a length: one of three widths, or within the head byte. */
  length(length, fixed, fixedMax, heads) {
    if (length <= fixedMax) return this.put(fixed | length);
    if (length < 0x100 && heads[0]) return this.head(heads[0], "setUint8", 1, length);
    if (length < 0x10000) return this.head(heads[1], "setUint16", 2, length);
    return this.head(heads[2], "setUint32", 4, length);
  }

  text(text) {
    const bytes = encodeUtf8(text);
    this.length(bytes.length, 0xa0, 31, [0xd9, 0xda, 0xdb]);
    this.parts.push(bytes);
  }

  object(value, depth) {
    if (value === null) return this.put(0xc0);
    if (value instanceof ArrayBuffer) return this.binary(new Uint8Array(value));
    if (ArrayBuffer.isView(value)) return this.binary(value);
    if (Array.isArray(value)) {
      this.length(value.length, 0x90, 15, [0, 0xdc, 0xdd]);
      for (const item of value) this.value(item, depth + 1);
      return undefined;
    }
    const entries = value instanceof Map ? [...value] : Object.entries(value);
    // The order of UTF-8 bytes is that of code points, not that of a string's 16-bit units.
    const keyed = entries.map(([key, item]) => {
      if (typeof key !== "string") throw new TypeError("a map's key is no string");
      return { key, points: Array.from(key, (character) => character.codePointAt(0)), item };
    });
    keyed.sort((a, b) => compare(a.points, b.points));
    this.length(keyed.length, 0x80, 15, [0, 0xde, 0xdf]);
    for (const { key, item } of keyed) {
      this.text(key);
      this.value(item, depth + 1);
    }
    return undefined;
  }

  binary(view) {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    if (view instanceof Uint8Array || view instanceof Uint8ClampedArray || view instanceof DataView) {
      this.length(bytes.length, 0, -1, [0xc4, 0xc5, 0xc6]);
      this.parts.push(bytes);
      return;
    }
    const code = [...PACKED].find(([, Type]) => view instanceof Type)?.[0];
    if (code === undefined) throw new TypeError(`a ${view.constructor.name} is no value of a task`);
    const fixed = [1, 2, 4, 8, 16].indexOf(bytes.length);
    if (fixed >= 0) this.put(0xd4 + fixed);
    else this.length(bytes.length, 0, -1, [0xc7, 0xc8, 0xc9]);
    this.put(code);
    this.parts.push(withOneNaN(view, bytes));
  }
}

/** The bytes of a list of floats in which every NaN is the one that docs/values.md names. */
function withOneNaN(view, bytes) {
  if (!(view instanceof Float32Array || view instanceof Float64Array) || !view.some(Number.isNaN)) return bytes;
  const copy = view.slice();
  const words = new Uint32Array(copy.buffer);
  const width = copy.BYTES_PER_ELEMENT / 4;
  for (let i = 0; i < copy.length; i++) {
    if (!Number.isNaN(copy[i])) continue;
    if (width === 2) words[2 * i] = 0;
    words[width * i + width - 1] = width === 2 ? 0x7ff80000 : 0x7fc00000;
  }
  return new Uint8Array(copy.buffer);
}

function compare(a, b) {
  const i = a.findIndex((point, at) => point !== b[at]);
  if (i < 0) return a.length - b.length;
  return i < b.length ? a[i] - b[i] : 1;
}

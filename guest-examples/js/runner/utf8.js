// Strings to UTF-8 and back; QuickJS has no TextEncoder. Lone surrogates and invalid bytes are refused.

/** The UTF-8 of a string. */
export function encodeUtf8(text) {
  const bytes = [];
  for (const character of text) {
    const point = character.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) throw new TypeError("a string with a lone surrogate cannot be written as UTF-8");
    if (point < 0x80) bytes.push(point);
    else if (point < 0x800) bytes.push(0xc0 | (point >> 6), continuation(point));
    else if (point < 0x10000) bytes.push(0xe0 | (point >> 12), continuation(point >> 6), continuation(point));
    else bytes.push(0xf0 | (point >> 18), continuation(point >> 12), continuation(point >> 6), continuation(point));
  }
  return Uint8Array.from(bytes);
}

const continuation = (bits) => 0x80 | (bits & 0x3f);

/** The string of some UTF-8. */
export function decodeUtf8(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at];
    const more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
    let point = more === 0 ? first : first & (0x3f >> more);
    for (let i = 1; i <= more; i++) {
      if ((bytes[at + i] & 0xc0) !== 0x80) throw new TypeError("invalid UTF-8");
      point = (point << 6) | (bytes[at + i] & 0x3f);
    }
    if ((first & 0xc0) === 0x80 || first > 0xf7 || point < [0, 0x80, 0x800, 0x10000][more]) throw new TypeError("invalid UTF-8");
    text += String.fromCodePoint(point);
    at += more + 1;
  }
  return text;
}

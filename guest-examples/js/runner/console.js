// A console that writes to the task's standard output and standard error; QuickJS has none.

import { getStderr } from "wasi:cli/stderr@0.2.12";
import { getStdout } from "wasi:cli/stdout@0.2.12";

import { encodeUtf8 } from "./utf8.js";

/** WASI takes at most so many bytes in one blocking write. */
const WRITE_BYTES_MAX = 4096;

function write(stream, items) {
  const bytes = encodeUtf8(`${items.map(text).join(" ")}\n`);
  for (let at = 0; at < bytes.length; at += WRITE_BYTES_MAX) {
    stream.blockingWriteAndFlush(bytes.slice(at, at + WRITE_BYTES_MAX));
  }
}

function text(item) {
  if (typeof item !== "object" || item === null) return String(item);
  if (item instanceof Error) return `${item}\n${item.stack}`;
  try {
    return JSON.stringify(item, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  } catch {
    return String(item);
  }
}

export const console = {
  log: (...items) => write(getStdout(), items),
  info: (...items) => write(getStdout(), items),
  debug: (...items) => write(getStdout(), items),
  warn: (...items) => write(getStderr(), items),
  error: (...items) => write(getStderr(), items),
};

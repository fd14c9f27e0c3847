// Runs a JavaScript function that is given as source text: the export `call` of wasm-tasks:runner.

import { console } from "./console.js";
import { decode, encode } from "./msgpack.js";
import { seededRandom } from "./random.js";

/**
 * The function `entry` of a script. `export` is accepted in front of declarations, so that the same
 * file is also a module.
 */
function load(source, entry) {
  const script = source.replace(/^export\s+(default\s+)?(?=(async\s+)?(function|const|let|var|class)\b)/gm, "");
  const found = new Function(`"use strict";\n${script}\nreturn typeof ${entry} === "undefined" ? undefined : ${entry};`)();
  if (typeof found !== "function") throw new TypeError(`the source defines no function \`${entry}\``);
  return found;
}

export function call(source, entry, parameters) {
  globalThis.console = console;
  Math.random = seededRandom();
  try {
    const result = load(source, entry)(...decode(parameters));
    if (result instanceof Promise) throw new TypeError("the function is asynchronous; tasks have no event loop");
    return encode(result);
  } catch (error) {
    throw error instanceof Error ? `${error}\n${error.stack}` : String(error);
  }
}

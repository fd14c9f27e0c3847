// Math.random from the host's seed. QuickJS seeds its own while the component is made, so that it would
// give every task the same numbers whatever its seed.

import { insecureSeed } from "wasi:random/insecure-seed@0.2.12";

/** A generator of numbers from 0 to 1: xoshiro128** (Blackman and Vigna), 32 bits at a time. */
export function seededRandom() {
  const view = new DataView(new ArrayBuffer(16));
  // The two halves may arrive as numbers or as BigInts; either way their bits are the seed.
  insecureSeed().forEach((half, i) => view.setFloat64(8 * i, Number(half)));
  const state = [0, 4, 8, 12].map((at) => view.getUint32(at));
  if (state.every((word) => word === 0)) state[0] = 1;
  const rotate = (word, by) => (word << by) | (word >>> (32 - by));
  const next = () => {
    const result = Math.imul(rotate(Math.imul(state[1], 5), 7), 9) >>> 0;
    const shifted = state[1] << 9;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate(state[3], 11);
    return result;
  };
  for (let i = 0; i < 16; i++) next();
  return () => ((next() >>> 5) * 0x4000000 + (next() >>> 6)) / 0x20000000000000;
}

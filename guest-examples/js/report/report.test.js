// Runs the guest's functions under Node, as the component's host would call them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { flightsReport, svg, table } from "./report.js";

const sums = [
  { hour: 5, flights: 3n, delay: -5n },
  { hour: 17, flights: 4n, delay: 50n },
];
const all = { flights: 7n, mean: 45 / 7, bestHour: 5, worstHour: 17 };

test("the table has a line an hour with four decimals", () => {
  assert.equal(table(sums), "05      3  -1.6667\n17      4  12.5000\n");
});

test("the plot has a bar an hour, below zero too", () => {
  const plot = svg(sums, all);
  assert.equal(plot.match(/<rect x=/g).length, 2);
  const bars = [...plot.matchAll(/<rect x="[\d.]+" y="([\d.]+)" width="[\d.]+" height="([\d.]+)"/g)];
  const [early, late] = bars.map(([, y, height]) => ({ y: Number(y), height: Number(height) }));
  assert.ok(early.height > 0 && late.height > early.height);
  assert.ok(Math.abs(late.y + late.height - early.y) < 0.2, "both bars meet the zero line");
  assert.match(plot, /\(7 flights\)/);
});

test("the export makes both", () => {
  assert.deepEqual(Object.keys(flightsReport.make(sums, all)), ["table", "svg"]);
});

test("no hours make an empty table", () => {
  assert.equal(table([]), "");
  assert.match(svg([], { flights: 0n, mean: 0 }), /^<svg/);
});

// The table and the bar plot of the flights demo. A component's `u64` and `s64` are BigInts here.

const WIDTH = 720;
const HEIGHT = 360;
const LEFT = 48;
const RIGHT = 12;
const TOP = 40;
const BOTTOM = 36;

const mean = (sum) => Number(sum.delay) / Number(sum.flights);

/** One line an hour: hour, flights, mean delay with four decimals. */
export function table(sums) {
  return sums
    .map((sum) => {
      const hour = String(sum.hour).padStart(2, "0");
      const flights = String(sum.flights).padStart(6);
      return `${hour} ${flights} ${mean(sum).toFixed(4).padStart(8)}\n`;
    })
    .join("");
}

/** A bar an hour, a line at zero and one at the mean of all flights. */
export function svg(sums, all) {
  const means = sums.map(mean);
  const highest = Math.max(1, ...means);
  const lowest = Math.min(0, ...means);
  const scale = (HEIGHT - TOP - BOTTOM) / (highest - lowest);
  const y = (value) => TOP + (highest - value) * scale;
  const step = (WIDTH - LEFT - RIGHT) / 24;

  const bars = sums.map((sum, i) => {
    const x = LEFT + sum.hour * step;
    const from = y(Math.max(means[i], 0));
    const to = y(Math.min(means[i], 0));
    const title = `${sum.hour}:00 ${means[i].toFixed(4)} min, ${sum.flights} flights`;
    const at = `x="${(x + 2).toFixed(1)}" y="${from.toFixed(1)}"`;
    const size = `width="${(step - 4).toFixed(1)}" height="${(to - from).toFixed(1)}"`;
    const label = `x="${(x + step / 2).toFixed(1)}" y="${HEIGHT - 14}" text-anchor="middle"`;
    return `<rect ${at} ${size} fill="#4477aa"><title>${title}</title></rect>\n<text ${label}>${sum.hour}</text>\n`;
  });
  const lines = [
    { value: 0, colour: "#000", dash: "none" },
    { value: all.mean, colour: "#cc3311", dash: "5 4" },
  ].map(({ value, colour, dash }) => {
    const at = y(value).toFixed(1);
    const ends = `x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}"`;
    const label = `x="${LEFT - 4}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end" fill="${colour}"`;
    return `<line ${ends} stroke="${colour}" stroke-dasharray="${dash}"/>\n<text ${label}>${value.toFixed(1)}</text>\n`;
  });
  const title = `Mean departure delay by scheduled hour, in minutes (${all.flights} flights)`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">\n` +
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>\n` +
    `<text x="${LEFT}" y="20" font-size="14">${title}</text>\n` +
    `${bars.join("")}${lines.join("")}</svg>\n`
  );
}

/** The export `wasm-tasks:examples/flights-report`. */
export const flightsReport = {
  make(sums, all) {
    return { table: table(sums), svg: svg(sums, all) };
  },
};

/** Round numbers for axes, and the spans that they cover. */

/** Return a round number of about this size: 1, 2 or 5 times a power of ten. @type {(size: number) => number} */
function niceStep(size) {
  const power = 10 ** Math.floor(Math.log10(size || 1));
  return [1, 2, 5, 10].map((times) => times * power).find((step) => step >= size * 0.999) ?? power * 10;
}

/** Return round numbers within a span. @type {(low: number, high: number, count: number) => number[]} */
function ticks(low, high, count) {
  const step = niceStep((high - low) / count);
  /** @type {number[]} */
  const found = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + 1e-9 * step; at += 1)
    found.push(Number((at * step).toPrecision(12)));
  return found;
}

/**
 * Return round numbers for a logarithmic axis; a longer axis has fewer per power of ten.
 * @type {(low: number, high: number) => number[]}
 */
function logTicks(low, high) {
  const spans = Math.log10(high / low),
    digits = spans > 3 ? [1] : spans > 1.2 ? [1, 2, 5] : [1, 1.5, 2, 3, 5, 7];
  /** @type {number[]} */
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power += 1) {
    for (const digit of digits) found.push(Number((digit * 10 ** power).toPrecision(6)));
  }
  return found.filter((value) => value >= low && value <= high);
}

const TIME_STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];

/** Round times within a span. @type {(low: number, high: number, count: number) => number[]} */
function timeTicks(low, high, count) {
  const step = TIME_STEPS.find((one) => one >= (high - low) / count) ?? 86400 * Math.ceil((high - low) / count / 86400);
  /** @type {number[]} */
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high; at += 1) found.push(at * step);
  return found;
}

/**
 * Return the least and the greatest finite number of several arrays and of `known`.
 * @type {(arrays: number[][], known: number) => Pair}
 */
function spanOf(arrays, known) {
  let low = Number.isFinite(known) ? known : Infinity,
    high = Number.isFinite(known) ? known : -Infinity;
  for (const array of arrays) {
    for (const value of array) {
      if (!Number.isFinite(value)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return low <= high ? [low, high] : [0, 1];
}

// How strongly a machine shakes, from a telephone's accelerometer: gravity and slow tilting are taken
// out, the rest is summed up over tenths of a second. Samples go in, levels come out; no page, no clock.
// @ts-check

/** Length of a window in milliseconds. */
export const WINDOW_MS = 100;
/** What is slower than this, in hertz, is tilting, not shaking. */
const SLOWEST_HZ = 2;
/** A silence longer than this, in milliseconds, starts anew. */
const GAP_MS = 500;
/** The filter has forgotten gravity after this time, in milliseconds. */
const SETTLE_MS = 1_000;

/** One axis: what a two-stage high-pass filter lets through. */
class Axis {
  constructor() {
    this.input = [0, 0];
    this.output = [0, 0];
  }

  /** @param {number} value */
  reset(value) {
    this.input = [value, 0];
    this.output = [0, 0];
  }

  /** @param {number} value @param {number} keep share that a stage keeps over this time (bilinear transform) */
  pass(value, keep) {
    let through = value;
    for (let stage = 0; stage < 2; stage += 1) {
      const out = keep * this.output[stage] + (1 + keep) / 2 * (through - this.input[stage]);
      this.input[stage] = through;
      this.output[stage] = out;
      through = out;
    }
    return through;
  }
}

/** From samples to the root mean square of each tenth of a second, in the unit of the samples. */
export class Shake {
  constructor() {
    this.axes = [new Axis(), new Axis(), new Axis()];
    /** @type {number | undefined} */
    this.last = undefined;
    this.begun = 0;
    /** @type {{ number: number, squares: number, n: number } | undefined} */
    this.window = undefined;
  }

  /**
   * @param {number} tMs @param {number[]} xyz acceleration with or without gravity
   * @returns {{ tMs: number, level: number } | undefined} the window before, once the next one begins
   */
  sample(tMs, xyz) {
    if (this.last !== undefined && tMs <= this.last) return undefined;
    if (this.last === undefined || tMs - this.last > GAP_MS) {
      this.axes.forEach((axis, i) => axis.reset(xyz[i]));
      [this.last, this.begun, this.window] = [tMs, tMs, undefined];
      return undefined;
    }
    const bend = Math.tan(Math.min(Math.PI * SLOWEST_HZ * (tMs - this.last) / 1_000, 1.5)), keep = (1 - bend) / (1 + bend);
    this.last = tMs;
    const square = this.axes.reduce((sum, axis, i) => sum + axis.pass(xyz[i], keep) ** 2, 0);
    if (tMs - this.begun < SETTLE_MS) return undefined;
    const number = Math.floor(tMs / WINDOW_MS);
    const before = this.window;
    if (before && before.number === number) {
      before.squares += square;
      before.n += 1;
      return undefined;
    }
    this.window = { number, squares: square, n: 1 };
    // The first window is rarely a whole one; a single sample says little.
    if (!before || before.n < 2) return undefined;
    const level = Math.sqrt(before.squares / before.n);
    return { tMs: (before.number + 1) * WINDOW_MS, level: Number(level.toPrecision(3)) };
  }
}

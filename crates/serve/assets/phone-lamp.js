// What a camera sees of a signal lamp: whether a tier is lit, whether it blinks, and whether the
// picture still shows what it showed. Pixels go in, words come out; no page, no clock, no network.
// @ts-check

/**
 * @typedef {"red" | "yellow" | "green"} Colour
 * @typedef {{ x: number, y: number, r: number }} Spot  shares of the picture: x and r of its width, y of its height
 * @typedef {{ width: number, height: number, data: Uint8ClampedArray }} Picture
 * @typedef {{ score: number, rgb: number[], peak: number, clipped: number }} View
 * @typedef {{ score: number, rgb: number[] }} Level
 * @typedef {{ dark?: Level, lit?: Level }} Known
 */

/** Two brightnesses this far apart (natural logarithm) are two states, not one that wavers. */
const JUMP = 0.3;
/** Share of the way between dark and lit that has to be passed beyond the middle. */
const HYSTERESIS = 0.15;
/** Known levels follow what is seen by this share a picture: about a minute at fifteen a second. */
const FOLLOW = 1 / 900;
/** Pictures in a row that have to agree. */
const AGREE = 2;
/** A lamp that turns on or off changes at once, by itself: the spot alone by so much (natural logarithm). */
const STEP = 0.15;
/** What seems to be the other state without such a step is believed after so many pictures, unless it shines. */
const BELIEVED = 300;
/** How quickly a spot's own brightness is followed, as a share a picture. */
const CALM = 0.1;
/** Two edges within this time blink. The box uses the same rule for sensors that report edges. */
const BLINK_MS = 2_000;
/** Keeps the logarithm of a black picture finite. */
const BLACK = 8;
/** Inner and outer edge of the surroundings that a tier is compared with, in its own radius. */
const AROUND = [1.5, 3];

/** @param {number[]} values */
function median(values) {
  const sorted = values.slice().sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/**
 * How bright a spot is against what surrounds it. Both change alike when the camera adapts itself or
 * the sun comes out; a lamp changes only the one.
 * @param {Picture} picture @param {Spot} spot @param {Spot[]} [others] other tiers, which surround nothing
 * @returns {View}
 */
export function look({ width, height, data }, spot, others = []) {
  const r = Math.max(spot.r * width, 1), far = r * AROUND[1];
  const cx = spot.x * width, cy = spot.y * height;
  const sum = [0, 0, 0], wall = [];
  let n = 0, clipped = 0, peaks = 0;
  for (let y = Math.max(0, Math.floor(cy - far)); y <= Math.min(height - 1, cy + far); y += 1) {
    for (let x = Math.max(0, Math.floor(cx - far)); x <= Math.min(width - 1, cx + far); x += 1) {
      const at = (y * width + x) * 4, rgb = [data[at], data[at + 1], data[at + 2]];
      const brightness = Math.max(...rgb), away = Math.hypot(x - cx, y - cy);
      if (away <= r) {
        n += 1;
        peaks += brightness;
        if (brightness >= 250) clipped += 1;
        for (let i = 0; i < 3; i += 1) sum[i] += rgb[i];
      } else if (away >= r * AROUND[0] && !others.some((o) => Math.hypot(x - o.x * width, y - o.y * height) <= o.r * width * AROUND[0])) {
        wall.push(brightness);
      }
    }
  }
  const peak = peaks / Math.max(n, 1), surroundings = median(wall) + BLACK;
  return {
    score: Math.log((peak + BLACK) / surroundings),
    rgb: sum.map((part) => part / Math.max(n, 1) / surroundings),
    peak,
    clipped: clipped / Math.max(n, 1),
  };
}

/** Whether light has the colour of a tier. @param {Colour} colour @param {number[]} rgb */
function isOf(colour, [r, g, b]) {
  if (colour === "red") return r > 0 && r >= 1.2 * Math.max(g, b);
  if (colour === "green") return g > 0 && g >= 1.1 * r && g >= 0.8 * b;
  return r > 0 && g >= 0.35 * r && Math.min(r, g) >= 1.2 * b;
}

/** One tier: lit or dark. It learns both from what it sees; a person may say that it is wrong. */
export class Tier {
  /** @param {Colour} colour @param {Known} [known] */
  constructor(colour, known = {}) {
    this.colour = colour;
    this.known = known;
    /** @type {boolean | undefined} */
    this.lit = undefined;
    this.against = 0;
    /** Its own brightness in its present state (natural logarithm). @type {number | undefined} */
    this.calm = undefined;
    /** @type {View | undefined} */
    this.last = undefined;
  }

  /** Both states have been seen. */
  get isSure() {
    return Boolean(this.known.dark && this.known.lit);
  }

  /** @param {View} view @returns {boolean} whether it is lit */
  see(view) {
    this.last = view;
    const { dark, lit } = this.known;
    const seen = dark && lit ? this.#between(view, dark, lit) : dark || lit ? this.#fromOne(view) : this.#guess(view);
    this.against = seen === this.lit ? 0 : this.against + 1;
    if (this.lit === undefined || this.against >= AGREE && this.#isStep(view, seen)) {
      this.lit = seen;
      this.against = 0;
      this.calm = undefined;
      this.#learn(view, seen);
    }
    if (!this.#isStep(view, seen)) this.#follow(view);
    return this.lit;
  }

  /** Whether the spot itself has turned so, not its surroundings. @param {View} view @param {boolean} isLit */
  #isStep(view, isLit) {
    const own = Math.log(view.peak + BLACK), step = own - (this.calm ?? own);
    if (isLit === this.lit) return false;
    if (isLit ? step >= STEP : step <= -STEP) return true;
    return this.against >= BELIEVED && (isLit || !this.#guess(view));
  }

  /** A person says what it is now. @param {boolean} isLit */
  correct(isLit) {
    if (!this.last) return;
    const said = { score: this.last.score, rgb: this.last.rgb };
    const other = isLit ? this.known.dark : this.known.lit;
    const isApart = other && (isLit ? said.score - other.score : other.score - said.score) >= JUMP / 2;
    this.known = isLit ? { lit: said, dark: isApart ? other : undefined } : { dark: said, lit: isApart ? other : undefined };
    this.lit = isLit;
    this.against = 0;
    this.calm = undefined;
  }

  /** @param {View} view @param {Level} dark @param {Level} lit */
  #between({ score }, dark, lit) {
    const middle = (dark.score + lit.score) / 2, margin = HYSTERESIS * (lit.score - dark.score);
    return score > (this.lit ? middle - margin : middle + margin);
  }

  /** One state is known: the other is far from it, and adds light of the tier's own colour. */
  #fromOne(/** @type {View} */ view) {
    const { dark, lit } = this.known;
    if (dark) return view.score > dark.score + JUMP && this.#addsOwnLight(view, dark);
    return !(lit && view.score < lit.score - JUMP);
  }

  /** Light that spills over from the next tier has another colour. @param {View} view @param {Level} dark */
  #addsOwnLight({ rgb, clipped }, dark) {
    return clipped > 0.5 || isOf(this.colour, rgb.map((part, i) => part - dark.rgb[i]));
  }

  /** Nothing is known: lit if it shines out of its surroundings in its colour. */
  #guess(/** @type {View} */ { score, rgb, peak, clipped }) {
    return peak >= 170 && score >= 0.25 && (clipped > 0.5 || isOf(this.colour, rgb));
  }

  /** @param {View} view @param {boolean} isLit */
  #learn({ score, rgb }, isLit) {
    if (isLit) this.known.lit ??= { score, rgb };
    else this.known.dark ??= { score, rgb };
  }

  /** @param {View} view */
  #follow({ score, rgb, peak }) {
    const { dark, lit } = this.known;
    const own = Math.log(peak + BLACK);
    this.calm = (this.calm ?? own) + CALM * (own - (this.calm ?? own));
    const level = this.lit ? lit : dark;
    if (!level) return;
    const next = level.score + FOLLOW * (score - level.score);
    const gap = this.lit ? next - (dark?.score ?? -Infinity) : (lit?.score ?? Infinity) - next;
    // What is known is never given up to a lamp that slowly fades into its surroundings.
    if (gap >= JUMP * 0.7) level.score = next;
    level.rgb = level.rgb.map((part, i) => part + FOLLOW * (rgb[i] - part));
  }
}

/** Off, steady or blinking, from levels. */
export class Blink {
  constructor() {
    /** @type {number[]} times of the last two edges */
    this.edges = [];
    /** @type {boolean | undefined} */
    this.lit = undefined;
  }

  /** @param {number} tMs @param {boolean} lit @returns {"off" | "steady" | "blink"} */
  see(tMs, lit) {
    if (this.lit !== undefined && lit !== this.lit) this.edges = [...this.edges.slice(-1), tMs];
    this.lit = lit;
    if (this.edges.length === 2 && tMs - this.edges[0] <= BLINK_MS) return "blink";
    return lit ? "steady" : "off";
  }
}

/** Cells of the small grey picture that a scene is known by; what counts is how each differs from those around it. */
const CELLS = [32, 24];
/** Likeness below which the picture has moved, and above which it is back. */
const MOVED = 0.7, BACK = 0.8;
/** It has to have moved for this long: people walk by. */
const MOVED_MS = 3_000;
/** Nothing is seen where nothing can be made out for so long. */
const DARK_MS = 2_000;
/** A picture with less contrast than this tells nothing of where it looks. */
const FLAT = 2;

/** Whether the camera still looks where it was pointed, and sees anything. */
export class Scene {
  /** @param {number[]} [reference] the small picture as it was when the tiers were placed */
  constructor(reference) {
    this.reference = reference;
    /** @type {number | undefined} */
    this.movedSince = undefined;
    /** @type {number | undefined} */
    this.darkSince = undefined;
    this.hasMoved = false;
  }

  /** @param {number} tMs @param {Picture} picture @param {Spot[]} spots @returns {"ok" | "dark" | "moved"} */
  see(tMs, picture, spots) {
    const cells = shrink(picture);
    this.reference ??= cells;
    const alike = likeness(cells, this.reference, maskOf(picture, spots));
    if (alike === undefined) {
      this.darkSince ??= tMs;
      return tMs - this.darkSince >= DARK_MS ? "dark" : this.hasMoved ? "moved" : "ok";
    }
    this.darkSince = undefined;
    if (alike < (this.hasMoved ? BACK : MOVED)) {
      this.movedSince ??= tMs;
      if (tMs - this.movedSince >= MOVED_MS) this.hasMoved = true;
    } else {
      this.movedSince = undefined;
      this.hasMoved = false;
      if (alike >= BACK) this.reference = this.reference.map((cell, i) => cell + FOLLOW * (cells[i] - cell));
    }
    return this.hasMoved ? "moved" : "ok";
  }
}

/** How each cell differs in brightness from those around it. @param {Picture} picture */
function shrink({ width, height, data }) {
  const [columns, rows] = CELLS, sums = new Array(columns * rows).fill(0), counts = sums.slice();
  for (let y = 0; y < height; y += 1) {
    const row = Math.floor((y * rows) / height) * columns;
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 4, cell = row + Math.floor((x * columns) / width);
      sums[cell] += Math.max(data[at], data[at + 1], data[at + 2]);
      counts[cell] += 1;
    }
  }
  const means = sums.map((sum, i) => sum / Math.max(counts[i], 1));
  return means.map((mean, i) => mean - around(means, i));
}

/** Mean of the cells around one. @param {number[]} cells @param {number} at */
function around(cells, at) {
  const [columns, rows] = CELLS, x = at % columns, y = Math.floor(at / columns);
  let sum = 0, n = 0;
  for (let j = Math.max(0, y - 1); j <= Math.min(rows - 1, y + 1); j += 1) {
    for (let i = Math.max(0, x - 1); i <= Math.min(columns - 1, x + 1); i += 1) {
      if (i === x && j === y) continue;
      sum += cells[j * columns + i];
      n += 1;
    }
  }
  return sum / n;
}

/** Cells that no lamp shines on. @param {Picture} picture @param {Spot[]} spots */
function maskOf({ width, height }, spots) {
  const [columns, rows] = CELLS;
  return Array.from({ length: columns * rows }, (_, i) => {
    const x = ((i % columns) + 0.5) / columns * width, y = (Math.floor(i / columns) + 0.5) / rows * height;
    return !spots.some((s) => Math.hypot(x - s.x * width, y - s.y * height) <= s.r * width * AROUND[1] + width / columns / 2);
  });
}

/** Correlation of two small pictures: 1 if the place has nothing to know it by, undefined if nothing can be made out. @param {number[]} a @param {number[]} b @param {boolean[]} mask */
function likeness(a, b, mask) {
  const of = (/** @type {number[]} */ cells) => {
    const kept = cells.filter((_, i) => mask[i]), mean = kept.reduce((x, y) => x + y, 0) / Math.max(kept.length, 1);
    return kept.map((cell) => cell - mean);
  };
  const one = of(a), other = of(b);
  const dot = (/** @type {number[]} */ x, /** @type {number[]} */ y) => x.reduce((sum, cell, i) => sum + cell * y[i], 0);
  const spread = Math.sqrt(dot(one, one)), known = Math.sqrt(dot(other, other));
  const flat = FLAT * Math.sqrt(Math.max(one.length, 1));
  if (known < flat) return 1;
  return spread < flat ? undefined : dot(one, other) / (spread * known);
}

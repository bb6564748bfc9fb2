// What a camera sees of a signal lamp: whether a tier is lit, whether it blinks, and whether the
// picture still shows what it showed. Pixels go in, words come out; no page, no clock, no network.
// @ts-check

/**
 * @typedef {"red" | "yellow" | "green"} Colour
 * @typedef {{ x: number, y: number, r: number }} Spot  shares of the picture: x and r of its width, y of its height
 * @typedef {{ width: number, height: number, data: Uint8ClampedArray }} Picture
 * @typedef {{ score: number, rgb: number[], peak: number, clipped: number, walls: number[][] }} View  walls: what surrounds it, by quarters: logarithms of red, green, blue
 * @typedef {{ score: number, rgb: number[] }} Level
 * @typedef {{ dark?: Level, lit?: Level, walls?: number[][] }} Known
 */

/** Two brightnesses this far apart (natural logarithm) are two states, not one that wavers. */
const JUMP = 0.3;
/** Share of the way between dark and lit that has to be passed beyond the middle. */
const HYSTERESIS = 0.15;
/** Known levels follow what is seen by this share a picture: about a minute at fifteen a second. */
const FOLLOW = 1 / 900;
/** Pictures in a row that have to agree, unless there are too few of them. */
const AGREE = 2;
/** Something stands in front of a tier if so many quarters of what surrounds it look otherwise by so much, or one is darker
 *  by more than a lamp beside it could have lit it. */
const HIDDEN = 3, OTHERWISE = 0.4, SHADED = 0.7;
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
/** Where no lamp shines any more: this far from each tier, in its radius and as a share of the picture's width; and how wide
 *  the strip there is that tells whether something stands in front. */
const AWAY = [3, 0.11], STRIP = 0.06;

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
  const r = Math.max(spot.r * width, 1), dim = away(spot, width), far = Math.max(r * AROUND[1], dim + STRIP * width);
  const cx = spot.x * width, cy = spot.y * height;
  const sum = [0, 0, 0], wall = [], quarters = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
  const beside = others.map((o) => ({ x: o.x * width, y: o.y * height, near: o.r * width * AROUND[0], dim: away(o, width) }));
  let n = 0, clipped = 0, peaks = 0;
  for (let y = Math.max(0, Math.floor(cy - far)); y <= Math.min(height - 1, cy + far); y += 1) {
    for (let x = Math.max(0, Math.floor(cx - far)); x <= Math.min(width - 1, cx + far); x += 1) {
      const at = (y * width + x) * 4, rgb = [data[at], data[at + 1], data[at + 2]];
      const brightness = Math.max(...rgb), apart = Math.hypot(x - cx, y - cy);
      if (apart <= r) {
        n += 1;
        peaks += brightness;
        if (brightness >= 250) clipped += 1;
        for (let i = 0; i < 3; i += 1) sum[i] += rgb[i];
        continue;
      }
      const isBeside = apart >= r * AROUND[0] && apart <= r * AROUND[1];
      if (isBeside && !beside.some((o) => Math.hypot(x - o.x, y - o.y) <= o.near)) wall.push(brightness);
      if (apart >= dim && !beside.some((o) => Math.hypot(x - o.x, y - o.y) < o.dim)) {
        const quarter = quarters[(x < cx ? 0 : 1) + (y < cy ? 0 : 2)];
        for (let i = 0; i < 3; i += 1) quarter[i] += rgb[i];
        quarter[3] += 1;
      }
    }
  }
  const peak = peaks / Math.max(n, 1), surroundings = median(wall) + BLACK;
  return {
    score: Math.log((peak + BLACK) / surroundings),
    rgb: sum.map((part) => part / Math.max(n, 1) / surroundings),
    peak,
    clipped: clipped / Math.max(n, 1),
    walls: quarters.map(([red, green, blue, count]) => [red, green, blue].map((part) => Math.log(part / Math.max(count, 1) + BLACK))),
  };
}

/** How far from a tier its light no longer falls, in pixels. @param {Spot} spot @param {number} width */
function away(spot, width) {
  return Math.max(spot.r * AWAY[0], AWAY[1]) * width;
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
    this.agree = AGREE;
    /** Something stands in front of it. */
    this.isHidden = false;
    /** Its own brightness in its present state (natural logarithm). @type {number | undefined} */
    this.calm = undefined;
    /** @type {View | undefined} */
    this.last = undefined;
  }

  /** Both states have been seen. */
  get isSure() {
    return Boolean(this.known.dark && this.known.lit);
  }

  /**
   * @param {View} view @param {number} [light] how much brighter the whole picture is than it was (natural logarithm)
   * @returns {boolean | undefined} whether it is lit; undefined if something stands in front
   */
  see(view, light = 0) {
    this.isHidden = this.#isCovered(view.walls, light);
    if (this.isHidden) {
      this.against = 0;
      return undefined;
    }
    this.last = view;
    const { dark, lit } = this.known;
    const seen = dark && lit ? this.#between(view, dark, lit) : dark || lit ? this.#fromOne(view) : this.#guess(view);
    this.against = seen === this.lit ? 0 : this.against + 1;
    if (this.lit === undefined || this.against >= this.agree && this.#isStep(view, seen)) {
      this.lit = seen;
      this.against = 0;
      this.calm = undefined;
      this.#learn(view, seen);
    }
    if (!this.#isStep(view, seen)) this.#follow(view);
    return this.lit;
  }

  /** Whether what surrounds it looks otherwise than the room's light explains. @param {number[][]} walls @param {number} light */
  #isCovered(walls, light) {
    const lit = walls.map((wall) => wall.map((part) => part - light)), usual = this.known.walls ??= lit;
    const changes = lit.map((wall, i) => wall.map((part, j) => part - usual[i][j]));
    if (changes.some((change) => Math.min(...change) < -SHADED)) return true;
    if (changes.filter((_, i) => Math.abs(Math.max(...lit[i]) - Math.max(...usual[i])) > OTHERWISE).length >= HIDDEN) return true;
    this.known.walls = usual.map((wall, i) => wall.map((part, j) => part + FOLLOW * changes[i][j]));
    return false;
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
    const { walls } = this.known, kept = isApart ? other : undefined;
    this.known = isLit ? { lit: said, dark: kept, walls } : { dark: said, lit: kept, walls };
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
/** It has to have moved for this long before a person is told: people walk by. */
const MOVED_MS = 3_000;
/** The same where nothing can be made out. */
const DARK_MS = 2_000;
/** A picture darker than this, or with so small a share of the light it had, shows nothing. */
const DARK = 10, DARK_SHARE = 0.15;
/** A picture with less contrast than this tells nothing of where it looks. */
const FLAT = 2;
/** Likeness of a place that has nothing to know it by. */
const PLAIN = 1;
/** What is still near a lamp beyond its light, as a share of the picture's width: who stands elsewhere is nobody's concern. */
const NEAR = 0.19;

/** Whether the camera still looks where it was pointed, and sees anything. */
export class Scene {
  /** @param {number[]} [reference] the small picture as it was when the tiers were placed */
  constructor(reference) {
    this.reference = reference?.length === CELLS[0] * CELLS[1] ? reference : undefined;
    /** @type {number | undefined} */
    this.movedSince = undefined;
    /** @type {number | undefined} */
    this.darkSince = undefined;
    /** @type {number[] | undefined} */
    this.next = undefined;
  }

  /**
   * What the picture is worth: `ok`; `unsure` as soon as something is wrong, and `dark` or `moved` if that lasts.
   * @param {number} tMs @param {Picture} picture @param {Spot[]} spots
   * @returns {{ view: "ok" | "unsure" | "dark" | "moved", light: number }} light: how much brighter it is than it was
   */
  see(tMs, picture, spots) {
    const cells = shrink(picture), reference = this.reference ??= cells;
    const light = median(cells.map((cell, i) => Math.log((cell + BLACK) / (reference[i] + BLACK))));
    const alike = likeness(contrasts(cells), contrasts(reference), near(picture, spots));
    if (median(cells) < DARK || light < Math.log(DARK_SHARE) || alike === undefined) {
      this.darkSince ??= tMs;
      return { view: tMs - this.darkSince >= DARK_MS ? "dark" : "unsure", light };
    }
    this.darkSince = undefined;
    if (alike < (this.movedSince === undefined ? MOVED : BACK)) {
      this.movedSince ??= tMs;
      return { view: tMs - this.movedSince >= MOVED_MS ? "moved" : "unsure", light };
    }
    this.movedSince = undefined;
    this.next = alike === PLAIN ? reference.map((cell) => cell * Math.exp(light)) : cells;
    return { view: "ok", light };
  }

  /** Lets what is known follow what was seen last, slowly: shadows wander. Of a plain wall only its light is known. */
  follow() {
    const { next } = this;
    if (next) this.reference = this.reference?.map((cell, i) => cell + FOLLOW * (next[i] - cell));
  }
}

/**
 * @typedef {{ colour: Colour, spot: Spot, known?: Known }} Placed
 * @typedef {{ spot: Spot, tier: Tier, blink: Blink, shows: "off" | "steady" | "blink" }} Looked
 */

/** What is seen of a whole lamp: its tiers where somebody placed them, and the place. */
export class Eye {
  /** @param {Placed[]} [placed] @param {number[]} [reference] */
  constructor(placed = [], reference) {
    this.scene = new Scene(reference);
    /** @type {Looked[]} */
    this.tiers = [];
    for (const one of placed) this.place(one);
  }

  /** @param {Placed} placed */
  place({ colour, spot, known }) {
    this.tiers.push({ spot, tier: new Tier(colour, known), blink: new Blink(), shows: "off" });
  }

  get spots() {
    return this.tiers.map(({ spot }) => spot);
  }

  /** Something stands in front of a tier. */
  get isHidden() {
    return this.tiers.some(({ tier }) => tier.isHidden);
  }

  /**
   * @param {number} tMs @param {Picture} picture @param {boolean} [isSlow] there are few pictures a second: each is believed
   * @returns {{ view: "ok" | "unsure" | "dark" | "moved", seen: Looked[] }} the tiers of which something can be said
   */
  see(tMs, picture, isSlow = false) {
    const { spots } = this, { view, light } = this.scene.see(tMs, picture, spots);
    if (view !== "ok") return { view, seen: [] };
    const seen = this.tiers.filter((one, i) => {
      one.tier.agree = isSlow ? 1 : AGREE;
      const lit = one.tier.see(look(picture, one.spot, spots.filter((_, j) => j !== i)), light);
      if (lit !== undefined) one.shows = one.blink.see(tMs, lit);
      return lit !== undefined;
    });
    if (!this.isHidden) this.scene.follow();
    return { view, seen };
  }

  /** What is kept of it. */
  kept() {
    return {
      tiers: this.tiers.map(({ spot, tier }) => ({ colour: tier.colour, spot, known: tier.known })),
      scene: this.scene.reference?.map((cell) => Math.round(cell * 10) / 10),
    };
  }
}

/** Mean brightness of each cell. @param {Picture} picture */
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
  return sums.map((sum, i) => sum / Math.max(counts[i], 1));
}

/** How each cell differs in brightness from those around it. @param {number[]} cells */
const contrasts = (cells) => cells.map((cell, i) => cell - around(cells, i));

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

/** Cells near the lamps on which none of them shines, and all on which none does. @param {Picture} picture @param {Spot[]} spots */
function near({ width, height }, spots) {
  const [columns, rows] = CELLS, apart = Array.from({ length: columns * rows }, (_, i) => {
    const x = ((i % columns) + 0.5) / columns * width, y = (Math.floor(i / columns) + 0.5) / rows * height;
    return Math.min(...spots.map((s) => Math.hypot(x - s.x * width, y - s.y * height) - away(s, width))) - width / columns / 2;
  });
  const lampless = apart.map((pixels) => pixels > 0);
  return [apart.map((pixels, i) => lampless[i] && pixels <= NEAR * width), lampless];
}

/**
 * Correlation of two small pictures in the first of the masks in which the known one has anything to know it by: `PLAIN` if
 * none has, undefined if nothing can be made out any more.
 * @param {number[]} now @param {number[]} known @param {boolean[][]} masks
 */
function likeness(now, known, masks) {
  for (const mask of masks) {
    const one = centred(now, mask), other = centred(known, mask);
    const spread = length(one), usual = length(other), flat = FLAT * Math.sqrt(Math.max(one.length, 1));
    if (usual >= flat) return spread < flat ? undefined : dot(one, other) / (spread * usual);
  }
  return PLAIN;
}

/** @param {number[]} cells @param {boolean[]} mask */
function centred(cells, mask) {
  const kept = cells.filter((_, i) => mask[i]), mean = kept.reduce((sum, cell) => sum + cell, 0) / Math.max(kept.length, 1);
  return kept.map((cell) => cell - mean);
}

/** @param {number[]} a @param {number[]} b */
const dot = (a, b) => a.reduce((sum, cell, i) => sum + cell * b[i], 0);
/** @param {number[]} a */
const length = (a) => Math.sqrt(dot(a, a));

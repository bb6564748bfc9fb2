// Readings on their way to the box: they wait in order until the box has them on disk. Each is stamped
// once, with the box's time, as soon as that is known. What the network does not take waits for it, up to
// a limit; what the box does not take is counted and let go.
// @ts-check

/** Readings that wait at most: an hour of vibration. */
export const WAITING_MAX = 36_000;
/** Readings of one request; and of one that a device sends which the box has limited. */
const BATCH_MAX = 600, BATCH_LIMITED = 5;
/** A request that takes longer than this has failed, in milliseconds. */
const REQUEST_MS = 10_000;
/** Pauses between tries: doubled from the first to the last, in milliseconds. */
const PAUSE_MS = [1_000, 30_000];
/** The box misses a telephone that does not come again within so many seconds. */
const WITHIN_S = 15;
/** How well the box's time is known gets older by this share: clocks drift apart. */
const DRIFT = 0.001;
/** The telephone slept if its two clocks differ by more than before by this, in milliseconds. */
const SLEPT_MS = 1_000;

/** The box's time, from its answers: the one that came back fastest says it best. */
export class BoxTime {
  constructor() {
    this.offset = 0;
    this.doubt = Infinity;
    this.at = 0;
    /** The latest time given for each kind of reading. @type {Record<string, number>} */
    this.latest = {};
  }

  get isKnown() {
    return this.doubt < Infinity;
  }

  /** What was known is worth nothing any more: the telephone slept, or the box does not believe its times. */
  forget() {
    this.doubt = Infinity;
  }

  /** @param {number} sent own time when it was asked @param {number} got when it answered @param {number} said */
  learn(sent, got, said) {
    const doubt = (got - sent) / 2;
    if (doubt > this.doubt + DRIFT * (got - this.at)) return;
    this.offset = said - (sent + got) / 2;
    this.doubt = doubt;
    this.at = got;
  }

  /** The box's time of a moment; for one kind of reading it never goes back. @param {number} own @param {string} kind */
  of(own, kind) {
    this.latest[kind] = Math.max(Math.round(own + this.offset), (this.latest[kind] ?? 0) + 1);
    return this.latest[kind];
  }
}

export class Sender {
  /**
   * @param {{ device: string, token: string }} device
   * @param {{ fetch: typeof fetch, now: () => number, clock: () => number }} world `now` never jumps but may stand still
   *   while the telephone sleeps; `clock` does not stand still but may jump
   */
  constructor({ device, token }, world) {
    this.path = `/ingest/${encodeURIComponent(device)}`;
    this.token = token;
    this.world = world;
    this.time = new BoxTime();
    /** What waits: with the box's time `t` once it is known, with the telephone's `own` until then. @type {Record<string, number>[]} */
    this.waiting = [];
    this.batch = BATCH_MAX;
    this.apart = world.clock() - world.now();
    this.dropped = 0;
    this.refused = 0;
    this.isEnded = false;
    this.isUp = false;
    this.isBusy = false;
    this.pause = 0;
    this.notBefore = 0;
  }

  /** @param {number} ownMs when it was measured, by this telephone's clock @param {Record<string, number>} values */
  put(ownMs, values) {
    if (this.waiting.length >= WAITING_MAX) {
      this.waiting.shift();
      this.dropped += 1;
    }
    const apart = this.world.clock() - this.world.now();
    if (Math.abs(apart - this.apart) > SLEPT_MS) this.time.forget();
    this.apart = apart;
    const reading = { own: ownMs, ...values };
    this.waiting.push(this.time.isKnown ? this.#stamped(reading) : reading);
  }

  /** Sends what waits, if it is time for that. */
  async send() {
    if (this.isBusy || this.isEnded || this.waiting.length === 0 || this.world.now() < this.notBefore) return;
    this.isBusy = true;
    if (this.time.isKnown || await this.ask()) await this.#sendBatch();
    this.isBusy = false;
  }

  /** What the box makes of the machine; undefined if it does not answer. */
  async ask() {
    const answer = await this.#request(this.path, { method: "GET" });
    return answer?.status === 200 ? answer.body : undefined;
  }

  async #sendBatch() {
    if (this.waiting.some(({ own }) => own !== undefined)) {
      this.waiting = this.waiting.map((reading) => reading.own === undefined ? reading : this.#stamped(reading));
    }
    const batch = this.waiting.slice(0, this.batch);
    const answer = await this.#request(`${this.path}?within=${WITHIN_S}`, { method: "POST", body: JSON.stringify(batch) });
    if (!answer) return;
    // In the meantime the oldest may have been dropped.
    const from = this.waiting.indexOf(batch[batch.length - 1]);
    const done = () => this.waiting.splice(0, from + 1);
    if (answer.status === 200) {
      this.refused += answer.body.refused?.length ?? 0;
      this.batch = Math.min(this.batch * 2, BATCH_MAX);
      done();
    } else if (answer.status === 429) {
      this.batch = BATCH_LIMITED;
    } else if (answer.status >= 400 && answer.status < 500 && answer.status !== 408) {
      // The box will not take these however often they come; perhaps because of their time.
      this.refused += batch.length;
      this.time.forget();
      done();
    }
  }

  /** @param {Record<string, number>} reading */
  #stamped({ own, ...values }) {
    return { t: this.time.of(own, Object.keys(values)[0]), ...values };
  }

  /** @param {string} path @param {RequestInit} init */
  async #request(path, init) {
    const { fetch, now, clock } = this.world;
    const sent = now(), apart = clock() - sent, hangUp = new AbortController(), timer = setTimeout(() => hangUp.abort(), REQUEST_MS);
    try {
      const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
      const answer = await fetch(path, { ...init, headers, signal: hangUp.signal });
      const body = await answer.json().catch(() => ({}));
      if (answer.status === 401) this.isEnded = true;
      else if (answer.status >= 500) throw new Error(`the box answered ${answer.status}`);
      // An answer that the telephone slept through says nothing of the time.
      else if (body.at && Math.abs(clock() - now() - apart) <= SLEPT_MS) this.time.learn(sent, now(), Date.parse(body.at));
      this.isUp = answer.status !== 401;
      [this.pause, this.notBefore] = [0, 0];
      return { status: answer.status, body };
    } catch {
      this.isUp = false;
      this.pause = Math.min(Math.max(this.pause * 2, PAUSE_MS[0]), PAUSE_MS[1]);
      this.notBefore = now() + this.pause;
      return undefined;
    } finally {
      clearTimeout(timer);
    }
  }
}

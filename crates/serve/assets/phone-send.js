// Readings on their way to the box: they wait in order until the box has them on disk, and have the
// box's time. What the network does not take waits for it, up to a limit; what the box does not
// take is counted and let go.
// @ts-check

/** Readings that wait at most: an hour of vibration. */
export const WAITING_MAX = 36_000;
/** Readings of one request. */
const BATCH_MAX = 600;
/** A request that takes longer than this has failed, in milliseconds. */
const REQUEST_MS = 10_000;
/** Pauses between tries: doubled from the first to the last, in milliseconds. */
const PAUSE_MS = [1_000, 30_000];
/** The box misses a telephone that does not come again within so many seconds. */
const WITHIN_S = 15;
/** How well the box's time is known gets older by this share: clocks drift apart. */
const DRIFT = 0.001;

/** The box's time, from its answers: the one that came back fastest says it best. */
export class BoxTime {
  constructor() {
    this.offset = 0;
    this.doubt = Infinity;
    this.at = 0;
  }

  /** @param {number} sent own time when it was asked @param {number} got when it answered @param {number} said */
  learn(sent, got, said) {
    const doubt = (got - sent) / 2;
    if (doubt > this.doubt + DRIFT * (got - this.at)) return;
    this.offset = said - (sent + got) / 2;
    this.doubt = doubt;
    this.at = got;
  }

  /** @param {number} own @returns {number} */
  of(own) {
    return Math.round(own + this.offset);
  }
}

export class Sender {
  /**
   * @param {{ device: string, token: string }} device
   * @param {{ fetch: typeof fetch, now: () => number }} world `now` never jumps
   */
  constructor({ device, token }, world) {
    this.path = `/ingest/${encodeURIComponent(device)}`;
    this.token = token;
    this.world = world;
    this.time = new BoxTime();
    /** @type {Record<string, number>[]} */
    this.waiting = [];
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
    this.waiting.push({ own: ownMs, ...values });
  }

  /** Sends what waits, if it is time for that. */
  async send() {
    if (this.isBusy || this.isEnded || this.waiting.length === 0 || this.world.now() < this.notBefore) return;
    this.isBusy = true;
    // The box's time has to be known before anything is stamped with it.
    if (this.time.doubt < Infinity || await this.ask()) await this.#sendBatch();
    this.isBusy = false;
  }

  /** What the box makes of the machine; undefined if it does not answer. */
  async ask() {
    const answer = await this.#request(this.path, { method: "GET" });
    return answer?.status === 200 ? answer.body : undefined;
  }

  async #sendBatch() {
    const batch = this.waiting.slice(0, BATCH_MAX);
    const stamped = batch.map(({ own, ...values }) => ({ t: this.time.of(own), ...values }));
    const answer = await this.#request(`${this.path}?within=${WITHIN_S}`, { method: "POST", body: JSON.stringify(stamped) });
    if (!answer) return;
    // In the meantime the oldest may have been dropped.
    const from = this.waiting.indexOf(batch[batch.length - 1]);
    const done = () => this.waiting.splice(0, from + 1);
    if (answer.status === 200) {
      this.refused += answer.body.refused?.length ?? 0;
      done();
    } else if (answer.status >= 400 && answer.status < 500) {
      // The box will not take these however often they come.
      this.refused += batch.length;
      done();
    }
  }

  /** @param {string} path @param {RequestInit} init */
  async #request(path, init) {
    const { fetch, now } = this.world;
    const sent = now(), hangUp = new AbortController(), timer = setTimeout(() => hangUp.abort(), REQUEST_MS);
    try {
      const headers = { authorization: `Bearer ${this.token}`, "content-type": "application/json" };
      const answer = await fetch(path, { ...init, headers, signal: hangUp.signal });
      const body = await answer.json().catch(() => ({}));
      if (answer.status === 401) this.isEnded = true;
      else if (answer.status >= 500) throw new Error(`the box answered ${answer.status}`);
      else if (body.at) this.time.learn(sent, now(), Date.parse(body.at));
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

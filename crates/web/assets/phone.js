// The page on a telephone that is a sensor: joins the box, lends the camera and the accelerometer to
// `phone-lamp.js` and `phone-shake.js`, keeps the screen on, and shows what becomes of it all.
// @ts-check
import { Blink, Eye } from "./phone-lamp.js";
import { Shake } from "./phone-shake.js";
import { Sender } from "./phone-send.js";

/**
 * @typedef {import("./phone-lamp.js").Colour} Colour
 * @typedef {import("./phone-lamp.js").Placed} Placed
 * @typedef {import("./phone-lamp.js").Looked} Looked
 * @typedef {{ device: string, token: string, camera?: boolean, shake?: boolean, tiers?: Placed[], scene?: number[] }} Kept
 */

/** Where the telephone keeps what it knows. */
const KEPT = "mimamori-sensor";
/** Width of the picture that is looked at, in pixels. */
const LOOK_WIDTH = 160;
/** Pause between two pictures; between two words about lamps that did not change. */
const LOOK_MS = 66, WORD_MS = 2_000;
/** Pictures this far apart show blinking if each is believed; farther apart they do not. */
const SLOW_MS = 130, TOO_SLOW_MS = 250;
/** A film in which nothing trembles for so long stands still. */
const FROZEN_MS = 2_000;
/** Taps closer than this are one. */
const TAP_MS = 400;
/** A camera that could not be used is tried again after this time. */
const RETRY_MS = 30_000;
/** How often what waits is sent, the box is asked, the battery told, and what was learned kept. */
const SEND_MS = 1_000, ASK_MS = 3_000, BATTERY_MS = 60_000, KEEP_MS = 10_000;
/** A telephone that tells no movement for so long tells none. */
const NO_MOTION_MS = 3_000;
/** Levels of vibration shown. */
const SHOWN = 200;
/** Radius of a new circle, as a share of the picture's width, and what makes it smaller or larger. */
const SPOT_R = 0.03, SPOT_BY = 1.25;
/** @type {Colour[]} */
const COLOURS = ["red", "yellow", "green"];

/** Never jumps; may stand still while the telephone sleeps. */
const now = () => performance.timeOrigin + performance.now();
/** @param {string} id @returns {any} */
const element = (id) => document.getElementById(id);
/** @param {string} name @param {string | number} [n] */
const word = (name, n = "") => (document.querySelector(`[data-word="${name}"]`)?.textContent ?? name).replace("{n}", String(n));
/** @param {string} id @param {string} text */
function show(id, text) {
  const place = element(id);
  place.hidden = text === "";
  if (place.textContent !== text) place.textContent = text;
}

/** @returns {Kept | undefined} */
function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT) ?? "null") ?? undefined;
  } catch {
    return undefined;
  }
}

/** The code this page was opened with becomes a device's name and token. */
async function join() {
  const code = location.hash.slice(1);
  if (!code) return;
  const headers = { "content-type": "application/json", "accept-language": document.documentElement.lang };
  const answer = await fetch("/phone/join", { method: "POST", headers, body: JSON.stringify({ code }) });
  const said = await answer.json();
  // The code is used up; it is not to stay in the address either.
  history.replaceState(null, "", location.pathname + location.search);
  if (answer.ok) localStorage.setItem(KEPT, JSON.stringify({ device: said.device, token: said.token }));
  else show("phone-problem", said.message);
}

/** The camera on the signal lamp. */
class Camera {
  /** @param {Sensor} sensor */
  constructor(sensor) {
    this.sensor = sensor;
    this.video = element("camera-video");
    this.canvas = document.createElement("canvas");
    /** @type {MediaStream | undefined} */
    this.stream = undefined;
    this.timer = 0;
    /** The colour that is being placed, as a number; all are if there is none. @type {number | undefined} */
    this.placing = undefined;
    this.eye = new Eye(sensor.kept.tiers, sensor.kept.scene);
    this.said = "";
    this.saidAt = 0;
    this.isStarting = false;
    this.tapped = -Infinity;
    /** The film's own time, when it last moved on, how far apart its pictures are, and whether they tremble. */
    this.film = { at: -1, seen: 0, apart: LOOK_MS, sum: 0, trembled: 0 };
    this.video.addEventListener("click", (/** @type {MouseEvent} */ event) => this.#place(event));
    element("camera-skip").addEventListener("click", () => this.#nextColour());
    element("camera-again").addEventListener("click", () => this.placeAnew());
    element("camera-smaller").addEventListener("click", () => this.#resize(1 / SPOT_BY));
    element("camera-larger").addEventListener("click", () => this.#resize(SPOT_BY));
  }

  get isOn() {
    return this.stream !== undefined;
  }

  async start() {
    if (this.isStarting || this.isOn) return;
    this.isStarting = true;
    await this.#open();
    this.isStarting = false;
  }

  async #open() {
    const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      this.stream.getTracks().forEach((track) => track.addEventListener("ended", () => this.#lost()));
      this.video.srcObject = this.stream;
      // A film that nobody can see is not played everywhere.
      element("camera-on").hidden = false;
      await this.video.play();
    } catch {
      this.#lost();
      return;
    }
    show("camera-problem", "");
    this.film.trembled = now();
    this.timer = setInterval(() => this.#see(), LOOK_MS);
    if (this.eye.tiers.length === 0) this.placeAnew();
    this.#draw();
  }

  stop() {
    clearInterval(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
  }

  #lost() {
    this.stop();
    show("camera-problem", word("no-camera"));
    this.sensor.draw();
  }

  placeAnew() {
    this.eye = new Eye();
    this.placing = -1;
    this.#nextColour();
  }

  #nextColour() {
    const next = (this.placing ?? 0) + 1;
    this.placing = next < COLOURS.length ? next : undefined;
    if (this.placing === undefined) this.sensor.keep();
    this.#draw();
  }

  /** @param {MouseEvent} event */
  #place(event) {
    // Two taps at once are one.
    if (this.placing === undefined || event.timeStamp - this.tapped < TAP_MS) return;
    this.tapped = event.timeStamp;
    const box = this.video.getBoundingClientRect();
    const spot = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, r: this.eye.tiers[0]?.spot.r ?? SPOT_R };
    this.eye.place({ colour: COLOURS[this.placing], spot });
    this.#nextColour();
  }

  /** Circles of another size see something else. @param {number} by */
  #resize(by) {
    const sized = this.eye.tiers.map(({ spot, tier }) => ({ colour: tier.colour, spot: { ...spot, r: Math.min(Math.max(spot.r * by, 0.01), 0.15) } }));
    this.eye = new Eye(sized, this.eye.scene.reference);
    this.sensor.keep();
    this.#draw();
  }

  /** @returns {import("./phone-lamp.js").Picture | undefined} */
  #picture() {
    const { videoWidth, videoHeight, currentTime, readyState } = this.video, { film } = this;
    // A film that stands still shows nothing of now.
    const isMuted = this.stream?.getVideoTracks().some((track) => track.muted);
    if (readyState < 2 || !videoWidth || isMuted || currentTime === film.at) return undefined;
    const t = now();
    film.apart += (Math.min(t - film.seen, 1_000) - film.apart) / 10;
    [film.at, film.seen] = [currentTime, t];
    const width = LOOK_WIDTH, height = Math.max(1, Math.round(LOOK_WIDTH * videoHeight / videoWidth));
    Object.assign(this.canvas, this.canvas.width === width && this.canvas.height === height ? {} : { width, height });
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context?.drawImage(this.video, 0, 0, width, height);
    const picture = context?.getImageData(0, 0, width, height);
    // Some browsers repeat the last picture of a camera that was taken away: a real one trembles.
    const sum = picture?.data.reduce((all, part, i) => (all + part * (i % 251 + 1)) % 1_000_000_007, 0) ?? 0;
    if (sum !== film.sum) [film.sum, film.trembled] = [sum, t];
    return picture;
  }

  #see() {
    if (document.hidden || this.placing !== undefined) return;
    const picture = this.#picture(), t = now();
    const { apart, seen, trembled } = this.film;
    if (Math.min(seen, trembled) < t - FROZEN_MS) return this.#blind(t, "frozen");
    if (!picture) return;
    if (apart > TOO_SLOW_MS) return this.#blind(t, "slow");
    const { view, seen: tiers } = this.eye.see(t, picture, apart > SLOW_MS);
    if (view === "unsure") return;
    if (view !== "ok") return this.#blind(t, view);
    show("camera-problem", "");
    /** @type {Record<string, number>} */
    const words = { camera_ok: this.eye.isHidden ? 0 : 1 };
    // What stands in front of one tier may be in front of the next one in a moment: of half a lamp nothing is said.
    if (!this.eye.isHidden) for (const { tier, shows } of tiers) words[`lamp_${tier.colour}`] = ["off", "steady", "blink"].indexOf(shows);
    this.#say(t, words);
  }

  /** What the telephone keeps of it: nothing while somebody places the tiers. */
  kept() {
    return this.placing === undefined ? this.eye.kept() : {};
  }

  /** Nothing can be seen, and a person has to know why. @param {number} t @param {string} why */
  #blind(t, why) {
    show("camera-problem", word(why));
    this.#say(t, { camera_ok: 0 });
  }

  /** Says what is new at once, and what is as before from time to time. @param {number} t @param {Record<string, number>} words */
  #say(t, words) {
    const said = JSON.stringify(words);
    if (said === this.said && t - this.saidAt < WORD_MS) return;
    this.sensor.sender.put(t, words);
    [this.said, this.saidAt] = [said, t];
    this.#show();
  }

  #draw() {
    const asks = this.placing !== undefined;
    element("camera-ask").hidden = !asks;
    if (this.placing !== undefined) show("camera-ask-text", word("place", word(COLOURS[this.placing])));
    show("camera-skip", word("skip"));
    const ratio = (this.video.videoWidth || 4) / (this.video.videoHeight || 3);
    element("camera-spots").replaceChildren(...this.eye.tiers.map(({ spot, tier }) => {
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "ellipse");
      const at = { cx: spot.x * 100, cy: spot.y * 100, rx: spot.r * 100, ry: spot.r * 100 * ratio, class: `spot spot-${tier.colour}` };
      for (const [name, value] of Object.entries(at)) circle.setAttribute(name, String(value));
      return circle;
    }));
    element("camera-tiers").replaceChildren(...this.eye.tiers.map((one) => this.#row(one)));
    this.#show();
  }

  /** What each tier shows, in rows that stay: a button that is made anew under a finger is no button. */
  #show() {
    const rows = element("camera-tiers").children;
    this.eye.tiers.forEach((one, i) => {
      const [, , shows, note] = rows[i].children;
      rows[i].className = `tier tier-${one.tier.colour} shows-${one.shows}`;
      rows[i].dataset.shows = one.shows;
      shows.textContent = word(one.shows);
      note.textContent = one.tier.isHidden ? word("hidden") : one.tier.isSure ? "" : word("half-seen");
    });
  }

  /** @param {Looked} one */
  #row(one) {
    const row = document.createElement("li");
    const [bulb, name, , note, wrong] = ["span", "strong", "span", "span", "button"].map((tag) => row.appendChild(document.createElement(tag)));
    bulb.className = "bulb";
    name.textContent = word(one.tier.colour);
    note.className = "quiet small";
    wrong.setAttribute("type", "button");
    wrong.textContent = word("wrong");
    wrong.addEventListener("click", () => {
      one.tier.correct(!one.tier.lit);
      one.blink = new Blink();
      this.sensor.keep();
    });
    return row;
  }
}

/** The accelerometer on the machine. */
class Motion {
  /** @param {Sensor} sensor */
  constructor(sensor) {
    this.sensor = sensor;
    this.isOn = false;
    this.shake = new Shake();
    /** @type {number[]} */
    this.levels = [];
    this.heard = 0;
    this.timer = 0;
    this.take = (/** @type {DeviceMotionEvent} */ event) => this.#take(event);
  }

  async start() {
    if (this.isOn) return;
    const asking = /** @type {any} */ (globalThis.DeviceMotionEvent)?.requestPermission;
    // An iPhone asks its owner, and only after a tap.
    const said = await (asking ? asking.call(DeviceMotionEvent).catch(() => "tap") : "granted");
    if (said !== "granted" || this.isOn) return show("shake-problem", word(said === "tap" ? "tap" : "no-motion"));
    this.isOn = true;
    this.heard = now();
    this.shake = new Shake();
    addEventListener("devicemotion", this.take);
    this.timer = setInterval(() => show("shake-problem", now() - this.heard > NO_MOTION_MS ? word("no-motion") : ""), SEND_MS);
  }

  stop() {
    this.isOn = false;
    clearInterval(this.timer);
    removeEventListener("devicemotion", this.take);
  }

  /** @param {DeviceMotionEvent} event */
  #take({ accelerationIncludingGravity: moved, timeStamp }) {
    if (moved?.x == null || moved.y == null || moved.z == null) return;
    this.heard = now();
    const window = this.shake.sample(performance.timeOrigin + timeStamp, [moved.x, moved.y, moved.z]);
    if (!window) return;
    this.sensor.sender.put(window.tMs, { vibration_m_s2: window.level });
    this.levels = [...this.levels.slice(1 - SHOWN), window.level];
    element("shake-level").textContent = window.level < 10 ? window.level.toFixed(2) : window.level.toFixed(1);
    const top = Math.max(...this.levels, 0.1);
    const points = this.levels.map((level, i) => `${SHOWN - this.levels.length + i},${(58 - 56 * level / top).toFixed(1)}`);
    element("shake-line").setAttribute("points", points.join(" "));
  }
}

/** Keeps the screen on while something is measured. */
class Screen {
  constructor() {
    /** @type {any} */
    this.lock = undefined;
  }

  /** @param {boolean} isWanted */
  async keepOn(isWanted) {
    if (!isWanted) {
      await this.lock?.release();
      this.lock = undefined;
    } else if (!this.lock && !document.hidden) {
      this.lock = await /** @type {any} */ (navigator).wakeLock?.request("screen").catch(() => undefined);
      // The system lets go of it when the page is not in front.
      this.lock?.addEventListener("release", () => { this.lock = undefined; });
    }
    show("phone-screen", isWanted ? word(this.lock ? "awake" : "asleep") : "");
    element("phone-screen").classList.toggle("is-bad", isWanted && !this.lock);
  }
}

/** This telephone as a sensor. */
class Sensor {
  /** @param {Kept} known */
  constructor(known) {
    this.kept = known;
    /** What a person wants measured, whether or not it can be just now. */
    this.wants = { camera: Boolean(known.camera), shake: Boolean(known.shake) };
    this.sender = new Sender(known, { fetch: (...request) => fetch(...request), now, clock: () => Date.now() });
    this.camera = new Camera(this);
    this.motion = new Motion(this);
    this.screen = new Screen();
    /** @type {any} */
    this.battery = undefined;
    this.batteryAt = 0;
    element("phone-name").textContent = known.device;
  }

  get isOn() {
    return this.camera.isOn || this.motion.isOn;
  }

  async begin() {
    element("camera-toggle").addEventListener("click", () => void this.toggle("camera"));
    element("shake-toggle").addEventListener("click", () => void this.toggle("shake"));
    document.addEventListener("visibilitychange", () => void this.screen.keepOn(this.isOn));
    // The telephone joined anew in another tab: this one is over.
    addEventListener("storage", ({ key }) => { if (key === KEPT && !this.#isOwn()) location.reload(); });
    setInterval(() => void this.#round(), SEND_MS);
    setInterval(() => void this.#ask(), ASK_MS);
    setInterval(() => this.keep(), KEEP_MS);
    setInterval(() => { if (this.wants.camera && !document.hidden) void this.camera.start().then(() => this.draw()); }, RETRY_MS);
    // What was measured before goes on by itself, where the browser lets it.
    if (this.wants.camera) void this.camera.start().then(() => this.draw());
    if (this.wants.shake) void this.motion.start().then(() => this.draw());
    this.draw();
    this.battery = await /** @type {any} */ (navigator).getBattery?.().catch(() => undefined);
    for (const change of ["levelchange", "chargingchange"]) {
      this.battery?.addEventListener(change, () => { this.batteryAt = 0; });
    }
  }

  /** @param {"camera" | "shake"} which */
  async toggle(which) {
    const one = which === "camera" ? this.camera : this.motion, button = element(`${which}-toggle`);
    this.wants[which] = !one.isOn;
    button.disabled = true;
    if (one.isOn) one.stop();
    else await one.start();
    button.disabled = false;
    this.keep();
    this.draw();
    await this.screen.keepOn(this.isOn);
  }

  /** Whether what is kept is of this sensor: the telephone may have joined anew meanwhile. */
  #isOwn() {
    return kept()?.token === this.kept.token;
  }

  keep() {
    if (this.sender.isEnded || !this.#isOwn()) return;
    const { device, token } = this.kept;
    localStorage.setItem(KEPT, JSON.stringify({ device, token, ...this.wants, ...this.camera.kept() }));
  }

  async #round() {
    if (this.isOn) {
      this.#tellBattery();
      await this.screen.keepOn(true);
    }
    if (!this.sender.isEnded) await this.sender.send();
    if (this.sender.isEnded) this.#end();
    this.draw();
  }

  #end() {
    if (this.camera.isOn) this.camera.stop();
    if (this.motion.isOn) this.motion.stop();
    void this.screen.keepOn(false);
    this.wants = { camera: false, shake: false };
    if (this.#isOwn()) localStorage.removeItem(KEPT);
  }

  #tellBattery() {
    if (!this.battery || now() - this.batteryAt < BATTERY_MS) return;
    this.batteryAt = now();
    this.sender.put(this.batteryAt, { battery_pct: Math.round(this.battery.level * 100), charging: this.battery.charging ? 1 : 0 });
  }

  /** What the box makes of the machine. */
  async #ask() {
    const said = this.sender.isEnded || document.hidden ? undefined : await this.sender.ask();
    const machine = said?.machine, state = machine?.state ?? "unknown";
    element("phone-machine-state").className = `badge t-${state}`;
    element("phone-machine-state").textContent = word(`state-${state}`);
    const { learning, last_cycle: cycle } = machine ?? {};
    const words = [cycle && word("cycle", cycle.duration_s.toFixed(2)), learning?.phase === "learning" && word("learning", `${learning.have}/${learning.want}`)];
    element("phone-machine-cycle").textContent = words.filter(Boolean).join(" · ");
  }

  draw() {
    const { sender, camera, motion, battery } = this;
    for (const [id, isOn] of /** @type {[string, boolean][]} */ ([["camera", camera.isOn], ["shake", motion.isOn]])) {
      element(`${id}-toggle`).textContent = word(isOn ? "stop" : "start");
      element(`${id}-on`).hidden = !isOn;
    }
    const isLost = sender.waiting.length > 0 && !sender.isUp;
    const link = sender.isEnded ? word("ended") : isLost ? word("waiting", sender.waiting.length) : word(this.isOn ? "sending" : "resting");
    const counts = [sender.dropped && word("dropped", sender.dropped), sender.refused && word("refused", sender.refused)];
    show("phone-link", [link, ...counts].filter(Boolean).join(" · "));
    element("phone-link").classList.toggle("is-bad", isLost || sender.isEnded || sender.dropped > 0);
    const charging = battery && word(battery.charging ? "charging" : "no-charger");
    show("phone-battery", battery ? `${word("battery", Math.round(battery.level * 100))} · ${charging}` : word("battery-unknown"));
    element("phone-battery").classList.toggle("is-bad", Boolean(battery) && !battery.charging);
  }
}

await join().catch(() => show("phone-problem", document.body.dataset.lost ?? ""));
const known = kept();
element("phone-none").hidden = Boolean(known) || !element("phone-problem").hidden;
element("phone-here").hidden = !known;
element("phone-insecure").hidden = isSecureContext;
element("phone-forget").addEventListener("click", () => {
  if (!confirm(element("phone-forget").dataset.ask)) return;
  localStorage.removeItem(KEPT);
  location.reload();
});
if (known) await new Sensor(known).begin();

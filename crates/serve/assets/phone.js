// The page on a telephone that is a sensor: joins the box, lends the camera and the accelerometer to
// `phone-lamp.js` and `phone-shake.js`, keeps the screen on, and shows what becomes of it all.
// @ts-check
import { Blink, Scene, Tier, look } from "./phone-lamp.js";
import { Shake } from "./phone-shake.js";
import { Sender } from "./phone-send.js";

/**
 * @typedef {import("./phone-lamp.js").Colour} Colour
 * @typedef {{ colour: Colour, spot: import("./phone-lamp.js").Spot, known?: import("./phone-lamp.js").Known }} Placed
 * @typedef {{ spot: Placed["spot"], tier: Tier, blink: Blink, shows: string }} Looked
 * @typedef {{ device: string, token: string, camera?: boolean, shake?: boolean, tiers?: Placed[], scene?: number[] }} Kept
 */

/** Where the telephone keeps what it knows. */
const KEPT = "mimamori-sensor";
/** Width of the picture that is looked at, in pixels. */
const LOOK_WIDTH = 160;
/** Pause between two pictures; between two words about lamps that did not change. */
const LOOK_MS = 66, WORD_MS = 2_000;
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

/** Never jumps, and counts as the clock does. */
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
  else if (!kept()) show("phone-problem", said.message);
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
    this.tiers = (sensor.kept.tiers ?? []).map((placed) => this.#tier(placed));
    this.scene = new Scene(sensor.kept.scene);
    this.said = "";
    this.saidAt = 0;
    this.frame = -1;
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
    const wanted = { facingMode: { ideal: "environment" }, width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia({ video: wanted, audio: false });
      this.stream.getTracks().forEach((track) => track.addEventListener("ended", () => this.#lost()));
      this.video.srcObject = this.stream;
      await this.video.play();
    } catch {
      this.#lost();
      return;
    }
    show("camera-problem", "");
    this.timer = setInterval(() => this.#see(), LOOK_MS);
    if (this.tiers.length === 0) this.placeAnew();
    this.#draw();
  }

  stop() {
    clearInterval(this.timer);
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = undefined;
    this.video.srcObject = null;
    this.sensor.keep();
  }

  #lost() {
    this.stop();
    show("camera-problem", word("no-camera"));
    this.sensor.draw();
  }

  placeAnew() {
    this.tiers = [];
    this.scene = new Scene();
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
    if (this.placing === undefined) return;
    const box = this.video.getBoundingClientRect();
    const spot = { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height, r: this.tiers[0]?.spot.r ?? SPOT_R };
    this.tiers.push(this.#tier({ colour: COLOURS[this.placing], spot }));
    this.#nextColour();
  }

  /** @param {Placed} placed @returns {Looked} */
  #tier({ colour, spot, known }) {
    return { spot, tier: new Tier(colour, known), blink: new Blink(), shows: "off" };
  }

  /** @param {number} by */
  #resize(by) {
    for (const one of this.tiers) one.spot.r = Math.min(Math.max(one.spot.r * by, 0.01), 0.15);
    this.#learnAnew();
  }

  /** Circles that are elsewhere see something else. */
  #learnAnew() {
    this.tiers = this.tiers.map(({ spot, tier }) => this.#tier({ colour: tier.colour, spot }));
    this.sensor.keep();
    this.#draw();
  }

  /** @returns {import("./phone-lamp.js").Picture | undefined} */
  #picture() {
    const { videoWidth, videoHeight, currentTime, readyState } = this.video;
    // A film that stands still shows nothing of now.
    if (readyState < 2 || !videoWidth || currentTime === this.frame) return undefined;
    this.frame = currentTime;
    const width = LOOK_WIDTH, height = Math.max(1, Math.round(LOOK_WIDTH * videoHeight / videoWidth));
    Object.assign(this.canvas, this.canvas.width === width && this.canvas.height === height ? {} : { width, height });
    const context = this.canvas.getContext("2d", { willReadFrequently: true });
    context?.drawImage(this.video, 0, 0, width, height);
    return context?.getImageData(0, 0, width, height);
  }

  #see() {
    const picture = document.hidden ? undefined : this.#picture();
    if (!picture || this.placing !== undefined) return;
    const t = now(), spots = this.tiers.map(({ spot }) => spot);
    const view = this.scene.see(t, picture, spots);
    show("camera-problem", view === "ok" ? "" : word(view));
    /** @type {Record<string, number>} */
    const words = { camera_ok: view === "ok" ? 1 : 0 };
    if (view === "ok") {
      this.tiers.forEach((one, i) => {
        const lit = one.tier.see(look(picture, one.spot, spots.filter((_, j) => j !== i)));
        one.shows = one.blink.see(t, lit);
        words[`lamp_${one.tier.colour}`] = ["off", "steady", "blink"].indexOf(one.shows);
      });
    }
    const said = JSON.stringify(words);
    if (said !== this.said || t - this.saidAt >= WORD_MS) {
      this.sensor.sender.put(t, words);
      [this.said, this.saidAt] = [said, t];
      this.#show();
    }
  }

  /** What the telephone keeps of it. */
  kept() {
    return {
      tiers: this.tiers.map(({ spot, tier }) => ({ colour: tier.colour, spot, known: tier.known })),
      scene: this.scene.reference?.map((cell) => Math.round(cell)),
    };
  }

  #draw() {
    const asks = this.placing !== undefined;
    element("camera-ask").hidden = !asks;
    if (this.placing !== undefined) show("camera-ask-text", word("place", word(COLOURS[this.placing])));
    show("camera-skip", word("skip"));
    const ratio = (this.video.videoWidth || 4) / (this.video.videoHeight || 3);
    element("camera-spots").replaceChildren(...this.tiers.map(({ spot, tier }) => {
      const circle = document.createElementNS("http://www.w3.org/2000/svg", "ellipse");
      const at = { cx: spot.x * 100, cy: spot.y * 100, rx: spot.r * 100, ry: spot.r * 100 * ratio, class: `spot spot-${tier.colour}` };
      for (const [name, value] of Object.entries(at)) circle.setAttribute(name, String(value));
      return circle;
    }));
    element("camera-tiers").replaceChildren(...this.tiers.map((one) => this.#row(one)));
    this.#show();
  }

  /** What each tier shows, in rows that stay: a button that is made anew under a finger is no button. */
  #show() {
    const rows = element("camera-tiers").children;
    this.tiers.forEach((one, i) => {
      const [, , shows, note] = rows[i].children;
      rows[i].className = `tier tier-${one.tier.colour} shows-${one.shows}`;
      rows[i].dataset.shows = one.shows;
      shows.textContent = word(one.shows);
      note.textContent = one.tier.isSure ? "" : word("half-seen");
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
    const asking = /** @type {any} */ (globalThis.DeviceMotionEvent)?.requestPermission;
    // An iPhone asks its owner, and only after a tap.
    const said = await (asking ? asking.call(DeviceMotionEvent).catch(() => "denied") : "granted");
    if (said !== "granted") return show("shake-problem", word("no-motion"));
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
    this.sender = new Sender(known, { fetch: (...request) => fetch(...request), now });
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
    for (const [id, one] of /** @type {[string, Camera | Motion][]} */ ([["camera", this.camera], ["shake", this.motion]])) {
      element(`${id}-toggle`).addEventListener("click", () => void this.toggle(one));
    }
    document.addEventListener("visibilitychange", () => void this.screen.keepOn(this.isOn));
    this.battery = await /** @type {any} */ (navigator).getBattery?.().catch(() => undefined);
    for (const change of ["levelchange", "chargingchange"]) {
      this.battery?.addEventListener(change, () => { this.batteryAt = 0; });
    }
    // What was measured before goes on by itself, where the browser lets it.
    if (this.kept.camera) await this.toggle(this.camera);
    if (this.kept.shake) await this.toggle(this.motion);
    setInterval(() => void this.#round(), SEND_MS);
    setInterval(() => void this.#ask(), ASK_MS);
    setInterval(() => this.keep(), KEEP_MS);
    this.draw();
  }

  /** @param {Camera | Motion} one */
  async toggle(one) {
    if (one.isOn) one.stop();
    else await one.start();
    this.keep();
    this.draw();
    await this.screen.keepOn(this.isOn);
  }

  keep() {
    if (this.sender.isEnded) return;
    const { device, token } = this.kept;
    const { camera, motion } = this;
    localStorage.setItem(KEPT, JSON.stringify({ device, token, camera: camera.isOn, shake: motion.isOn, ...camera.kept() }));
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
    localStorage.removeItem(KEPT);
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

// What the telephone itself decides, without a browser: lamps from pictures, strength from movement,
// and what becomes of readings when the network is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Blink, Scene, Tier, look } from "../../crates/serve/assets/phone-lamp.js";
import { Sender, WAITING_MAX } from "../../crates/serve/assets/phone-send.js";
import { Shake } from "../../crates/serve/assets/phone-shake.js";
import { LENSES, picture } from "./film.mjs";

const colours = ["red", "yellow", "green"];
const spots = colours.map((colour) => ({ x: LENSES[colour].x, y: LENSES[colour].y, r: 0.03 }));

/** Three tiers watched through pictures. */
function watched(known = [{}, {}, {}]) {
  const tiers = colours.map((colour, i) => new Tier(colour, known[i]));
  let seed = 0;
  return {
    tiers,
    see(shows, how = {}, times = 3) {
      for (let i = 0; i < times; i += 1) {
        const seen = picture(shows, { ...how, seed: seed += 1 });
        tiers.forEach((tier, j) => tier.see(look(seen, spots[j], spots.filter((_, k) => k !== j))));
      }
      return colours.filter((_, i) => tiers[i].lit).join(" ");
    },
  };
}

test("each tier is known from the first picture on, and in every combination", () => {
  for (let first = 0; first < 8; first += 1) {
    const lamp = watched();
    const shows = (n) => Object.fromEntries(colours.map((colour, i) => [colour, Boolean(n & (1 << i))]));
    const names = (n) => colours.filter((_, i) => n & (1 << i)).join(" ");
    for (const n of [first, 0, 1, 2, 4, 3, 5, 6, 7, 0]) assert.equal(lamp.see(shows(n)), names(n), `${n} after ${first} first`);
    assert.ok(lamp.tiers.every((tier) => tier.isSure));
  }
});

test("neither the room's light nor the camera's own adapting is a lamp", () => {
  for (const shows of [{}, { green: true }, { red: true, yellow: true }]) {
    const lamp = watched();
    const wanted = colours.filter((colour) => shows[colour]).join(" ");
    assert.equal(lamp.see(shows), wanted);
    for (const how of [{ light: 0.4 }, { light: 1.5 }, { exposure: 0.6 }, { light: 0.6, exposure: 1.4 }, { light: 0.15 }, {}]) {
      assert.equal(lamp.see(shows, how), wanted, `${wanted || "none"} at ${JSON.stringify(how)}`);
    }
  }
});

test("a lamp that was only seen dark is not lit by the one beside it", () => {
  const lamp = watched();
  lamp.see({}, {}, 30);
  assert.equal(lamp.see({ red: true }, {}, 10), "red");
  assert.equal(lamp.see({ red: true, green: true }, {}, 10), "red green");
});

test("a day's slow change of light is followed", () => {
  const lamp = watched();
  lamp.see({});
  lamp.see({ green: true });
  for (let minute = 0; minute < 60; minute += 1) {
    const how = { light: 0.2 + 1.2 * Math.abs(Math.sin(minute / 20)) };
    assert.equal(lamp.see({ green: true }, how, 30), "green", `minute ${minute}`);
  }
  assert.equal(lamp.see({}), "");
});

test("a person is right: what is said to be wrong is turned round and remembered", () => {
  const lamp = watched();
  // A lens so pale that it is taken for dark.
  const view = (score) => ({ score, rgb: [0.5, 0.5, 0.5], peak: 100 * Math.exp(score), clipped: 0 });
  const [tier] = lamp.tiers;
  assert.equal(tier.see(view(0.2)), false);
  tier.correct(true);
  assert.equal(tier.see(view(0.2)), true);
  tier.see(view(-0.4));
  tier.see(view(-0.4));
  assert.equal(tier.see(view(-0.4)), false);
  assert.equal(tier.see(view(0.2)) || tier.see(view(0.2)), true);
  assert.ok(tier.isSure);
});

test("blinking, steady and dark are told apart, and one wrong picture is none", () => {
  const blink = new Blink();
  const run = (from, to, lit) => {
    let shows;
    for (let t = from; t < to; t += 66) shows = blink.see(t, lit(t));
    return shows;
  };
  assert.equal(run(0, 3_000, () => true), "steady");
  assert.equal(run(3_000, 8_000, (t) => t % 1_000 < 500), "blink");
  assert.equal(run(8_000, 10_500, () => false), "off");
  assert.equal(run(10_500, 16_000, (t) => t % 2_000 < 1_000), "blink", "half a hertz");
  const lamp = watched();
  lamp.see({ green: true });
  lamp.see({});
  assert.equal(lamp.see({ green: true }, {}, 1), "", "one picture of a flash");
  assert.equal(lamp.see({ green: true }, {}, 1), "green");
});

test("a camera that is turned away or covered is noticed, people who walk by are not", () => {
  const scene = new Scene();
  let t = 0;
  const see = (seconds, how = {}) => {
    let view;
    for (const end = t + seconds * 1_000; t < end; t += 66) view = scene.see(t, picture({ green: t % 1_000 < 500 }, { ...how, seed: t + 1 }), spots);
    return view;
  };
  assert.equal(see(5), "ok");
  assert.equal(see(5, { light: 0.5 }), "ok", "half the light");
  assert.equal(see(2, { shift: 40 }), "ok", "somebody walks by");
  assert.equal(see(5), "ok");
  assert.equal(see(5, { shift: 40 }), "moved");
  assert.equal(see(1), "ok", "turned back");
  assert.equal(see(3, { cover: true }), "dark");
  assert.equal(see(1), "ok");
  // The place is known again after the telephone was switched off and on.
  const again = new Scene(scene.reference);
  const views = Array.from({ length: 90 }, (_, i) => again.see(i * 66, picture({}, { shift: 60, seed: i + 1 }), spots));
  assert.equal(views.at(-1), "moved");
});

/** Levels of a movement at sixty samples a second. */
function levels(seconds, at, hertz = 60) {
  const shake = new Shake(), found = [];
  for (let i = 0; i < seconds * hertz; i += 1) {
    const window = shake.sample(i * 1_000 / hertz, at(i / hertz));
    if (window) found.push(window);
  }
  return found;
}

test("gravity and tilting are nothing, shaking has its strength", () => {
  const still = levels(10, () => [0, 0, 9.81]);
  assert.ok(still.length >= 85 && still.every(({ level }) => level < 0.005));
  const tilting = levels(20, (s) => [9.81 * Math.sin(s / 3), 0, 9.81 * Math.cos(s / 3)]);
  assert.ok(tilting.every(({ level }) => level < 0.1));
  for (const hertz of [60, 100]) {
    const shaking = levels(10, (s) => [0, 0, 9.81 + 2 * Math.sin(2 * Math.PI * 15 * s)], hertz);
    const mean = shaking.reduce((sum, { level }) => sum + level, 0) / shaking.length;
    assert.ok(Math.abs(mean - 2 / Math.SQRT2) < 0.05, `${mean} of a sine of 2 m/s² at ${hertz} Hz`);
  }
});

test("a blow stands in the tenth of a second it fell in, and a pause of the sensor is no blow", () => {
  const blows = levels(12, (s) => [0, 0, 9.81 + (s % 2 < 0.05 ? 20 : 0)]);
  const strong = blows.filter(({ level }) => level > 3).map(({ tMs }) => tMs);
  assert.equal(strong.filter((t) => t % 2_000 <= 200).length, strong.length);
  assert.equal(new Set(strong.map((t) => Math.floor(t / 2_000))).size, 5);
  const shake = new Shake();
  for (let t = 0; t < 3_000; t += 16) shake.sample(t, [0, 0, 9.81]);
  // Turned over while it slept.
  const after = [];
  for (let t = 60_000; t < 63_000; t += 16) after.push(shake.sample(t, [0, 0, -9.81]));
  assert.ok(after.filter(Boolean).every(({ level }) => level < 0.005));
});

/** A box that answers as it is told, half an hour ahead of the telephone. */
function box() {
  const world = { t: 1_000_000, taken: [], answers: () => 200, now: () => world.t };
  world.fetch = async (path, { method, body }) => {
    world.t += 40;
    const status = world.answers(method);
    if (status === undefined) throw new TypeError("no network");
    if (status === 200 && method === "POST") world.taken.push(...JSON.parse(body));
    return { status, json: async () => ({ at: new Date(world.t - 20 + 1_800_000).toISOString(), refused: [] }) };
  };
  return world;
}

test("readings wait for the network in order, have the box's time, and are sent once", async () => {
  const world = box();
  const sender = new Sender({ device: "phone-1", token: "t" }, world);
  const pass = async (seconds) => {
    for (let i = 0; i < seconds; i += 1) {
      sender.put(world.t, { vibration_m_s2: i });
      world.t += 1_000;
      await sender.send();
    }
  };
  await pass(5);
  world.answers = () => undefined;
  await pass(100);
  assert.ok(!sender.isUp && sender.waiting.length >= 99);
  world.answers = () => 503;
  await pass(40);
  world.answers = () => 200;
  await pass(60);
  assert.equal(sender.waiting.length, 0);
  assert.equal(world.taken.length, 205);
  const times = world.taken.map(({ t }) => t);
  assert.deepEqual(times, times.slice().sort((a, b) => a - b));
  assert.ok(Math.abs(times[0] - 1_000_000 - 1_800_000) < 50);
  assert.ok(world.taken.every((reading) => Object.keys(reading).join() === "t,vibration_m_s2"));
});

test("what waits has a limit, what the box refuses is let go, and an ended device stops", async () => {
  const world = box();
  const sender = new Sender({ device: "phone-1", token: "t" }, world);
  world.answers = () => undefined;
  for (let i = 0; i < WAITING_MAX + 10; i += 1) sender.put(i, { battery_pct: 50 });
  assert.deepEqual([sender.waiting.length, sender.dropped], [WAITING_MAX, 10]);
  world.answers = (method) => (method === "GET" ? 200 : 422);
  await sender.send();
  assert.deepEqual([sender.refused, sender.waiting.length], [600, WAITING_MAX - 600]);
  world.answers = () => 401;
  await sender.send();
  assert.ok(sender.isEnded);
  const left = sender.waiting.length;
  world.answers = () => 200;
  await sender.send();
  assert.equal(sender.waiting.length, left);
});

// What the telephone itself decides, without a browser: lamps from pictures, strength from movement,
// and what becomes of readings when the network is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Blink, Eye, Tier } from "../../crates/web/assets/phone-lamp.js";
import { Sender, WAITING_MAX } from "../../crates/web/assets/phone-send.js";
import { Shake } from "../../crates/web/assets/phone-shake.js";
import { LENSES, picture } from "./film.mjs";

const colours = ["red", "yellow", "green"];
const placed = colours.map((colour) => ({ colour, spot: { x: LENSES[colour].x, y: LENSES[colour].y, r: 0.03 } }));

/** A lamp watched through pictures, fifteen a second. */
function watched(kept = { tiers: placed }) {
  const eye = new Eye(kept.tiers, kept.scene);
  let t = 0;
  return {
    eye,
    get tiers() {
      return eye.tiers.map(({ tier }) => tier);
    },
    /** What is seen lit in the last of some pictures. */
    see(shows, how = {}, times = 3) {
      for (let i = 0; i < times; i += 1) eye.see(t += 66, picture(shows, { ...how, seed: t }));
      return colours.filter((_, i) => eye.tiers[i].tier.lit).join(" ");
    },
    /** Everything that is said in some seconds; `at` says what each picture shows. */
    say(seconds, at) {
      const said = new Set();
      let view;
      for (const end = t + seconds * 1_000; t < end; t += 66) {
        const { shows, ...how } = at(t);
        const seen = eye.see(t, picture(shows, { ...how, seed: t + 1 }));
        view = seen.view;
        for (const one of seen.seen) said.add(`${one.tier.colour} ${one.shows}`);
      }
      return { view, said: [...said].sort() };
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
    for (const how of [{ light: 0.4 }, { light: 1.5 }, { exposure: 0.6 }, { light: 0.6, exposure: 1.4 }, { light: 0.3 }, {}]) {
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
  for (let minute = 0; minute < 40; minute += 1) {
    const how = { light: 0.2 + 1.2 * Math.abs(Math.sin(minute / 20)) };
    assert.equal(lamp.see({ green: true }, how, 30), "green", `minute ${minute}`);
  }
  assert.equal(lamp.see({}), "");
});

test("a person is right: what is said to be wrong is turned round and remembered", () => {
  // A lens so pale that it is taken for dark.
  const view = (score) => ({ score, rgb: [0.5, 0.5, 0.5], peak: 100 * Math.exp(score), clipped: 0, walls: Array(4).fill([4, 4, 4]) });
  const tier = new Tier("red");
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

const green = { green: true }, steady = ["green steady", "red off", "yellow off"];

test("a camera that is turned away or covered says nothing, whatever the wall is like", () => {
  for (const isPlain of [false, true]) {
    const lamp = watched();
    const say = (seconds, how = {}) => lamp.say(seconds, () => ({ shows: green, isPlain, ...how }));
    assert.deepEqual(say(4), { view: "ok", said: steady });
    lamp.say(4, () => ({ shows: {}, isPlain }));
    lamp.say(1, () => ({ shows: green, isPlain }));
    assert.deepEqual(say(5, { light: 0.5 }), { view: "ok", said: steady }, "half the light");
    say(5);
    // From the first picture on nothing is said; after two seconds a person is told.
    assert.deepEqual(say(1, { cover: true }), { view: "unsure", said: [] });
    assert.deepEqual(say(15, { cover: true }), { view: "dark", said: [] });
    assert.deepEqual(say(2), { view: "ok", said: steady });
    if (isPlain) continue;
    assert.deepEqual(say(5, { shift: 40 }), { view: "moved", said: [] });
    assert.equal(say(2).view, "ok", "turned back");
    // The place is known again after the telephone was switched off and on.
    const again = watched(lamp.eye.kept());
    assert.deepEqual(again.say(5, () => ({ shows: green, shift: 60 })), { view: "moved", said: [] });
  }
});

test("who walks by or stands in front of the lamp neither turns it off nor makes it blink", () => {
  for (const isPlain of [false, true]) {
    for (const isSeenDark of [false, true]) {
      const lamp = watched();
      const red = { red: true }, lit = ["green off", "red steady", "yellow off"];
      if (isSeenDark) lamp.say(4, () => ({ shows: {}, isPlain }));
      lamp.say(3, () => ({ shows: red, isPlain }));
      const before = lamp.say(1, () => ({ shows: red, isPlain })).said;
      assert.deepEqual(before, lit);
      let step = -50;
      const walks = lamp.say(4, () => ({ shows: red, isPlain, person: step += 4 }));
      const stands = lamp.say(8, () => ({ shows: red, isPlain, person: 55 }));
      for (const { said } of [walks, stands]) {
        for (const word of said) assert.ok(lit.includes(word), `${word}, plain: ${isPlain}, seen dark: ${isSeenDark}`);
      }
      assert.deepEqual(stands.said, [], "a lamp that is not seen is not spoken of");
      assert.deepEqual(lamp.say(2, () => ({ shows: red, isPlain })).said, lit);
      // What changed meanwhile is seen as soon as it can be seen.
      lamp.say(3, () => ({ shows: {}, isPlain, person: 55 }));
      lamp.say(0.4, () => ({ shows: {}, isPlain }));
      assert.deepEqual(lamp.say(0.4, () => ({ shows: {}, isPlain })).said, ["green off", "red off", "yellow off"]);
      lamp.say(3, () => ({ shows: red, isPlain }));
      // Beside the lamp somebody may stand as long as they like.
      assert.deepEqual(lamp.say(10, () => ({ shows: red, isPlain, person: 128 })), { view: "ok", said: lit });
    }
  }
});

test("the lamp's own light on a dark wall is nothing in front of it", () => {
  const dims = [{ light: 0.4 }, { light: 0.3, isPlain: true }];
  for (const dim of dims) {
    for (const r of [0.02, 0.035]) {
      const lamp = watched({ tiers: placed.map(({ colour, spot }) => ({ colour, spot: { ...spot, r } })) });
      const what = `${JSON.stringify(dim)}, circles of ${r}`;
      for (const shows of [{}, { red: true }, {}, { green: true }, { red: true }, { red: true, yellow: true }, { yellow: true }]) {
        const wanted = colours.map((colour) => `${colour} ${shows[colour] ? "steady" : "off"}`).sort();
        lamp.say(2.2, () => ({ shows, ...dim }));
        assert.deepEqual(lamp.say(0.3, () => ({ shows, ...dim })), { view: "ok", said: wanted }, what);
      }
      lamp.say(3, (t) => ({ shows: { red: t % 1_000 < 500 }, ...dim }));
      const { said } = lamp.say(3, (t) => ({ shows: { red: t % 1_000 < 500 }, ...dim }));
      assert.deepEqual(said, ["green off", "red blink", "yellow off"], what);
    }
  }
});

test("with few pictures a second blinking is still blinking", () => {
  const lamp = new Eye(placed);
  const shows = [];
  for (let t = 0; t < 12_000; t += 180) {
    lamp.see(t, picture({ red: t > 4_000 && t % 600 < 300, green: t <= 4_000 }, { seed: t + 1 }), true);
    if (t > 6_000) shows.push(lamp.tiers[0].shows);
  }
  assert.ok(shows.every((one) => one === "blink"), shows.join(" "));
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
  const world = { t: 1_000_000, slept: 0, taken: [], answers: () => 200, now: () => world.t, clock: () => world.t + world.slept };
  world.fetch = async (path, { method, body }) => {
    world.t += 40;
    const status = world.answers(method);
    if (status === undefined) throw new TypeError("no network");
    if ([200, "lost"].includes(status) && method === "POST") world.taken.push(...JSON.parse(body));
    if (status === "lost") throw new TypeError("the answer was lost");
    return { status, json: async () => ({ at: new Date(world.t - 20 + 1_800_000 + world.slept).toISOString(), refused: [] }) };
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

test("what the box took although its answer was lost comes again with the same times", async () => {
  const world = box();
  const sender = new Sender({ device: "phone-1", token: "t" }, world);
  for (let i = 0; i < 5; i += 1) sender.put(world.t += 100, { vibration_m_s2: i });
  world.answers = (method) => (method === "GET" ? 200 : "lost");
  await sender.send();
  world.answers = () => 200;
  world.t += 60_000;
  // Meanwhile it has learned the box's time better.
  sender.time.offset += 24;
  sender.put(world.t, { vibration_m_s2: 9 });
  await sender.send();
  const times = world.taken.map(({ t }) => t);
  assert.equal(times.length, 11);
  assert.deepEqual(times.slice(0, 5), times.slice(5, 10));
});

test("a telephone that slept asks for the time before it stamps anything", async () => {
  const world = box();
  const sender = new Sender({ device: "phone-1", token: "t" }, world);
  sender.put(world.t, { vibration_m_s2: 1 });
  await sender.send();
  // An hour in which its own clock for measuring stood still.
  world.slept = 3_600_000;
  world.t += 1_000;
  sender.put(world.t, { vibration_m_s2: 2 });
  await sender.send();
  const [before, after] = world.taken.map(({ t }) => t);
  assert.ok(Math.abs(after - before - 3_601_000) < 100, `${after - before} ms apart`);
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
  // One that the box has limited sends little, and loses nothing by it.
  world.answers = (method) => (method === "GET" ? 200 : 429);
  await sender.send();
  assert.equal(sender.waiting.length, WAITING_MAX - 600);
  world.answers = () => 200;
  await sender.send();
  assert.equal(sender.waiting.length, WAITING_MAX - 605);
  await sender.send();
  assert.equal(sender.waiting.length, WAITING_MAX - 615, "no longer limited, it sends more again");
  world.answers = () => 401;
  await sender.send();
  assert.ok(sender.isEnded);
  const left = sender.waiting.length;
  world.answers = () => 200;
  await sender.send();
  assert.equal(sender.waiting.length, left);
});

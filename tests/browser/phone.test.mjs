// A telephone becomes a sensor: joined by the codes on the page, its camera (a generated film of a
// signal lamp) and its movement (synthetic) are judged on it, and the box takes what leaves it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import jsqr from "jsqr";
import { LENSES, film } from "./film.mjs";
import { accessibility, claim, launch, serve, until } from "./house.mjs";

/** What the lamp does, again and again: six seconds each. */
const SCENES = [
  () => ({ shows: { green: true } }),
  (s) => ({ shows: { red: s % 1 < 0.5 } }),
  (s) => ({ shows: { green: true, yellow: s % 1 < 0.5 } }),
];
const SCENE_S = 6;

let folder, house, browser, session, phone, sent;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "mimamori-phone-"));
  const camera = join(folder, "lamp.y4m");
  writeFileSync(camera, film(SCENE_S * SCENES.length, (s) => SCENES[Math.floor(s / SCENE_S)](s)));
  house = await serve(join(folder, "data"), "0.0.0.0:0");
  browser = await launch(["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", `--use-file-for-fake-video-capture=${camera}`]);
  const page = await (await browser.newContext()).newPage();
  await page.goto(`${house.base}?lang=ja`);
  session = await claim(page, house.code);
  await page.context().close();
});

after(async () => {
  await browser?.close();
  house?.server.kill();
  rmSync(folder, { recursive: true, force: true });
});

/** A page of the owner's. */
async function open(path, { lang = "en", width = 1440, height = 900 } = {}) {
  // What stands for the telephone's camera reads the page's picture in the page itself.
  const context = await browser.newContext({ viewport: { width, height }, bypassCSP: true });
  await context.addCookies([session]);
  const page = await context.newPage();
  await page.goto(`${house.base}${path}?lang=${lang}`);
  return page;
}

/** What a telephone's camera reads in a code on the page. */
async function scan(page, code) {
  const picture = (await code.screenshot()).toString("base64");
  const { data, width, height } = await page.evaluate(async (png) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    return { data: Array.from(pixels), width: bitmap.width, height: bitmap.height };
  }, picture);
  return jsqr(new Uint8ClampedArray(data), width, height)?.data;
}

/** What the box answers its owner. */
async function ask(path) {
  const answer = await fetch(`${house.base}api/v1/${path}`, { headers: { cookie: `session=${session.value}` } });
  return answer.json();
}

test("a telephone joins by the two codes on the page, and each code is good once", async () => {
  const outside = Object.values(networkInterfaces()).flat().filter((one) => one.family === "IPv4" && !one.internal).map(({ address }) => address);
  assert.ok(outside.length > 0, "this computer has no address in a network that a telephone could reach");
  const page = await open("connect");
  // The first look whether it has joined is never answered; the page goes on looking.
  let looks = 0;
  await page.route("**/connect/phone/phone-1", (route) => route.request().resourceType() === "fetch" && looks++ === 0 ? undefined : route.continue());
  await page.click("a[href='/connect/phone']");
  assert.equal(await page.inputValue("[name=id]"), "phone-1");
  await page.fill("[name=id]", "電話");
  await page.click("text=Make the code");
  assert.match(await page.textContent("[role=alert]"), /name/i);
  await page.fill("[name=id]", "phone-1");
  await page.fill("[name=machine]", "press-1");
  await page.click("text=Make the code");
  await page.waitForSelector(".qr");
  const [certificate, sensor] = [await scan(page, page.locator(".qr").first()), await scan(page, page.locator(".qr").nth(1))];
  assert.ok(outside.includes(new URL(certificate).hostname), certificate);
  // The first code is for a telephone that trusts nothing yet: it is answered in clear text.
  const handed = await fetch(certificate, { headers: { "accept-language": "en" } });
  assert.match(await handed.text(), /mimamori\.crt/);
  assert.equal(new URL(sensor).protocol, "https:");
  assert.match(new URL(sensor).hash, /^#[0-9a-f]{64}$/);
  const context = await browser.newContext({ viewport: { width: 390, height: 844 }, ignoreHTTPSErrors: true, permissions: ["camera", "accelerometer", "gyroscope"] });
  phone = await context.newPage();
  phone.problems = [];
  phone.on("pageerror", (error) => phone.problems.push(String(error)));
  phone.on("console", (message) => { if (message.type() === "error") phone.problems.push(message.text()); });
  sent = [];
  phone.on("request", (request) => { if (request.method() === "POST") sent.push({ url: request.url(), body: request.postData() }); });
  await phone.goto(sensor);
  await phone.waitForSelector("#phone-here:not([hidden])");
  assert.equal(new URL(phone.url()).hash, "", "the code does not stay in the address");
  assert.equal(await phone.textContent("#phone-name"), "phone-1");
  await page.waitForSelector("text=phone-1 has joined");
  assert.ok(looks > 1, "the look that was not answered is not the last");
  await page.context().close();

  const late = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage();
  await late.goto(sensor);
  await until("the used code is refused", async () => /has been used/.test(await late.textContent("#phone-problem")));
  await late.context().close();
  const { items } = await ask("devices");
  assert.ok(items.some((device) => device.id === "phone-1" && device.machine === "press-1"));
});

test("an invitation leads here from elsewhere, and opens on another device", async () => {
  const outside = Object.values(networkInterfaces()).flat().filter((one) => one.family === "IPv4" && !one.internal).map(({ address }) => address);
  const page = await open("people");
  await page.fill("[name=name]", "Hanako");
  await page.selectOption("[name=role]", "operator");
  await page.click("text=Make the link");
  const link = await page.textContent(".fresh code");
  assert.equal(new URL(link).protocol, "https:");
  assert.ok(outside.includes(new URL(link).hostname), `${link}: looked at on the PC itself, it leads there from elsewhere`);
  assert.equal(await scan(page, page.locator(".qr").first()), link, "the code says the same");
  const certificate = await scan(page, page.locator(".qr").nth(1));
  assert.ok(outside.includes(new URL(certificate).hostname) && new URL(certificate).pathname === "/trust", certificate);
  const other = await (await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 390, height: 844 } })).newPage();
  await other.goto(link);
  await other.click("button");
  await other.waitForSelector("[name=password]");
  for (const one of [other, page]) await one.context().close();
});

test("the lamp is read from the camera, what it shows is the machine's state, and no picture leaves", async () => {
  await phone.click("#camera-toggle");
  await phone.waitForSelector("#camera-ask:not([hidden])");
  await until("a picture", () => phone.evaluate(() => document.querySelector("video").videoWidth > 0));
  for (const lens of Object.values(LENSES)) {
    const box = await phone.locator("#camera-video").boundingBox();
    // A finger that trembles taps twice; that is one lamp.
    await phone.locator("#camera-video").click({ position: { x: lens.x * box.width, y: lens.y * box.height }, clickCount: 2 });
    await phone.waitForTimeout(500);
  }
  await phone.waitForSelector("#camera-ask", { state: "hidden" });
  const shown = () => phone.evaluate(() => Array.from(document.querySelectorAll(".tier"), (tier) => tier.dataset.shows).join(" "));
  for (const wanted of ["off off steady", "blink off off", "off blink steady"]) {
    await until(`the lamp shows ${wanted}`, async () => await shown() === wanted, 40_000);
  }
  // Once round, after both states of each tier were seen: what the box was told, against the film.
  await until("both states of each tier", () => phone.evaluate(() => JSON.parse(localStorage.getItem("mimamori-sensor")).tiers.every(({ known }) => known.dark && known.lit)));
  const states = async () => new Set((await ask("machines/press-1/states")).items.map(({ state }) => state));
  await until("the machine ran and stopped", async () => (await states()).has("run") && (await states()).has("stop"), 40_000);
  const alarms = await ask("alarms");
  assert.ok(alarms.items.some(({ kind, machine }) => kind === "stopped" && machine === "press-1"));
  const said = sent.filter(({ url }) => url.includes("/ingest/")).flatMap(({ body }) => JSON.parse(body));
  const keys = new Set(said.flatMap((reading) => Object.keys(reading)));
  for (const key of keys) assert.ok(["t", "camera_ok", "lamp_red", "lamp_yellow", "lamp_green", "battery_pct", "charging"].includes(key), key);
  assert.ok(said.every((reading) => Object.values(reading).every((value) => typeof value === "number")));
  assert.ok(JSON.stringify(said).length / said.length < 100, "words, not pictures");
  assert.deepEqual(phone.problems, []);
});

test("what is placed and learned stays when the telephone is switched off and on", async () => {
  await phone.reload();
  await phone.waitForSelector("#camera-on:not([hidden])");
  await until("the tiers", async () => await phone.locator(".tier").count() === 3);
  assert.equal(await phone.locator("#camera-ask").isVisible(), false);
  await until("it reads again", () => phone.evaluate(() => document.querySelector(".tier-green").dataset.shows !== "off"), 20_000);
});

/** Moves the telephone as a press does: a blow every `seconds`, sixty samples a second. */
async function move(seconds) {
  await phone.evaluate((every) => {
    clearInterval(globalThis.moving);
    globalThis.moving = setInterval(() => {
      const s = performance.now() / 1000, since = s % every;
      const blow = 15 * Math.exp(-since / 0.06) * Math.sin(2 * Math.PI * 18 * since);
      const acceleration = { x: 0.02 * Math.random(), y: 0.02 * Math.random(), z: 9.81 + blow };
      dispatchEvent(new DeviceMotionEvent("devicemotion", { accelerationIncludingGravity: acceleration, interval: 16 }));
    }, 16);
  }, seconds);
}

test("strokes are counted from the telephone's movement, and the telephone shows what the box makes of them", async () => {
  await phone.click("#camera-toggle");
  await phone.waitForSelector("#camera-on", { state: "hidden" });
  await phone.click("#shake-toggle");
  await until("it says that nothing moves", async () => /movement/.test(await phone.textContent("#shake-problem")));
  await move(0.9);
  await phone.waitForSelector("#shake-problem", { state: "hidden" });
  const cycle = await until("cycles", async () => {
    const machine = await ask("machines/press-1");
    return machine.day.cycles >= 15 && machine.last_cycle;
  }, 60_000);
  // Of a browser that is held up for a moment one blow comes late: the middle of the cycles counts.
  const { items } = await ask("machines/press-1/cycles?limit=15");
  const lengths = items.map(({ duration_s }) => duration_s).sort((one, other) => one - other);
  const middle = lengths[Math.floor(lengths.length / 2)];
  assert.ok(lengths.length >= 15 && Math.abs(middle - 0.9) < 0.1, `${lengths} s`);
  assert.equal(cycle.energy_wh, null);
  await until("the cycle on the telephone", async () => /cycle 0\.\d\d s/.test(await phone.textContent("#phone-machine-cycle")));
  await until("it runs", async () => await phone.textContent("#phone-machine-state") === "Running");
});

test("without a network it is missed, what it measured meanwhile waits, and nothing of it is lost", async () => {
  const connected = async () => (await ask("devices")).items.find(({ id }) => id === "phone-1").connected;
  assert.equal(await connected(), true);
  await phone.context().setOffline(true);
  const cut = Date.now();
  await until("it says that readings wait", async () => /No connection – \d+ readings wait/.test(await phone.textContent("#phone-link")));
  await until("the box misses it", async () => !(await connected()), 25_000);
  assert.equal((await ask("machines/press-1")).state, "unknown");
  await phone.context().setOffline(false);
  await until("it is back", connected, 40_000);
  await until("all is sent", async () => await phone.textContent("#phone-link") === "Sending", 20_000);
  const span = `from=${new Date(cut - 1_000).toISOString()}&to=${new Date().toISOString()}`;
  const { items } = await ask(`machines/press-1/readings?point=vibration_m_s2&limit=5000&${span}`);
  const times = items.map(({ t }) => Date.parse(t)).sort((a, b) => a - b);
  const gaps = times.slice(1).map((t, i) => t - times[i]);
  assert.ok(times.length > 150, `${times.length} readings`);
  // A busy computer may lose a window; the time of the cut it may not.
  assert.ok(Math.max(...gaps) < 2_000, `a gap of ${Math.max(...gaps)} ms`);
});

test("the pages fit a telephone and a desk in both languages, and everybody can use them", async () => {
  for (const lang of ["ja", "en"]) {
    for (const [width, height] of [[390, 844], [1440, 900]]) {
      const page = await open("connect/phone", { lang, width, height });
      await page.fill("[name=id]", "phone-2");
      await page.click("form.stack button");
      await page.waitForSelector(".qr");
      assert.deepEqual((await accessibility(page)).violations.map(({ id }) => id), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth) <= width);
      await page.context().close();
    }
    await phone.goto(`${phone.url().split("?")[0]}?lang=${lang}`);
    await phone.waitForSelector("#phone-here:not([hidden])");
    await phone.click("#camera-toggle");
    await phone.waitForSelector(".tier");
    assert.deepEqual((await accessibility(phone)).violations.map(({ id, nodes }) => `${id} ${nodes[0].html}`), []);
    assert.ok(await phone.evaluate(() => document.documentElement.scrollWidth) <= 390);
    await phone.click("#camera-toggle");
  }
});

test("a telephone that joins anew in another tab is the new sensor in both", async () => {
  const page = await open("connect/phone");
  await page.fill("[name=id]", "phone-9");
  await page.click("form.stack button");
  await page.waitForSelector(".qr");
  const sensor = await scan(page, page.locator(".qr").nth(1));
  const other = await phone.context().newPage();
  await other.goto(sensor);
  await until("the new name", async () => await other.textContent("#phone-name") === "phone-9");
  await until("it in the old tab", async () => await phone.textContent("#phone-name") === "phone-9");
  await other.close();
  await page.context().close();
});

test("a telephone that is ended on the PC stops and says so", async () => {
  const page = await open("devices");
  page.on("dialog", (dialog) => dialog.accept());
  await page.click("form[action='/devices/phone-9/end'] button");
  await page.waitForLoadState();
  await phone.bringToFront();
  await until("it says so", async () => /ended on the PC/.test(await phone.textContent("#phone-link")), 20_000);
  assert.equal(await phone.evaluate(() => localStorage.getItem("mimamori-sensor")), null);
  await phone.reload();
  await phone.waitForSelector("#phone-none:not([hidden])");
  await page.context().close();
});

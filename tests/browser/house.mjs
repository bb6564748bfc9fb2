// A box that is served and claimed, and a browser to look at it with: what every browser test begins with.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { chromium } from "playwright-core";

export const program = process.env.MIMAMORI_PROGRAM ?? "target/debug/mimamori";
const axe = readFileSync("node_modules/axe-core/axe.min.js", "utf8");
const rules = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"];
export const owner = { name: "花子", password: "browser tests 1" };

/** Waits until `look` gives something true; `what` says what was waited for, or tells it with what was seen last. */
export async function until(what, look, ms = 15_000) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await look();
    if (got) return got;
    assert.ok(Date.now() < end, `${typeof what === "string" ? what : what()} did not happen`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** What the accessibility rules say of a page. */
export async function accessibility(page) {
  await page.evaluate(axe);
  return page.evaluate((runOnly) => globalThis.axe.run({ runOnly }), rules);
}

/** Serves a folder; `at` is where the pages listen, `more` what else the program is told. */
export async function serve(folder, at, more = []) {
  const none = "127.0.0.1:0";
  const server = spawn(program, ["--lang", "en", "serve", "--data", folder, "--http", at, "--https", at, "--mqtt", none, "--mqtts", none, ...more]);
  let printed = "";
  server.stdout.on("data", (chunk) => { printed += chunk; });
  await until("the addresses", () => /https:\/\/\S+\//.test(printed) && /^MQTT: /m.test(printed));
  const address = (/** @type {RegExp} */ form) => form.exec(printed)[0].replace(/127\.0\.0\.1|0\.0\.0\.0/, "localhost");
  const code = await until("the claim code", () => /Claim code: (\S+)\n/.exec(printed)?.[1]);
  return { server, code, base: address(/http:\/\/\S+\//), secure: address(/https:\/\/\S+\//), broker: /^MQTT: (\S+)/m.exec(printed)[1] };
}

/** A browser; `more` are switches of its own. */
export function launch(more = []) {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    timeout: 60_000,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more],
  });
}

/** The owner claims the box on the page that asks for it, in Japanese; gives the session. */
export async function claim(page, code) {
  await page.fill("form[action='/claim'] [name=code]", code);
  await page.fill("[name=name]", owner.name);
  await page.fill("[name=password]", owner.password);
  await page.fill("[name=again]", owner.password);
  await page.click("text=持ち主になる >> nth=-1");
  await page.waitForSelector(".is-live");
  const session = (await page.context().cookies()).find((cookie) => cookie.name === "session");
  assert.ok(session.httpOnly);
  return session;
}

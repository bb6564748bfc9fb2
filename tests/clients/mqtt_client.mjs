// The npm package mqtt against the broker: all qualities, wildcards, retained, a last will, a kept
// session. usage: mqtt_client.mjs PORT DEVICE_TOKEN READER_TOKEN
import assert from "node:assert/strict";
import mqtt from "mqtt";

const [port, token, readerToken] = process.argv.slice(2);
const options = (clientId, username, password, more = {}) => ({
  port: Number(port), host: "127.0.0.1", protocolVersion: 4, clientId, username, password,
  reconnectPeriod: 0, connectTimeout: 10_000, ...more,
});
const within = (promise, what) => Promise.race([
  promise,
  new Promise((_, reject) => setTimeout(() => reject(new Error(`no ${what}`)), 10_000).unref()),
]);

const reader = await mqtt.connectAsync(options("r", "panel", readerToken, { clean: false }));
const heard = [];
let wake = () => {};
reader.on("message", (topic, payload, packet) => {
  heard.push([topic, payload.toString(), packet.qos, packet.retain]);
  wake();
});
const next = async (n) => {
  while (heard.length < n) await within(new Promise((done) => { wake = done; }), `message ${n}`);
  return heard.splice(0, n);
};
const granted = await reader.subscribeAsync({ "mimamori/+/power_w": { qos: 2 }, "mimamori/m1/#": { qos: 1 } });
assert.equal(granted.length, 2);

const will = { topic: "mimamori/m1/online", payload: Buffer.from("false"), qos: 1, retain: false };
const device = await mqtt.connectAsync(options("d", "m1", token, { will }));
for (const qos of [0, 1, 2]) await device.publishAsync("mimamori/m1/power_w", String(100 + qos), { qos });
const got = await next(3);
assert.deepEqual(got.map(([, payload]) => payload).sort(), ["100", "101", "102"], "overlapping filters deliver once");

await device.publishAsync("mimamori/m1/temp_c", "21.5", { qos: 1, retain: true });
await next(1);
const late = await mqtt.connectAsync(options("l", "panel", readerToken));
const retained = within(new Promise((done) => late.on("message", (t, p, packet) => done([t, p.toString(), packet.retain]))), "retained message");
await late.subscribeAsync("mimamori/#");
assert.deepEqual(await retained, ["mimamori/m1/temp_c", "21.5", true]);

const refused = await within(late.subscribeAsync("secret/#").then(() => "granted", () => "refused"), "SUBACK");
assert.equal(refused, "refused");

device.stream.destroy();
const [[topic, payload]] = await next(1);
assert.deepEqual([topic, payload], ["mimamori/m1/online", "false"]);

const wrong = await mqtt.connectAsync(options("w", "m1", "guess")).then(() => "in", (error) => error.code);
assert.equal(wrong, 4);
await Promise.all([reader.endAsync(), late.endAsync()]);
console.log("ok");

// What the devices that zigbee2mqtt knows call their numbers, and in which unit, as the npm package
// zigbee-herdsman-converters says: one JSON list of [name, unit, devices].
const fs = require("node:fs");
const path = require("node:path");
const { prepareDefinition } = require("zigbee-herdsman-converters");

const folder = path.join(path.dirname(require.resolve("zigbee-herdsman-converters/package.json")), "dist", "devices");
const seen = new Map();
for (const file of fs.readdirSync(folder).filter((name) => name.endsWith(".js"))) {
  for (const device of require(path.join(folder, file)).definitions ?? []) {
    const { exposes } = prepareDefinition(device);
    // Some say what they have only when they are there.
    const all = typeof exposes === "function" ? [] : exposes;
    for (const one of all.flatMap((expose) => [expose, ...(expose.features ?? [])])) {
      if (one.type !== "numeric" || !one.unit) continue;
      const key = JSON.stringify([one.property, one.unit]);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
}
console.log(JSON.stringify([...seen].map(([key, devices]) => [...JSON.parse(key), devices])));
